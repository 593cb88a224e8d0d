"""The measured graph in the textual moe dialect: the routed experts of one layer, several times.

A program has two functions on the same weights. `once` is one layer. `rotated` is `steps` layers
after each other, each with inputs of its own, so that a step finds nothing of the weights that it
reads in a cache, if the routing sees to it (routing.py).
"""

from __future__ import annotations

import math

from .layers import Layer, Types

#: What a run must read before it reads the same again: several times any L2.
ROTATED_BYTES = 256 << 20
MOST_STEPS = 16


def steps_of(layer: Layer, types: Types) -> int:
    """Steps of `rotated`: as many as make one token read ROTATED_BYTES, or all experts."""
    wanted = math.ceil(ROTATED_BYTES / (layer.used * types.expert_bytes(layer)))
    return max(1, min(wanted, layer.experts // layer.used, MOST_STEPS))


def needs_rotation(layer: Layer, types: Types, experts: float) -> bool:
    """Whether one layer that uses `experts` different experts would run from a cache."""
    return experts * types.expert_bytes(layer) < ROTATED_BYTES


def _weight_type(layer: Layer, rows: int, columns: int, type_name: str) -> str:
    element = type_name if type_name in ("f32", "f16", "bf16") else f"!moe.block<{type_name}>"
    return f"tensor<{layer.experts}x{rows}x{columns}x{element}>"


class _Writer:
    """Writes the functions of one layer."""

    def __init__(self, layer: Layer, types: Types) -> None:
        self.layer = layer
        self.rows = {"gate": layer.width, "up": layer.width, "down": layer.hidden}
        self.columns = {"gate": layer.hidden, "up": layer.hidden, "down": layer.width}
        self.weight_types = {
            part: _weight_type(layer, self.rows[part], self.columns[part],
                               types.down if part == "down" else types.gate)
            for part in self.rows
        }
        self.x = f"tensor<?x{layer.hidden}xf32>"
        self.ids = f"tensor<?x{layer.used}xi32>"
        self.scores = f"tensor<?x{layer.used}xf32>"

    def weights(self) -> list[str]:
        lines = []
        for part, kind in self.weight_types.items():
            lines.append(f'%{part} = moe.weight "{part}" : {kind}')
            if self.layer.biases:
                bias = f"tensor<{self.layer.experts}x{self.rows[part]}xf32>"
                lines.append(f'%{part}_bias = moe.weight "{part}_bias" : {bias}')
        return lines

    def product(self, part: str, step: int, operand: str, operand_type: str) -> str:
        bias, bias_type = "", ""
        if self.layer.biases:
            bias = f" bias(%{part}_bias)"
            bias_type = f", tensor<{self.layer.experts}x{self.rows[part]}xf32>"
        return (f"%{part}{step} = moe.routed_matmul {operand}, %{part}, %ids{step}{bias} : "
                f"({operand_type}, {self.weight_types[part]}, {self.ids}{bias_type}) "
                f"-> {self.slots(self.rows[part])}")

    def slots(self, columns: int) -> str:
        return f"tensor<?x{self.layer.used}x{columns}xf32>"

    def step(self, step: int) -> list[str]:
        wide, narrow = self.slots(self.layer.width), self.slots(self.layer.hidden)
        return [
            self.product("gate", step, f"%x{step}", self.x),
            self.product("up", step, f"%x{step}", self.x),
            f"%act{step} = moe.glu %gate{step}, %up{step} {self.layer.activation} : {wide}",
            self.product("down", step, f"%act{step}", wide),
            f"%y{step} = moe.combine %down{step} weights(%weights{step}) : "
            f"({narrow}, {self.scores}) -> {self.x}",
        ]

    def function(self, name: str, steps: int) -> str:
        inputs = ", ".join(
            f'%{value}{step}: {kind} {{moe.name = "{value}{step}"}}' for step in range(steps)
            for value, kind in (("x", self.x), ("ids", self.ids), ("weights", self.scores)))
        outputs = ", ".join(f'{self.x} {{moe.name = "y{step}"}}' for step in range(steps))
        body = self.weights() + [line for step in range(steps) for line in self.step(step)]
        results = ", ".join(f"%y{step}" for step in range(steps))
        body.append(f"return {results} : {', '.join([self.x] * steps)}")
        lines = "\n".join(f"    {line}" for line in body)
        return f"  func.func @{name}({inputs})\n      -> ({outputs}) {{\n{lines}\n  }}\n"


def module_text(layer: Layer, types: Types) -> str:
    """The module with `once` and `rotated`."""
    writer = _Writer(layer, types)
    return ("module attributes {moe.contract = #moe.contract<run, batch, device>} {\n"
            + writer.function("once", 1) + writer.function("rotated", steps_of(layer, types))
            + "}\n")
