"""The model and the float64 reference of layer.mlir, and damaged files for the tests.

layer.py write FOLDER    writes model.gguf, x.npy (5 tokens) and variants of both
layer.py check FOLDER Y  compares Y (.npy) with the reference for x.npy
"""

import sys
from pathlib import Path

import gguf
import numpy as np

HIDDEN, WIDTH, EXPERTS, USED, TOKENS = 256, 64, 4, 2, 5
NORM, ROUTER = "blk.0.ffn_norm.weight", "blk.0.ffn_gate_inp.weight"
GATE, UP, DOWN = (f"blk.0.ffn_{part}_exps.weight" for part in ("gate", "up", "down"))
Q4_0, Q8_0 = gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0


def tensors() -> dict[str, tuple[np.ndarray, gguf.GGMLQuantizationType]]:
    """All tensors of the model: float32 values and the type they are stored in."""
    random = np.random.default_rng(1)

    def normal(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    f32 = gguf.GGMLQuantizationType.F32
    return {
        NORM: ((1 + 0.1 * random.standard_normal(HIDDEN)).astype(np.float32), f32),
        ROUTER: (4 * normal(EXPERTS, HIDDEN), f32),
        GATE: (normal(EXPERTS, WIDTH, HIDDEN), Q4_0),
        UP: (normal(EXPERTS, WIDTH, HIDDEN), Q4_0),
        DOWN: (normal(EXPERTS, HIDDEN, WIDTH), Q8_0),
    }


def encoded() -> dict[str, tuple[np.ndarray, gguf.GGMLQuantizationType]]:
    return {name: (gguf.quantize(values, kind), kind) for name, (values, kind) in tensors().items()}


def write_model(path: Path, *, without: str = "", names: dict[str, str] | None = None,
                part: tuple[int, int] | None = None) -> None:
    """Writes the model; `names` renames tensors, `part` (number, count) one of a split."""
    writer = gguf.GGUFWriter(path, "qwen3moe")
    chosen = [item for item in encoded().items() if item[0] != without]
    if part:
        number, count = part
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(chosen))
        chosen = chosen[number::count]
    for name, (data, kind) in chosen:
        writer.add_tensor((names or {}).get(name, name), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "model.gguf")
    write_model(folder / "missing.gguf", without=UP)
    write_model(folder / "swapped.gguf", names={GATE: DOWN, DOWN: GATE})
    for number in range(2):
        write_model(folder / f"split-{number + 1:05}-of-00002.gguf", part=(number, 2))
    model = (folder / "model.gguf").read_bytes()
    (folder / "truncated.gguf").write_bytes(model[:-100])
    (folder / "head.gguf").write_bytes(model[:50])

    x = np.random.default_rng(2).standard_normal((TOKENS, HIDDEN)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "reversed.npy", x[::-1].copy())
    np.save(folder / "empty.npy", x[:0])
    np.save(folder / "wide.npy", np.zeros((TOKENS, HIDDEN + 1), np.float32))
    np.save(folder / "hollow.npy", np.zeros((1 << 40, 0), np.float32))
    np.save(folder / "vector.npy", x[0])
    np.save(folder / "many.npy", np.zeros((65, HIDDEN), np.float32))
    np.save(folder / "f64.npy", x.astype(np.float64))
    np.save(folder / "i32.npy", x.astype(np.int32))
    np.save(folder / "big-endian.npy", x.astype(">f4"))
    np.save(folder / "fortran.npy", np.asfortranarray(x))
    np.save(folder / "i64.npy", np.zeros((TOKENS, USED), np.int64))
    (folder / "truncated.npy").write_bytes((folder / "x.npy").read_bytes()[:-4])
    (folder / "longer.npy").write_bytes((folder / "x.npy").read_bytes() + b"more")
    np.save(folder / "nan.npy", np.where(np.arange(TOKENS)[:, None] == 2, np.nan, x).astype("f4"))


def reference(x: np.ndarray) -> np.ndarray:
    """layer.mlir in float64, from the dequantized weights."""
    weights = {name: gguf.dequantize(data, kind).astype(np.float64)
               for name, (data, kind) in encoded().items()}
    x = x.astype(np.float64)
    norm = x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-6) * weights[NORM]
    logits = norm @ weights[ROUTER].T
    scores = np.exp(logits - logits.max(1, keepdims=True))
    scores /= scores.sum(1, keepdims=True)
    y = x.copy()
    for token, row in enumerate(norm):
        used = np.argsort(-scores[token], kind="stable")[:USED]
        for expert in used:
            gate, up = weights[GATE][expert] @ row, weights[UP][expert] @ row
            act = gate / (1 + np.exp(-gate)) * up
            y[token] += scores[token, expert] / scores[token, used].sum() * (
                weights[DOWN][expert] @ act)
    return y


def check(folder: Path, output: Path) -> None:
    x, y = np.load(folder / "x.npy"), np.load(output)
    wanted = reference(x)
    error = ((y - wanted) ** 2).sum() / ((wanted - x) ** 2).sum()
    print("shape", y.shape, "dtype", y.dtype, "agrees" if error <= 1e-6 else f"differs: {error}")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        check(Path(sys.argv[2]), Path(sys.argv[3]))
