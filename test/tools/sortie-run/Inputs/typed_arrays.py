"""Arrays for types.mlir: `typed_arrays.py make PREFIX` writes its inputs, `typed_arrays.py check
PREFIX` compares the outputs with what NumPy computes.
"""

import sys

import numpy as np


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The nearest, ties to even, as its bits."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bfloat16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def make(prefix: str) -> None:
    random = np.random.default_rng(1)
    np.save(f"{prefix}.f16.npy", (100 * random.standard_normal((9, 33))).astype(np.float16))
    bits = to_bfloat16(100 * random.standard_normal((9, 33)))
    np.save(f"{prefix}.bf16.npy", bits.view("V2"))  # as ml_dtypes writes it
    np.save(f"{prefix}.i32.npy", random.integers(-100, 100, 9, dtype=np.int32))


def check(prefix: str) -> None:
    def load(name: str) -> np.ndarray:
        return np.load(f"{prefix}.{name}.npy")

    expected = load("f16").astype(np.float32) + from_bfloat16(load("bf16").view(np.uint16))
    np.testing.assert_array_equal(load("sum"), expected)
    np.testing.assert_array_equal(load("half"), expected.astype(np.float16))
    np.testing.assert_array_equal(load("bfloat").view(np.uint16), to_bfloat16(expected))
    np.testing.assert_array_equal(load("integer"), load("i32"))


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])
