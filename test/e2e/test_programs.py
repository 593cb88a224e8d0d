"""Whatever the compiler accepts, the runtime loads: random small graphs, with fixed seeds, go
through `sortie-opt --sortie-compile` and `sortie-run --describe`. Each graph that compiles runs as
well, in both modes of `materialize`, with the same bits; one that does not must have been refused
with a location."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tools import ToolError, Tools

#: Element types of matrices, each with the columns that its blocks allow.
FORMATS = ("f32", "f16", "bf16", "!moe.block<q4_0>", "!moe.block<q8_0>", "!moe.block<q4_K>")
WIDTH = 256
EXPERTS = 8


class Graph:
    """A function of random ops of the semantic and the dispatch level on rows of WIDTH columns.
    Values are chosen without regard to what fits together, so some graphs are wrong."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.rows = ["%x"]  # tokens x WIDTH
        self.slots: list[tuple[str, int]] = []  # tokens x k x WIDTH
        self.ids: list[tuple[str, str, int]] = []  # ids, weights, k
        self.tensors: dict[str, str] = {}
        self.count = 0

    def value(self) -> str:
        """A new name of a value."""
        self.count += 1
        return f"%v{self.count}"

    def weight(self, shape: str) -> tuple[str, str]:
        """A weight with its type. Some tensors are called as functions or symbols are, or are read
        twice; each has one type."""
        name = self.value()
        kind = f"tensor<{shape}x{self.random.choice(FORMATS)}>"
        tensor = self.random.choice(["layer", "tokens", "w 1", "weights.é", name])
        if self.tensors.setdefault(tensor, kind) != kind:
            tensor = name
        self.lines.append(f'{name} = moe.weight "{tensor}" : {kind}')
        return name, kind

    def add_matmul(self) -> None:
        """A dense product."""
        weight, kind = self.weight(f"{WIDTH}x{WIDTH}")
        result = self.value()
        self.lines.append(f"{result} = moe.matmul {self.random.choice(self.rows)}, {weight} : "
                          f"(tensor<?x{WIDTH}xf32>, {kind}) -> tensor<?x{WIDTH}xf32>")
        self.rows.append(result)

    def add_route(self) -> None:
        """A router, with its product."""
        scores, ids, weights = self.value(), self.value(), self.value()
        k = self.random.randint(1, 4)
        router = self.value()
        self.lines += [
            f'{router} = moe.weight "router{router[1:]}" : tensor<{EXPERTS}x{WIDTH}xf32>',
            f"{scores} = moe.matmul {self.random.choice(self.rows)}, {router} : "
            f"(tensor<?x{WIDTH}xf32>, tensor<{EXPERTS}x{WIDTH}xf32>) -> tensor<?x{EXPERTS}xf32>",
            f"{ids}, {weights} = moe.route {scores} top({k}) scoring(softmax) tie(lower_id) : "
            f"(tensor<?x{EXPERTS}xf32>) -> (tensor<?x{k}xi32>, tensor<?x{k}xf32>)"]
        self.ids.append((ids, weights, k))

    def add_routed(self) -> None:
        """A routed product, of tokens or of slots."""
        if not self.ids:
            self.add_route()
        ids, _, k = self.random.choice(self.ids)
        slots = [name for name, count in self.slots if count == k]
        source, kind = self.random.choice(self.rows), f"tensor<?x{WIDTH}xf32>"
        if slots and self.random.random() < 0.5:
            source, kind = self.random.choice(slots), f"tensor<?x{k}x{WIDTH}xf32>"
        weight, matrix = self.weight(f"{EXPERTS}x{WIDTH}x{WIDTH}")
        result = self.value()
        self.lines.append(f"{result} = moe.routed_matmul {source}, {weight}, {ids} : "
                          f"({kind}, {matrix}, tensor<?x{k}xi32>) -> tensor<?x{k}x{WIDTH}xf32>")
        self.slots.append((result, k))

    def add_combine(self) -> None:
        """The sum of slots, weighted or not."""
        if not self.slots:
            self.add_routed()
        slots, k = self.random.choice(self.slots)
        weights = [name for _, name, count in self.ids if count == k]
        result, kind = self.value(), f"tensor<?x{k}x{WIDTH}xf32>"
        if self.random.random() < 0.7:
            weight = self.random.choice(weights)
            self.lines.append(f"{result} = moe.combine {slots} weights({weight}) : "
                              f"({kind}, tensor<?x{k}xf32>) -> tensor<?x{WIDTH}xf32>")
        else:
            self.lines.append(f"{result} = moe.combine {slots} : ({kind}) -> tensor<?x{WIDTH}xf32>")
        self.rows.append(result)

    def add_pair(self) -> None:
        """An elementwise op of two values, often one and the same."""
        result = self.value()
        glu = self.random.random() < 0.5
        if self.slots and self.random.random() < 0.5:
            first, k = self.random.choice(self.slots)
            second = self.random.choice([name for name, count in self.slots if count == k])
            kind = f"tensor<?x{k}x{WIDTH}xf32>"
            self.slots.append((result, k))
        else:
            first, second = self.random.choice(self.rows), self.random.choice(self.rows)
            kind = f"tensor<?x{WIDTH}xf32>"
            self.rows.append(result)
        self.lines.append(f"{result} = moe.glu {first}, {second} kind(swiglu) : {kind}" if glu
                          else f"{result} = moe.add {first}, {second} : {kind}")

    def add_norm(self) -> None:
        """A norm of rows."""
        weight, result = self.value(), self.value()
        self.lines += [f'{weight} = moe.weight "norm{weight[1:]}" : tensor<{WIDTH}xf32>',
                       f"{result} = moe.rms_norm {self.random.choice(self.rows)}, {weight} "
                       f"eps(1.0e-06) : tensor<?x{WIDTH}xf32>, tensor<{WIDTH}xf32>"]
        self.rows.append(result)

    def add_dispatch(self) -> None:
        """Ops of the dispatch level, sometimes with indices or slots of others."""
        if not self.ids:
            self.add_route()
        ids, _, k = self.random.choice(self.ids)
        permutation, inverse, offsets = self.value(), self.value(), self.value()
        rows, result = self.value(), self.value()
        slots = self.random.choice([k, k, k, 1])
        # k = 1 makes ids and inverses alike in shape.
        order = self.random.choice([inverse, inverse, inverse, ids])
        weight, kind = self.weight(f"{EXPERTS}x{WIDTH}x{WIDTH}")
        self.lines += [
            f"{permutation}, {inverse}, {offsets} = moe.dispatch {ids} experts({EXPERTS}) : "
            f"(tensor<?x{k}xi32>) -> (tensor<?xi32>, tensor<?x{k}xi32>, tensor<{EXPERTS + 1}xi32>)",
            f"{rows} = moe.grouped_matmul {self.random.choice(self.rows)}, {weight} "
            f"offsets({offsets}) permutation({permutation}) slots({slots}) : "
            f"(tensor<?x{WIDTH}xf32>, {kind}, tensor<{EXPERTS + 1}xi32>, "
            f"tensor<?xi32>) -> tensor<?x{WIDTH}xf32>",
            f"{result} = moe.combine {rows} inverse({order}) : "
            f"(tensor<?x{WIDTH}xf32>, tensor<?x{k}xi32>) -> tensor<?x{WIDTH}xf32>"]
        self.rows.append(result)

    def text(self) -> str:
        """The module. What is returned may be the input, or one value several times."""
        steps = [self.add_matmul, self.add_route, self.add_routed, self.add_combine, self.add_pair,
                 self.add_pair, self.add_norm, self.add_dispatch]
        for _ in range(self.random.randint(0, 9)):
            self.random.choice(steps)()
        results = [self.random.choice(self.rows[-3:]) for _ in range(self.random.randint(1, 3))]
        types = ", ".join([f"tensor<?x{WIDTH}xf32>"] * len(results))
        body = "\n  ".join(self.lines)
        return (f"func.func @layer(%x: tensor<?x{WIDTH}xf32>) -> ({types}) {{\n  {body}\n"
                f"  return {', '.join(results)} : {types}\n}}\n")


