"""Compiles every preset in every type for both devices, a few layers that no preset has, and whole
models, and packs what a GPU machine needs.

Weights are random blocks that both devices make from the same seed, so no model file travels; only
those of the trained model and of whole models come from files, which the repository has.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TEST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST / part) for part in ("models", "e2e", "reference")]
sys.path.insert(0, str(TEST.parent / "scripts"))

import gguf_model  # noqa: E402
from ffn import routing_rule  # noqa: E402
from graphs import FUNCTION, FURTHER, write_layer  # noqa: E402
from make_gguf import activations, write_model  # noqa: E402
from mixed_run import PAGE  # noqa: E402
from package import (  # noqa: E402
    ARCHIVE,
    CONTRACT,
    CUBLAS,
    SEED,
    Model,
    WholeModel,
    pack,
    write_manifest,
    write_whole_models,
)
from presets import VALID_TYPES, parse_types  # noqa: E402
from proved import write_headers  # noqa: E402
from reference_programs import SUPPORTED, WIDTHS, path_of  # noqa: E402
from tools import Tools, small  # noqa: E402

#: The models of part 2, which differ in everything that could show (those of
#: test/e2e/test_contract.py); they are also compiled for other chips and with narrow activations.
STUDIED = (("qwen3-30b-a3b", "q4_k_m"), ("gpt-oss-20b", "mxfp4"), ("deepseek-v3", "q2_k"),
           ("olmoe-1b-7b", "bf16"))
#: Models of part 2 whose experts are multiplied as bfloat16.
BF16 = (("olmoe-1b-7b", "bf16"), ("gpt-oss-20b", "f16"), ("deepseek-v2-lite", "bf16"))
#: The one of them that has dense layers and shared experts, which cuBLAS can multiply.
WITH_CUBLAS = BF16[2]
#: Layers that no preset has, from graphs written by hand, with types and activations (`bf16`:
#: experts are multiplied as bfloat16): every family of kernels, and pairs of formats of floats.
WRITTEN = (("expert-scales", "q8_0", "int8"), ("expert-scales", "q4_1", "int16"),
           ("expert-scales", "q4_k_m", "int16"), ("expert-scales", "q2_k", "int8"),
           ("expert-scales", "mxfp4", "int16"), ("expert-scales", "bf16", "int16"),
           ("expert-scales", "f16", "bf16"), ("expert-scales", "bf16:f32:q8_0", "int16"),
           ("expert-scales", "f32:f16:bf16", "int16"), ("expert-scales", "f16:f32:bf16", "bf16"),
           ("best-groups", "q6_k", "int16"), ("shared-gate", "q4_k_m", "int16"),
           ("shared-gate", "q4_0", "int8"), ("shared-gate", "bf16", "int16"),
           ("shared-gate", "f16", "bf16"))
#: Whole models in other widths than int16, which also have other images: a window and sinks, norms
#: of heads, latents.
WHOLE_WIDTHS = (("gpt-oss", "both"), ("qwen3moe", "kv"), ("deepseek-v2", "both"))
#: Positions of a sequence of a whole model: more than one span of 512.
CONTEXT = 1024
OTHER_CHIPS = ("sm_80", "sm_90")
TOKENS = 512
TRAINED = TEST / "models" / "tiny-qwen3moe" / "tiny-qwen3moe-q4_0.gguf"
#: Kind of program -> options of --sortie-compile.
KINDS = {
    "cpu": {"target": "cpu"},
    "cpu-all": {"target": "cpu", "materialize": "all"},
    "cuda": {"target": "cuda", "chip": "sm_90a"},
    "cuda-all": {"target": "cuda", "chip": "sm_90a", "materialize": "all"},
}


def wanted_models() -> Iterator[tuple[str, str, str]]:
    """Preset, types and activations."""
    for preset, names in VALID_TYPES.items():
        for types in names:
            yield preset, types, "int16"
    for preset, types in STUDIED:
        yield preset, types, "int8"


def with_other_chips(kinds: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The kinds of program that a model of part 2 has."""
    return kinds | {f"cuda-{chip}": {"target": "cuda", "chip": chip} for chip in OTHER_CHIPS}


