"""The same weights in two layouts, for the programs of whole-tensors.mlir and part-tensors.mlir.

tensors.py FOLDER  writes whole.gguf (a tensor a weight), parts.gguf (gate and up merged, one tensor
an
                   expert, shapes with and without ones) and damaged variants of parts.gguf
"""

import sys
from pathlib import Path

import gguf
import numpy as np

EXPERTS, WIDTH, HIDDEN, SHARED = 4, 64, 256, 48
TYPES = gguf.GGMLQuantizationType
Tensors = dict[str, tuple[np.ndarray, TYPES]]


def tensors() -> Tensors:
    """The weights, each a tensor of its own."""
    random = np.random.default_rng(1)

    def normal(kind: TYPES, *shape: int) -> tuple[np.ndarray, TYPES]:
        values = random.standard_normal(shape) / np.sqrt(shape[-1])
        return values.astype(np.float32), kind

    return {
        "norm": normal(TYPES.F32, HIDDEN),
        "router": normal(TYPES.F32, EXPERTS, HIDDEN),
        "gate": normal(TYPES.Q4_0, EXPERTS, WIDTH, HIDDEN),
        "up": normal(TYPES.Q4_0, EXPERTS, WIDTH, HIDDEN),
        "gate.bias": normal(TYPES.F32, EXPERTS, WIDTH),
        "up.bias": normal(TYPES.F32, EXPERTS, WIDTH),
        "down": normal(TYPES.Q8_0, EXPERTS, HIDDEN, WIDTH),
        "down.bias": normal(TYPES.F32, EXPERTS, HIDDEN),
        "shared_gate": normal(TYPES.F16, SHARED, HIDDEN),
        "shared_up": normal(TYPES.F16, SHARED, HIDDEN),
        "shared_down": normal(TYPES.BF16, HIDDEN, SHARED),
    }


def parts(whole: Tensors) -> Tensors:
    """The same in the layout of part-tensors.mlir."""
    def merged(gate: str, up: str, axis: int) -> tuple[np.ndarray, TYPES]:
        return np.concatenate([whole[gate][0], whole[up][0]], axis), whole[gate][1]

    made = {
        "norm": (whole["norm"][0].reshape(1, HIDDEN), TYPES.F32),
        "router": whole["router"],
        "gate_up": merged("gate", "up", 1),
        "gate_up.bias": merged("gate.bias", "up.bias", 1),
        "shared_gate_up": merged("shared_gate", "shared_up", 0),
        "shared_down": whole["shared_down"],
    }
    for expert in range(EXPERTS):
        made[f"down.{expert}"] = (whole["down"][0][expert], TYPES.Q8_0)
        made[f"down.{expert}.bias"] = (whole["down.bias"][0][expert], TYPES.F32)
    return made


def write(path: Path, made: Tensors) -> None:
    writer = gguf.GGUFWriter(path, "made-up")
    for name, (values, kind) in made.items():
        writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    made = parts(tensors())
    write(folder / "whole.gguf", tensors())
    write(folder / "parts.gguf", made)
    write(folder / "missing.gguf", {k: v for k, v in made.items() if k != "down.2"})
    write(folder / "format.gguf", made | {"down.3": (made["down.3"][0], TYPES.Q4_0)})
    write(folder / "rows.gguf", made | {"gate_up": (made["gate_up"][0][:, 1:], TYPES.Q4_0)})
