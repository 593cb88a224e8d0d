"""The layers that are measured: shapes (data), types, bytes and operations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "test" / "benchmarks"

#: type -> elements and bytes of a block, as GGUF stores them.
BLOCKS = {
    "f32": (1, 4), "f16": (1, 2), "bf16": (1, 2),
    "q8_0": (32, 34), "q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24),
    "iq4_nl": (32, 18), "mxfp4": (32, 17),
    "q2_K": (256, 84), "q3_K": (256, 110), "q4_K": (256, 144), "q5_K": (256, 176),
    "q6_K": (256, 210), "iq4_xs": (256, 136),
}
#: What real files hold where a row is no multiple of 256.
FALLBACK = {"q2_K": "q4_0", "q3_K": "q4_0", "q4_K": "q5_0", "q5_K": "q5_1", "q6_K": "q8_0",
            "iq4_xs": "iq4_nl"}
#: Mixes: gate and up, down.
MIXES = {"q3_K_m": ("q3_K", "q4_K"), "q4_K_m": ("q4_K", "q6_K"), "q5_K_m": ("q5_K", "q6_K")}


@dataclass(frozen=True)
class Layer:
    """The routed experts of one layer. Widths are elements."""

    name: str
    hidden: int
    width: int
    experts: int
    used: int
    types: tuple[str, ...]
    source: str
    activation: str = "kind(swiglu)"
    biases: bool = False

    def operations(self, tokens: int) -> int:
        """Two for each multiplication and addition of gate, up and down."""
        return 2 * 3 * tokens * self.used * self.hidden * self.width

    def expected_experts(self, tokens: int) -> float:
        """How many different experts `tokens` tokens use, expected, when routing is uniform."""
        return self.experts * (1 - (1 - self.used / self.experts) ** tokens)


@dataclass(frozen=True)
class Types:
    """The types of a layer's matrices: `name` as asked for, with fallbacks already taken."""

    name: str
    gate: str
    down: str

    def expert_bytes(self, layer: Layer) -> int:
        """Bytes of one expert's gate, up and down, as the model's file has them."""
        elements = layer.hidden * layer.width
        return 2 * matrix_bytes(self.gate, elements) + matrix_bytes(self.down, elements)


def matrix_bytes(type_name: str, elements: int) -> int:
    size, block_bytes = BLOCKS[type_name]
    return elements // size * block_bytes


def load_layers() -> dict[str, Layer]:
    """The layers of test/benchmarks/layers.json."""
    data = json.loads((DATA / "layers.json").read_text())
    return {name: Layer(name=name, **fields | {"types": tuple(fields["types"])})
            for name, fields in data.items()}


def parse_types(text: str, layer: Layer) -> Types:
    """`q4_K`, a mix such as `q4_K_m`, or gate and up, then down: `q4_K:q6_K`; any case.

    Raises ValueError for a type that is unknown or that the layer's rows cannot have.
    """
    by_case = {name.lower(): name for name in [*BLOCKS, *MIXES]}
    names = [by_case.get(part.lower(), "") for part in text.split(":")]
    if not all(names) or len(names) > 2 or (len(names) == 2 and set(names) & set(MIXES)):
        raise ValueError(f"unknown type '{text}'; known are {', '.join(by_case.values())}, and "
                         "pairs such as q4_K:q6_K")
    gate, down = MIXES.get(names[0], (names[0], names[-1]))

    def fitting(wanted: str, row: int) -> str:
        taken = FALLBACK.get(wanted, wanted) if row % BLOCKS[wanted][0] else wanted
        if row % BLOCKS[taken][0]:
            raise ValueError(f"{layer.name}: rows of {row} elements cannot be {wanted}")
        return taken

    return Types(":".join(names), fitting(gate, layer.hidden), fitting(down, layer.width))
