"""Drives sortie-translate, sortie-opt and sortie-run as a user would."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from presets import PRESETS, Preset, scaled

SUBMIT_RUNS = Path(__file__).parent / "submit_runs.py"
#: All values of --cpu-isa; a machine has some of them.
ISAS = ("portable", "avx2", "avx-vnni", "avx512-vnni", "amx-int8")

#: How far each preset is divided. Widths are multiples of 256, or of 32 and of nothing more (352,
#: 416), as they are in the real files.
DIVISORS = {"qwen3-30b-a3b": 8, "qwen1.5-moe-a2.7b": 4, "olmoe-1b-7b": 8, "mixtral-8x7b": 16,
            "deepseek-v2-lite": 4, "deepseek-v2": 20, "deepseek-v3": 16, "gpt-oss-20b": 7,
            "glm-4.5-air": 16}


def small(preset: str) -> Preset:
    """The preset, small: one layer, and one dense layer where models have some."""
    layers = 2 if PRESETS[preset].dense_layers else 1
    return scaled(PRESETS[preset], layers=layers, divisor=DIVISORS[preset])


#: For models that know bytes and a few merges.
PROMPTS = ("the end of an other thing", "in the winter they sang", "er",
           "<|begin|>and then 1, 2, 3")


def ids_of(text: dict) -> list[int]:
    """The tokens that `Tools.generate` gives of a text."""
    return [token["id"] for token in text["tokens"]]


class ToolError(RuntimeError):
    """A tool gave an exit code other than 0; the text is its standard error."""


def expose_routing(mlir: str, function: str) -> str:
    """The module with `function` returning the expert ids, too, as a second output `ids`."""
    start = mlir.index(f"func.func @{function}(")
    end = mlir.index("\n  }", start)
    body = mlir[start:end]
    route = re.search(r"moe\.route .*-> \((tensor<\?x\d+xi32>), ", body)
    assert route, f"{function} has no router"
    ids = route[1]
    body = body.replace('{moe.name = "ffn_out"})', '{moe.name = "ffn_out"}, '
                        f'{ids} {{moe.name = "ids"}})', 1)
    body = re.sub(r"return (%\w+) : (.*)", rf"return \1, %ids : \2, {ids}", body)
    return mlir[:start] + body + mlir[end:]


def name_of(model: Path) -> str:
    """A name that no other file has: models of several tests are called alike, and a test may write
    another one to the same place."""
    file = model.resolve()
    status = file.stat()
    identity = f"{file} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return f"{model.stem}-{hashlib.blake2b(identity.encode(), digest_size=6).hexdigest()}"


def expose_routings(mlir: str) -> str:
    """The module with `forward` returning the expert ids of each of its routers, too, as further
    outputs `ids_0`, `ids_1` and so on."""
    start = mlir.index("func.func @forward(")
    end = mlir.index("\n  }", start)
    body = mlir[start:end]
    # A shared expert with a gate is routed as well, always to itself.
    routes = re.findall(r"(%\w+), %\w+ = moe\.route .*\[\"blk\.\d+\.ids\", .*"
                        r"-> \((tensor<\?x\d+xi32>), ", body)
    names = "".join(f", {kind} {{moe.name = \"ids_{i}\"}}" for i, (_, kind) in enumerate(routes))
    body = body.replace('{moe.name = "logits"})', f'{{moe.name = "logits"}}{names})', 1)
    values, kinds = (", ".join(parts) for parts in zip(*routes))
    body = re.sub(r"return (%\w+) : (.*)", rf"return \1, {values} : \2, {kinds}", body)
    return mlir[:start] + body + mlir[end:]


@dataclass(frozen=True)
class Tools:
    """The tools in folder `bin`; files they make go to `folder`. They run in `environment`, by
    default this process's."""

    bin: Path
    folder: Path
    environment: dict[str, str] | None = None

    @property
    def library(self) -> Path:
        return self.bin.parent / "lib" / "libsortie.so"

    def call(self, tool: str, *arguments: object) -> str:
        """Standard output of a tool; ToolError when it fails."""
        command = [str(self.bin / tool), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env=self.environment)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def compile(self, model: Path, with_ids: str = "", contract: str = "run,batch,device",
                **options: str) -> Path:
        """Imports and compiles a model. `with_ids` names a function to return its expert ids;
        `options` are those of --sortie-compile, with `_` for `-`."""
        text = " ".join(f"{key.replace('_', '-')}={value}" for key, value in options.items())
        name = "-".join([name_of(model), with_ids, contract, *options.values()])
        mlir, program = self.folder / f"{name}.mlir", self.folder / f"{name}.mlirbc"
        if program.exists():
            return program
        self.call("sortie-translate", "--import-gguf", "--what=ffn", model,
                  f"--contract={contract}", "-o", mlir)
        if with_ids:
            mlir.write_text(expose_routing(mlir.read_text(), with_ids))
        self.call("sortie-opt", mlir, f"--sortie-compile={text}", "--emit-bytecode", "-o", program)
        return program

    def compile_whole(self, model: Path, context: int | None = None, with_ids: bool = False,
                      **options: str) -> Path:
        """Imports and compiles all of a model, for sequences of `context` positions. `with_ids` has
        it return expert ids."""
        text = " ".join(f"{key}={value}" for key, value in options.items())
        stem = "-".join([name_of(model), str(context), *(["ids"] if with_ids else []),
                         *options.values()])
        mlir, program = self.folder / f"{stem}.mlir", self.folder / f"{stem}.mlirbc"
        if not program.exists():
            longer = [] if context is None else [f"--context={context}"]
            self.call("sortie-translate", "--import-gguf", model, *longer, "-o", mlir)
            if with_ids:
                mlir.write_text(expose_routings(mlir.read_text()))
            self.call("sortie-opt", mlir, f"--sortie-compile={text}", "--emit-bytecode", "-o",
                      program)
        return program

    def run(self, program: Path, weights: Path, function: str, hidden: np.ndarray,
            *arguments: object, ids: bool = False) -> tuple[np.ndarray, ...]:
        """The outputs of a function: the result, and with `ids` the expert ids."""
        x, y, chosen = (self.folder / name for name in ("x.npy", "y.npy", "ids.npy"))
        np.save(x, hidden)
        outputs = [f"--output=ffn_out={y}"] + ([f"--output=ids={chosen}"] if ids else [])
        self.call("sortie-run", program, f"--weights={weights}", f"--function={function}",
                  f"--input=hidden={x}", *outputs, *arguments)
        return (np.load(y), np.load(chosen)) if ids else (np.load(y),)

    def submit(self, program: Path, weights: Path, function: str, inputs: list[np.ndarray],
               *arguments: object) -> tuple[list[np.ndarray], int]:
        """The results for several inputs, all submitted to one session of the C API before the
        first is waited for, and how many were complete by then. `arguments`: submit_runs.py's."""
        paths = [self.folder / f"submitted-{i}.npy" for i in range(len(inputs))]
        for path, hidden in zip(paths, inputs):
            np.save(path, hidden)
        outputs = self.folder / "submitted.npz"
        command = [sys.executable, SUBMIT_RUNS, self.library, program, weights, function, *paths,
                   "-o", outputs, *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                              env=self.environment)
        if done.returncode != 0:
            raise ToolError(f"{' '.join(map(str, command))}\n{done.stderr}")
        with np.load(outputs) as results:
            return [results[str(i)] for i in range(len(inputs))], int(done.stdout.split()[0])

    def generate(self, program: Path, weights: Path, prompts: Sequence[str],
                 *arguments: object) -> list[dict]:
        """What sortie-run generate says of the texts after these prompts, in their order."""
        lines = self.folder / "prompts.txt"
        lines.write_text("\n".join(prompts))
        return json.loads(self.call("sortie-run", "generate", program, "--weights", weights,
                                    "--prompts", lines, "-o=json", *arguments))

    def checksums(self, program: Path, weights: Path, function: str, hidden: np.ndarray,
                  *arguments: object) -> str:
        """What --checksums prints: a line for each named value."""
        x = self.folder / "x.npy"
        np.save(x, hidden)
        return self.call("sortie-run", program, f"--weights={weights}", f"--function={function}",
                         f"--input=hidden={x}", "--checksums", *arguments)

    def isas(self, program: Path, weights: Path, function: str, hidden: np.ndarray) -> list[str]:
        """The instruction sets that this machine has; `portable` is one on every machine."""
        available = []
        for isa in ISAS:
            try:
                self.checksums(program, weights, function, hidden, f"--cpu-isa={isa}")
                available.append(isa)
            except ToolError as error:
                assert isa != "portable" and "exit code 1\n" in str(error), error
        return available


def with_variables(tools: Tools, **variables: object) -> Tools:
    """The tools with more variables of the emulation (State.h lists them)."""
    named = {f"SORTIE_EMULATED_{name.upper()}": str(value) for name, value in variables.items()}
    return replace(tools, environment={**tools.environment, **named})