def run(tools: Tools, program: Path) -> str:
    """The checksums of a run with random weights."""
    return tools.call("sortie-run", program, "--weights", "random:seed=1", "--input",
                      "arg0=random:seed=2,tokens=5", "--checksums")


@pytest.mark.parametrize("block", range(8))
def test_what_compiles_loads(tools: Tools, tmp_path: Path, block: int) -> None:
    tools, accepted = replace(tools, folder=tmp_path), 0
    for seed in range(12 * block, 12 * block + 12):
        source = tools.folder / f"{seed}.mlir"
        source.write_text(Graph(seed).text(), encoding="utf-8")
        programs = {}
        for materialize in ("none", "all"):
            program = programs[materialize] = tools.folder / f"{seed}.{materialize}.mlirbc"
            try:
                tools.call("sortie-opt", source, f"--sortie-compile=materialize={materialize}",
                           "--emit-bytecode", "-o", program)
            except ToolError as error:
                assert re.search(rf"{seed}\.mlir:\d+:\d+: error: ", str(error)), error
                assert not program.exists()
        assert programs["none"].exists() == programs["all"].exists(), source.read_text()
        if not programs["none"].exists():
            continue
        accepted += 1
        outputs = [[line for line in run(tools, program).splitlines() if line.startswith("layer:")]
                   for program in programs.values()]
        assert outputs[0] and outputs[0] == outputs[1], source.read_text()
    assert accepted >= 4
