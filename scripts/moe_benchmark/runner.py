"""Compiles programs with sortie-opt and measures them with sortie-run, or with another command."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .graph import module_text, needs_rotation, steps_of
from .layers import Layer, Types
from .points import Point
from .routing import Routing, make_routing


class BenchmarkError(RuntimeError):
    """A command failed, or printed what is no result; the text says which and what to do."""


def call(command: Sequence[object]) -> str:
    """Standard output of a command; BenchmarkError with its standard error when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchmarkError(f"{words[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise BenchmarkError(f"{shlex.join(words)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Case:
    """What a program is compiled for."""

    layer: Layer
    types: Types
    activations: str

    def program(self, folder: Path, target: str) -> Path:
        types = self.types.name.replace(":", "+")
        return folder / f"{self.layer.name}-{types}-{self.activations}.{target}.mlirbc"


def compile_case(case: Case, folder: Path, target: str, chips: Sequence[str], tools: Path) -> Path:
    """Compiles the case's program into `folder`, unless it is there."""
    program = case.program(folder, target)
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    options = f"target={target} activations={case.activations} max-tokens=8192"
    if target == "cuda" and chips:
        options += " chip=" + ",".join(chips)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        text, compiled = Path(scratch) / "layer.mlir", Path(scratch) / "layer.mlirbc"
        text.write_text(module_text(case.layer, case.types))
        call([tools / "sortie-opt", text, f"--sortie-compile={options}", "--emit-bytecode", "-o",
              compiled])
        compiled.rename(program)
    return program


@dataclass(frozen=True)
class Request:
    """A point to be measured."""

    case: Case
    routing: str
    tokens: int

    def key(self, source: str) -> tuple[object, ...]:
        """The key of the point that this gives."""
        case = self.case
        return (source, case.layer.name, case.types.name, case.activations, self.routing,
                self.tokens)

    def plan(self) -> tuple[str, Routing]:
        """The function to run, and its routing."""
        layer, types = self.case.layer, self.case.types
        one = make_routing(layer, self.tokens, self.routing, 1)
        steps = steps_of(layer, types)
        if steps == 1 or not needs_rotation(layer, types, one.experts):
            return "once", one
        return "rotated", make_routing(layer, self.tokens, self.routing, steps)

    def point(self, source: str, result: dict[str, Any], routing: Routing) -> Point:
        """The point that a result in the form of `sortie-run --benchmark-format=json` gives; its
        times are of all steps."""
        layer, steps = self.case.layer, len(routing.ids)
        kernels: dict[str, float] = defaultdict(float)
        for step in result.get("steps", []):
            kernels[step["operation"]] += step["median_ns"] * 1e-3 / steps
        return Point(
            layer=layer.name, types=self.case.types.name, activations=self.case.activations,
            routing=self.routing, tokens=self.tokens, steps=steps, experts=routing.experts,
            expert_bytes=self.case.types.expert_bytes(layer),
            operations=layer.operations(self.tokens), device=result["device"],
            us=result["median_ns"] * 1e-3 / steps, p10_us=result["p10_ns"] * 1e-3 / steps,
            p90_us=result["p90_ns"] * 1e-3 / steps, runs=result["runs"], kernels=dict(kernels),
            source=source)


def _parse(text: str, command: str) -> dict[str, Any]:
    try:
        result = json.loads(text)
        float(result["median_ns"]), float(result["p10_ns"]), float(result["p90_ns"])
        int(result["runs"]), str(result["device"])
    except (ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(f"{command}: printed no JSON with device, runs, median_ns, p10_ns and "
                             f"p90_ns ({error!r})") from error
    return result


@dataclass(frozen=True)
class Runner:
    """sortie-run on a device; `extra` are further arguments of it."""

    sortie_run: Path
    programs: Path
    device: str
    seed: int = 1
    extra: tuple[str, ...] = field(default=())

    def measure(self, request: Request) -> Point:
        program = request.case.program(self.programs, self.device.split(":")[0])
        if not program.exists():
            raise BenchmarkError(f"{program}: not there; make it with --compile-only")
        function, routing = request.plan()
        with tempfile.TemporaryDirectory() as scratch:
            inputs = write_inputs(Path(scratch), request.tokens, routing, self.seed)
            text = call([self.sortie_run, program, "--weights", f"random:seed={self.seed}",
                         "--function", function, "--device", self.device, *inputs, "--benchmark",
                         "--benchmark-format=json", *self.extra])
        return request.point("sortie-run", _parse(text, str(self.sortie_run)), routing)


def write_inputs(folder: Path, tokens: int, routing: Routing, seed: int) -> list[str]:
    """The routing as files, and the arguments of sortie-run for all inputs."""
    arguments = []
    for step, (ids, weights) in enumerate(zip(routing.ids, routing.weights)):
        np.save(folder / f"ids{step}.npy", ids)
        np.save(folder / f"weights{step}.npy", weights)
        arguments += [f"--input=x{step}=random:seed={seed + step},tokens={tokens}",
                      f"--input=ids{step}={folder}/ids{step}.npy",
                      f"--input=weights{step}={folder}/weights{step}.npy"]
    return arguments


def measure_external(name: str, command: str, request: Request) -> Point:
    """The point of a command that prints the same JSON for one layer. In it, {layer}, {types},
    {activations}, {tokens}, {routing}, {hidden}, {width}, {experts} and {used} are replaced."""
    layer, case = request.case.layer, request.case
    try:
        words = [word.format(layer=layer.name, types=case.types.name, tokens=request.tokens,
                             activations=case.activations, routing=request.routing,
                             hidden=layer.hidden, width=layer.width, experts=layer.experts,
                             used=layer.used) for word in shlex.split(command)]
    except (KeyError, IndexError, ValueError) as error:
        raise BenchmarkError(
            f"--external {name}: {command}: cannot be filled in: {error}") from error
    routing = make_routing(layer, request.tokens, request.routing, 1)
    return request.point(name, _parse(call(words), name), routing)