def whole_name(name: str, width: str) -> str:
    return f"whole-{name}-{width}"


def wanted_whole_models() -> list[tuple[str, str]]:
    """Name and width."""
    return [*((name, "int16") for name in SUPPORTED), *WHOLE_WIDTHS]


def functions_of(layers: int) -> tuple[str, ...]:
    return tuple(f"blk_{layer}_ffn" for layer in range(layers))


class Preparation:
    """Fills `folder`, which is what is packed; programs that it has from this compiler are kept."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        self.scratch = folder.parent / "scratch"
        self.tools = Tools(tools, self.scratch)
        self.forget_old_compiler()
        for path in (folder / "programs", folder / "inputs", folder / "bin", self.scratch):
            path.mkdir(parents=True, exist_ok=True)

    def forget_old_compiler(self) -> None:
        """Removes what another compiler made."""
        stamp = self.folder.parent / "compiler"
        digest = hashlib.blake2b()
        for tool in ("sortie-translate", "sortie-opt"):
            digest.update((self.tools.bin / tool).read_bytes())
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        for path in (self.folder, self.scratch):
            shutil.rmtree(path, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest.hexdigest())

    def runner(self) -> None:
        shutil.copy2(self.tools.bin / "sortie-run", self.folder / "bin" / "sortie-run")

    def input(self, hidden: int) -> None:
        path = self.folder / "inputs" / f"hidden-{hidden}.npy"
        if not path.exists():
            np.save(path, activations(seed=SEED, tokens=TOKENS, hidden=hidden, outliers=True))

    def graph(self, preset: str, types: str, contract: str) -> Path:
        """The imported model; its file is headers and a hole."""
        model = self.scratch / f"{preset}-{types}.gguf"
        if not model.exists():
            write_model(model, small(preset), parse_types(types), header_only=True)
        return self.imported(model, contract)

    def imported(self, model: Path, contract: str) -> Path:
        path = self.scratch / f"{model.stem}-{contract}.mlir"
        if not path.exists():
            self.tools.call("sortie-translate", "--import-gguf", "--what=ffn", model,
                            f"--contract={contract}", "-o", path)
        return path

    def model(self, preset: str, types: str, width: str) -> Model:
        shape = small(preset)
        name = f"{preset}-{types}-{width}"
        kinds = with_other_chips(KINDS) if (preset, types) in STUDIED else KINDS
        programs = self.programs(self.graph(preset, types, CONTRACT), name, kinds,
                                 {"activations": width})
        self.input(shape.hidden)
        return Model(name, shape.hidden, functions_of(shape.layers), programs)

    def bf16_model(self, preset: str, types: str) -> Model:
        shape = small(preset)
        name, contract = f"{preset}-{types}-bf16", "run,batch"
        arithmetic = {"unquantized": "bf16"}
        programs = self.programs(self.graph(preset, types, contract), name,
                                 with_other_chips(KINDS), arithmetic)
        if (preset, types) == WITH_CUBLAS:
            programs |= self.programs(self.graph(preset, types, "run"), name,
                                      {CUBLAS: KINDS["cuda"] | {"cublas": "true"}}, arithmetic)
        self.input(shape.hidden)
        return Model(name, shape.hidden, functions_of(shape.layers), programs, contract=contract)

    def written_model(self, preset: str, types: str, width: str) -> Model:
        shape, name = FURTHER[preset], f"{preset}-{types}-{width}"
        is_bf16 = width == "bf16"
        contract = "run,batch" if is_bf16 else CONTRACT
        file = self.scratch / f"{name}.gguf"
        write_model(file, shape, parse_types(types), header_only=True)
        tensors, graph = gguf_model.Model(file), file.with_suffix(".mlir")
        graph.write_text(write_layer(tensors, routing_rule(tensors), shape.rms_epsilon, contract))
        programs = self.programs(graph, name, KINDS,
                                 {"unquantized": "bf16"} if is_bf16 else {"activations": width})
        self.input(shape.hidden)
        return Model(name, shape.hidden, (FUNCTION,), programs, contract=contract)

    def whole_model(self, name: str, width: str) -> WholeModel:
        file, graph = path_of(name), self.scratch / f"whole-{name}.mlir"
        if not graph.exists():
            self.tools.call("sortie-translate", "--import-gguf", file, f"--context={CONTEXT}", "-o",
                            graph)
        studied = (name, width) in WHOLE_WIDTHS
        programs = self.programs(graph, whole_name(name, width),
                                 with_other_chips(KINDS) if studied else KINDS, WIDTHS[width])
        vocabulary, _ = gguf_model.Model(file).shape("token_embd.weight")
        return WholeModel(whole_name(name, width), str(file.relative_to(TEST.parent)),
                          CONTEXT // PAGE, vocabulary, programs)

    def trained_model(self) -> Model:
        hidden, layers = 256, 4
        programs = self.programs(self.imported(TRAINED, CONTRACT), TRAINED.stem, KINDS,
                                 {"activations": "int16"})
        self.input(hidden)
        return Model(TRAINED.stem, hidden, functions_of(layers), programs,
                     str(TRAINED.relative_to(TEST.parent)))

    def programs(self, graph: Path, name: str, kinds: dict[str, dict[str, str]],
                 arithmetic: dict[str, str]) -> dict[str, str]:
        """Compiles one program of each kind; kind -> file in `programs/`."""
        files = {}
        for kind, options in kinds.items():
            files[kind] = f"{name}.{kind}.mlirbc"
            self.compile(graph, options | arithmetic, files[kind])
        return files

    def compile(self, graph: Path, options: dict[str, str], name: str) -> None:
        program = self.folder / "programs" / name
        if program.exists():
            return
        text = " ".join(f"{key}={value}" for key, value in options.items())
        scratch = self.scratch / "program.mlirbc"
        self.tools.call("sortie-opt", graph, f"--sortie-compile={text}", "--emit-bytecode", "-o",
                        scratch)
        scratch.rename(program)

    def benchmark(self, arguments: list[str]) -> None:
        """The programs of scripts/benchmark.py, which keeps those that are there."""
        script = TEST.parent / "scripts" / "benchmark.py"
        subprocess.run([sys.executable, str(script), "--device=cuda", "--bin", str(self.tools.bin),
                        "--compile-only", str(self.folder / "benchmark"), *arguments], check=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test/gpu/prepare.sh",
                                     description=__doc__.split("\n\n")[0])
    parser.add_argument("output", type=Path, help=f"folder; gets {ARCHIVE}")
    parser.add_argument("--bin", type=Path, default=TEST.parent / "build" / "release" / "bin")
    parser.add_argument("--models", default="", metavar="REGEX",
                        help="only models whose name (preset-types-activations) it matches")
    parser.add_argument("--no-benchmark", action="store_true", help="no programs for part 4")
    parser.add_argument("benchmark", nargs="*", metavar="-- ARGUMENT",
                        help="programs for part 4: further arguments of scripts/benchmark.py")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    preparation = Preparation(options.output / "work", options.bin.absolute())
    preparation.runner()
    models = []
    for preset, types, width in wanted_models():
        if re.search(options.models, f"{preset}-{types}-{width}"):
            models.append(preparation.model(preset, types, width))
            print(models[-1].name, flush=True)
    for preset, types in BF16:
        if re.search(options.models, f"{preset}-{types}-bf16"):
            models.append(preparation.bf16_model(preset, types))
            print(models[-1].name, flush=True)
    for preset, types, width in WRITTEN:
        if re.search(options.models, f"{preset}-{types}-{width}"):
            models.append(preparation.written_model(preset, types, width))
            print(models[-1].name, flush=True)
    if re.search(options.models, TRAINED.stem):
        models.append(preparation.trained_model())
    whole = []
    for name, width in wanted_whole_models():
        if re.search(options.models, whole_name(name, width)):
            whole.append(preparation.whole_model(name, width))
            print(whole[-1].name, flush=True)
    write_manifest(preparation.folder, models)
    write_whole_models(preparation.folder, whole)
    write_headers(TEST.parent, preparation.folder, options.models)
    if not options.no_benchmark:
        preparation.benchmark(options.benchmark)
    archive = options.output / ARCHIVE
    pack(preparation.folder, archive)
    print(f"{archive}: {len(models)} models, {len(whole)} whole ones, "
          f"{os.path.getsize(archive) / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
