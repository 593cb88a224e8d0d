#!/usr/bin/env python3
"""Measures the routed experts of public MoE layers and compares them with what others reach.

    scripts/benchmark.py --device cpu --layer qwen3-30b-a3b --types q4_K --tokens 1,32,512
    scripts/benchmark.py --device cuda --compile-only build/benchmark        (needs sortie-opt)
    scripts/benchmark.py --device cuda --run-only build/benchmark --json out.json --picture out

A layer is gate and up, the activation, down and the weighted sum over the slots; expert ids and
weights are inputs, distinct experts for each token. Weights are random (sortie-run --weights
random:seed=1). Where one layer would run from a cache, several layers run after each other, each
with the experts that were used longest ago, and the time of one is reported. Shapes, baselines and
ceilings are data in test/benchmarks.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

sys.dont_write_bytecode = True
from moe_benchmark import picture, report  # noqa: E402
from moe_benchmark.layers import load_layers, parse_types  # noqa: E402
from moe_benchmark.points import Ceilings, Point, known_ceilings, read_points, write_points  # noqa: E402
from moe_benchmark.routing import ROUTINGS, make_routing  # noqa: E402
from moe_benchmark.runner import (  # noqa: E402
    BenchmarkError,
    Case,
    Request,
    Runner,
    compile_case,
    measure_external,
)
from moe_benchmark.torch_baselines import TorchBaselines, cuda_torch, measure_ceilings  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
TOKENS = [1 << exponent for exponent in range(14)]


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _folder(text: str) -> Path:
    """An absolute path: a program named without a folder would be looked for in PATH."""
    return Path(text).absolute()


def _ceilings(text: str) -> Ceilings:
    read, operations = map(float, text.split(","))
    return Ceilings(read, operations, "given on the command line")


def _external(text: str) -> tuple[str, str]:
    name, separator, command = text.partition("=")
    if not (name and separator and command):
        raise argparse.ArgumentTypeError(f"'{text}': give NAME=COMMAND")
    return name, command


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    layers = load_layers()
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group("what is measured (lists are separated by commas)")
    what.add_argument("--layer", type=_list, default=list(layers), metavar="LIST",
                      help=f"default: {','.join(layers)}")
    what.add_argument("--types", type=_list, metavar="LIST",
                      help="q4_K, a mix (q4_K_m), or gate and up, then down: q4_K:q6_K; default: "
                      "those of test/benchmarks/layers.json")
    what.add_argument("--tokens", type=_list, default=list(map(str, TOKENS)), metavar="LIST",
                      help="default: 1 to 8192, powers of two")
    what.add_argument("--routing", type=_list, default=["uniform"], metavar="LIST",
                      help=f"{','.join(ROUTINGS)} (popularity 1/rank); default: uniform")
    what.add_argument("--activations", type=_list, default=["int16"], metavar="LIST",
                      help="int16,int8; default: int16")
    what.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N; default: cpu")
    where = parser.add_argument_group("where")
    where.add_argument("--bin", type=_folder, default=ROOT / "build" / "release" / "bin",
                       help="folder of the tools; default: build/release/bin")
    where.add_argument("--compile-only", type=Path, metavar="DIR",
                       help="compile the programs into DIR and stop")
    where.add_argument("--run-only", type=Path, metavar="DIR",
                       help="run the programs of DIR; needs no sortie-opt")
    where.add_argument("--chips", type=_list, default=["sm_90a"], metavar="LIST",
                       help="chips to compile for; default: sm_90a (and always PTX for others)")
    where.add_argument("--run-argument", action="append", default=[], metavar="ARGUMENT",
                       help="a further argument of sortie-run, such as --run-argument=--threads=1")
    against = parser.add_argument_group("compared with")
    against.add_argument("--baselines", type=Path, action="append", metavar="FILE.json",
                         help="default: files of test/benchmarks for this kind of device")
    against.add_argument("--no-torch", action="store_true",
                         help="no baselines in the same run (bf16 grouped_mm, cuBLAS)")
    against.add_argument("--external", type=_external, action="append", default=[],
                         metavar="NAME=COMMAND",
                         help="a command that prints the JSON of sortie-run --benchmark for one "
                         "layer; {layer}, {types}, {tokens}, {routing}, {activations}, {hidden}, "
                         "{width}, {experts}, {used} are filled in")
    against.add_argument("--ceilings", type=_ceilings, metavar="TB/S,TOP/S",
                         help="what the device reads and computes at most; default: measured with "
                         "torch, else as test/benchmarks/ceilings.json has it")
    out = parser.add_argument_group("results")
    out.add_argument("--json", type=Path, metavar="FILE", help="all points, written after each")
    out.add_argument("--resume", action="store_true", help="keep the points that FILE has")
    out.add_argument("--seconds", type=float, metavar="N",
                     help="measure no further point after this time")
    out.add_argument("--picture", type=Path, metavar="NAME",
                     help="a roofline as NAME.png and NAME.svg, the time over the tokens with the "
                     "baselines as NAME-times.png and NAME-times.svg")
    options = parser.parse_args(arguments)
    _check(options, parser, list(layers))
    return options


def _check(options: argparse.Namespace, parser: argparse.ArgumentParser, layers: list[str]) -> None:
    """Ends with a message for lists with unknown members and options that do not go together."""
    for name, known in (("layer", layers), ("routing", ROUTINGS),
                        ("activations", ("int16", "int8"))):
        unknown = [value for value in getattr(options, name) if value not in known]
        if unknown:
            parser.error(f"--{name}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    try:
        options.tokens = [int(count) for count in options.tokens]
    except ValueError:
        parser.error("--tokens takes numbers separated by commas")
    if not all(1 <= count <= TOKENS[-1] for count in options.tokens):
        parser.error(f"--tokens must be 1 to {TOKENS[-1]}")
    if options.compile_only and options.run_only:
        parser.error("--compile-only and --run-only exclude each other")
    if options.resume and not options.json:
        parser.error("--resume needs --json")
    if options.picture and not picture.is_available():
        parser.error("--picture needs matplotlib (build/venv of scripts/setup.sh has it)")


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """What is to be compiled; ValueError for types that are unknown or do not fit."""
    layers = load_layers()
    for name in options.layer:
        for types in options.types or layers[name].types:
            for activations in options.activations:
                yield Case(layers[name], parse_types(types, layers[name]), activations)


def requests(options: argparse.Namespace) -> Iterator[Request]:
    for case in cases(options):
        for routing in options.routing:
            for tokens in options.tokens:
                yield Request(case, routing, tokens)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def compile_all(options: argparse.Namespace, folder: Path) -> None:
    target = options.device.split(":")[0]
    for case in cases(options):
        program = compile_case(case, folder, target, options.chips, options.bin)
        say(f"{program}: {program.stat().st_size / 2**20:.1f} MiB")


class Measuring:
    """Measures points and keeps them; the results file is complete after each."""

    def __init__(self, options: argparse.Namespace, programs: Path) -> None:
        self.options = options
        self.runner = Runner(options.bin / "sortie-run", programs, options.device,
                             extra=tuple(options.run_argument))
        is_cuda = options.device.startswith("cuda")
        torch = cuda_torch() if is_cuda and not options.no_torch else None
        self.torch = TorchBaselines(torch) if torch else None
        self.ceilings: Ceilings | None = options.ceilings
        if not self.ceilings and torch:
            self.ceilings = measure_ceilings(torch)
        self.points: list[Point] = read_points(options.json) if options.resume else []
        self.failures: list[str] = []
        self.left = 0

    def run(self) -> None:
        """Measures what has not been; a point that fails does not stop the others."""
        end = time.monotonic() + (self.options.seconds or float("inf"))
        done = {point.key for point in self.points}
        for key, measure in self._wanted():
            if key in done:
                continue
            if time.monotonic() >= end:
                self.left += 1
                continue
            try:
                self._keep(measure())
            except BenchmarkError as error:
                self.failures.append(str(error))
                say(f"FAILED {' '.join(map(str, key))}: {error}")
            self._write()
        self._write()

    def _wanted(self) -> Iterator[tuple[tuple[object, ...], Callable[[], Point]]]:
        """The key of each point, and how it is measured."""
        for request in requests(self.options):
            yield request.key("sortie-run"), partial(self._sortie, request)
            for name, command in self.options.external:
                yield request.key(name), partial(measure_external, name, command, request)

    def _sortie(self, request: Request) -> Point:
        point = self.runner.measure(request)
        if self.torch:
            layer = request.case.layer
            routing = make_routing(layer, request.tokens, request.routing, point.steps)
            try:
                point.baselines = self.torch.measure(layer, request.routing, request.tokens,
                                                     routing)
            except RuntimeError as error:  # of torch: out of memory, a shape it does not take
                say(f"torch: no baseline for {layer.name}, {request.tokens} tokens: {error}")
        return point

    def _keep(self, point: Point) -> None:
        self.points.append(point)
        self.ceilings = self.ceilings or known_ceilings(point.device)
        say(f"{' '.join(map(str, point.key))}: {point.us:.1f} us")

    def _write(self) -> None:
        if self.options.json:
            write_points(self.options.json, self.points, self.ceilings, self.failures, self.left)


def run_all(options: argparse.Namespace, programs: Path) -> int:
    """Measures, prints and draws; the exit status."""
    measuring = Measuring(options, programs)
    measuring.run()
    points = measuring.points
    if points:
        baselines = ([report.read_baselines(file) for file in options.baselines]
                     if options.baselines else report.baselines_for(points[0].device))
        report.print_report(points, baselines, measuring.ceilings, sys.stdout)
        if options.picture:
            for file in picture.draw(points, baselines, measuring.ceilings, options.picture):
                say(str(file))
    if measuring.left:
        print(f"\nTime is over: {measuring.left} points are left (--resume goes on)")
    if measuring.failures:
        print(f"\n{len(measuring.failures)} points failed; the first:\n{measuring.failures[0]}")
    return 1 if measuring.failures or not points else 0


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        if options.compile_only:
            compile_all(options, options.compile_only)
            return 0
        if options.run_only:
            return run_all(options, options.run_only)
        with tempfile.TemporaryDirectory() as folder:
            compile_all(options, Path(folder))
            return run_all(options, Path(folder))
    except (BenchmarkError, ValueError, OSError) as error:
        print(f"benchmark.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
