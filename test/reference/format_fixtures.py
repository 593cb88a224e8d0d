#!/usr/bin/env python3
"""Writes test/unit/fixtures/: raw blocks of every type and their fp32 values, for the C++ tests.

    <type>.bin             raw rows of one block, one after the other, as in a GGUF file
    <type>.f32             what the `gguf` package (scripts/requirements.txt has the version) makes
                           of them, or test/models/ik_types.py: little-endian fp32, row after row
    <type>.nonfinite.bin   the same for scales (or values) that are infinite or NaN; for MXFP4, the
    <type>.nonfinite.f32   scales of which are all finite, those with which a value overflows

Types are named as in the table of encodings: q4_K, iq4_xs, bf16. Every bit of a block is random but
its floating-point scales, which are drawn from those of `SCALES` in turn: so all levels, sub-scales
and minimums occur with zero, subnormal, negative and very large scales. The bytes of four blocks
are all equal, for the extreme levels and sub-scales (see `PLAIN_BLOCKS`). A NaN is stored as
0x7fc00000, whatever the processor made. Run it again after adding a type; the output depends on
nothing but this file and the package.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

from ik_types import IQ4_KS, Q4_K_R4
from quantizers import (
    TYPES,
    block_size,
    dequantize,
    row_bytes,
    scale_offsets,
    strip_rows,
    type_name,
)

FIXTURES = Path(__file__).resolve().parents[1] / "unit" / "fixtures"

#: fp16 bit patterns: 1, -0.0101, 0, -0, smallest subnormal, a negative subnormal, largest
#: subnormal, smallest normal, 0.333, -1.5, 65504, -65504.
SCALES = np.array([0x3C00, 0xA12C, 0x0000, 0x8000, 0x0001, 0x8155, 0x03FF, 0x0400, 0x3555, 0xBE00,
                   0x7BFF, 0xFBFF], dtype=np.uint16)
#: +inf, -inf, a signalling NaN, a negative quiet NaN.
NONFINITE_SCALES = np.array([0x7C00, 0xFC00, 0x7C01, 0xFE2A], dtype=np.uint16)
#: E8M0 codes of MXFP4: both with a subnormal scale, the smallest normal one, 1, the largest with
#: which no value overflows, and some between.
MXFP4_EXPONENTS = np.array([0, 1, 2, 128, 252, 251, 100, 127, 130, 3, 200, 129], dtype=np.uint8)
#: 2^125, 2^126, and the code of NaN, which the package reads as 2^127.
MXFP4_OVERFLOWING_EXPONENTS = np.array([253, 254, 255], dtype=np.uint8)

#: Block number -> its bytes but the scales. 0x00 has the lowest level of most types, and the lowest
#: sub-scale of Q3_K and IQ4_XS; 0x80 the lowest level of Q8_0 and the lowest sub-scale of Q6_K.
PLAIN_BLOCKS = {0: 0x00, 1: 0xFF, 8: 0x80, 9: 0x7F}

#: Values of the float types: f32 bit patterns that also make sense cut to bf16.
FLOAT_BITS = np.array([0x00000000, 0x80000000, 0x3F800000, 0xBF800000, 0x00000001, 0x807FFFFF,
                       0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x00010000], dtype=np.uint32)
NONFINITE_FLOAT_BITS = np.array([0x7F800000, 0xFF800000, 0x7FC00000, 0x7F810000, 0xFFC10000],
                                dtype=np.uint32)
CANONICAL_NAN = np.uint32(0x7FC00000).view(np.float32)


def _float_values(ggml_type: Type, rng: np.random.Generator, finite: bool) -> np.ndarray:
    """Raw values of a float type as bytes [n, bytes of one]."""
    special = FLOAT_BITS if finite else NONFINITE_FLOAT_BITS
    if ggml_type == Type.F16:
        halves = SCALES if finite else NONFINITE_SCALES
        special = np.concatenate([halves, rng.integers(0, 0x7C00, 64 if finite else 0)])
        return special.astype(np.uint16).reshape(-1, 1).view(np.uint8)
    if finite:
        special = np.concatenate([special, rng.integers(0, 0x7F800000, 64)])
    special = special.astype(np.uint32)
    if ggml_type == Type.BF16:
        return (special >> 16).astype(np.uint16).reshape(-1, 1).view(np.uint8)
    return special.reshape(-1, 1).view(np.uint8)


def fixture(ggml_type: Type, finite: bool = True) -> np.ndarray:
    """Raw rows of a block [n, bytes of one], with finite scales only or with others only."""
    rng = np.random.Generator(np.random.PCG64([ggml_type.value, int(finite)]))
    size = block_size(ggml_type)
    if size == 1:
        return _float_values(ggml_type, rng, finite)
    count = 2 * len(NONFINITE_SCALES) + 1
    if finite:
        count = len(SCALES) * (1 if size == 256 else 2)
    count -= count % strip_rows(ggml_type)
    raw = rng.integers(0, 256, (count, row_bytes(ggml_type, size)), dtype=np.uint8)
    for block, byte in PLAIN_BLOCKS.items():
        raw[block : block + 1] = byte
    if ggml_type == Type.MXFP4:
        raw[:, 0] = np.resize(MXFP4_EXPONENTS if finite else MXFP4_OVERFLOWING_EXPONENTS, count)
    columns = _scale_columns(count, finite)
    for column, offset in zip(columns, scale_offsets(ggml_type)):
        raw[:, offset : offset + 2] = column.reshape(-1, 1).view(np.uint8)
    if ggml_type == IQ4_KS:
        raw[:, :4] = columns[0].view(np.float16).astype("<f4").reshape(-1, 1).view(np.uint8)
    if ggml_type == Q4_K_R4:
        raw.reshape(-1, 576)[:, :16] = np.concatenate(
            [column.reshape(-1, 4).view(np.uint8) for column in columns], axis=1)
    return raw


def _scale_columns(count: int, finite: bool) -> tuple[np.ndarray, np.ndarray]:
    """Scales of `count` blocks, and scales of their minimums."""
    scales = np.resize(SCALES, count)
    if finite:
        return scales, np.roll(scales, 5)  # so that the two of a block differ
    # First blocks with only the scale not finite, then with only that of the minimums, then both.
    minimums = np.roll(scales, 5)
    special = len(NONFINITE_SCALES)
    scales[:special] = NONFINITE_SCALES
    minimums[special : 2 * special] = NONFINITE_SCALES
    scales[2 * special :] = minimums[2 * special :] = NONFINITE_SCALES[0]
    return scales, minimums


def files() -> dict[str, bytes]:
    """Name -> contents of all fixture files."""
    result: dict[str, bytes] = {}
    for ggml_type in TYPES:
        for suffix, finite in (("", True), (".nonfinite", False)):
            raw = fixture(ggml_type, finite)
            with np.errstate(all="ignore"):  # inf * 0 and the like are what is asked for
                expected = dequantize(raw, ggml_type).astype("<f4")
            expected = np.where(np.isnan(expected), CANONICAL_NAN, expected)
            result[f"{type_name(ggml_type)}{suffix}.bin"] = raw.tobytes()
            result[f"{type_name(ggml_type)}{suffix}.f32"] = expected.tobytes()
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=FIXTURES, help="default: %(default)s")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, contents in files().items():
        (options.output / name).write_bytes(contents)
    return 0


if __name__ == "__main__":
    sys.exit(main())
