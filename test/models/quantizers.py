"""Round-to-nearest quantizers and random raw blocks for the GGUF types that Sortie reads.

The `gguf` package quantizes some types itself; for the others (Q2_K to Q6_K, IQ4_NL, IQ4_XS,
IQ2_XXS) the functions here pick scales from the range of each group and round to the nearest level.
No search for better scales: the files are test models, and the judge of every type is the package's
dequantizer; of types of ik_llama.cpp that of `ik_types.py`.

`raw_blocks` draws random bytes and sane scales instead: any bit pattern is a valid block, and for
shapes of hundreds of megabytes this is the fast way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from gguf import GGML_QUANT_SIZES, quants
from gguf import GGMLQuantizationType as Type

import ik_types
from ik_types import IQ4_KS, Q4_K_R4, dequantize_iq4_ks, interleave_q4_k

IQ4_LEVELS = np.array(quants.IQ4_NL.kvalues, dtype=np.float32)

#: The types of the table of encodings, in its order.
TYPES = (
    Type.F32, Type.F16, Type.BF16,
    Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.IQ4_NL, Type.MXFP4,
    Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.IQ4_XS,
    Type.IQ2_XXS, *ik_types.TYPES,
)


def type_name(ggml_type: Type) -> str:
    """The name of the table of encodings: `q4_K`, `iq4_xs`, `bf16`."""
    lower = ggml_type.name.lower()
    return lower[:-1] + "K" if lower.endswith("_k") else lower


def block_size(ggml_type: Type) -> int:
    """Elements a block."""
    return GGML_QUANT_SIZES[ggml_type][0]


def row_bytes(ggml_type: Type, elements: int) -> int:
    """Bytes that a row of `elements` values takes, a multiple of the block size."""
    size, type_bytes = GGML_QUANT_SIZES[ggml_type]
    if elements % size:
        raise ValueError(f"{ggml_type.name} needs rows of a multiple of {size}, not {elements}")
    return ik_types.HEADER_BYTES.get(ggml_type, 0) + elements // size * type_bytes


def strip_rows(ggml_type: Type) -> int:
    """Rows that are stored together, and of which matrices have a multiple."""
    return ik_types.STRIP_ROWS.get(ggml_type, 1)


# --- packing --------------------------------------------------------------------------------------


def _pack(levels: np.ndarray, bits: int) -> np.ndarray:
    """ORs the planes of axis -2, plane i shifted by i*bits: [..., planes, w] -> [..., w]."""
    shifts = (np.arange(levels.shape[-2]) * bits)[:, None]
    return np.bitwise_or.reduce(levels.astype(np.uint32) << shifts, axis=-2)


def _bytes(values: np.ndarray, count: int) -> np.ndarray:
    """The array as `count` bytes a block."""
    return values.astype(np.uint8).reshape(len(values), count)


def _half(values: np.ndarray) -> np.ndarray:
    """fp32 [n] -> the two bytes of its fp16 [n, 2]."""
    return values.astype(np.float16).reshape(-1, 1).view(np.uint8)


def _rounded_half(values: np.ndarray) -> np.ndarray:
    """The values as a reader of the file sees them: rounded to fp16."""
    return values.astype(np.float16).astype(np.float32)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, 0 where the denominator is 0."""
    safe = np.where(denominator == 0, np.float32(1), denominator)
    return np.where(denominator == 0, np.float32(0), numerator / safe)


def _round_to(values: np.ndarray, low: int, high: int) -> np.ndarray:
    return np.clip(np.rint(values), low, high).astype(np.int32)


# --- groups with a scale and a minimum: Q2_K, Q4_K, Q5_K ------------------------------------------


def _scale_and_minimum(
    blocks: np.ndarray, group: int, top_level: int, top_scale: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Splits blocks [n, 256] into groups and codes x = d*scale*level - dmin*minimum.

    Returns d [n], dmin [n] (rounded to fp16), scales and minimums [n, groups], levels [n, 256].
    """
    x = blocks.reshape(len(blocks), -1, group)
    minimum = np.minimum(x.min(axis=-1), 0)
    scale = (x.max(axis=-1) - minimum) / np.float32(top_level)
    d = _rounded_half(scale.max(axis=-1) / np.float32(top_scale))
    dmin = _rounded_half((-minimum).max(axis=-1) / np.float32(top_scale))
    scales = _round_to(_divide(scale, d[:, None]), 0, top_scale)
    minimums = _round_to(_divide(-minimum, dmin[:, None]), 0, top_scale)
    step = (d[:, None] * scales)[..., None]
    levels = _round_to(_divide(x + (dmin[:, None] * minimums)[..., None], step), 0, top_level)
    return d, dmin, scales, minimums, levels.reshape(blocks.shape)


def _pack_six_bit_pairs(scales: np.ndarray, minimums: np.ndarray) -> np.ndarray:
    """The 12 bytes that hold 8 scales and 8 minimums of 6 bits in Q4_K and Q5_K."""
    first = (scales[:, :4] & 63) | (scales[:, 4:] >> 4) << 6
    second = (minimums[:, :4] & 63) | (minimums[:, 4:] >> 4) << 6
    third = (scales[:, 4:] & 15) | (minimums[:, 4:] & 15) << 4
    return np.concatenate([first, second, third], axis=1).astype(np.uint8)


def _quantize_q2_k(blocks: np.ndarray) -> np.ndarray:
    d, dmin, scales, minimums, levels = _scale_and_minimum(blocks, 16, 3, 15)
    packed = _bytes(_pack(levels.reshape(-1, 2, 4, 32), 2), 64)
    return np.concatenate(
        [_bytes(scales | minimums << 4, 16), packed, _half(d), _half(dmin)], axis=1
    )


def _quantize_q4_k(blocks: np.ndarray) -> np.ndarray:
    d, dmin, scales, minimums, levels = _scale_and_minimum(blocks, 32, 15, 63)
    packed = _bytes(_pack(levels.reshape(-1, 4, 2, 32), 4), 128)
    return np.concatenate(
        [_half(d), _half(dmin), _pack_six_bit_pairs(scales, minimums), packed], axis=1
    )


def _quantize_q5_k(blocks: np.ndarray) -> np.ndarray:
    d, dmin, scales, minimums, levels = _scale_and_minimum(blocks, 32, 31, 63)
    high = _bytes(_pack((levels >> 4).reshape(-1, 8, 32), 1), 32)
    low = _bytes(_pack((levels & 15).reshape(-1, 4, 2, 32), 4), 128)
    return np.concatenate(
        [_half(d), _half(dmin), _pack_six_bit_pairs(scales, minimums), high, low], axis=1
    )


# --- groups with a signed scale: Q3_K, Q6_K, IQ4_NL, IQ4_XS ---------------------------------------


def _extreme(groups: np.ndarray) -> np.ndarray:
    """The element of largest magnitude of each group, with its sign: [..., m] -> [...]."""
    index = np.abs(groups).argmax(axis=-1, keepdims=True)
    return np.take_along_axis(groups, index, axis=-1)[..., 0]


def _signed_scales(
    blocks: np.ndarray, group: int, low_level: int, low_scale: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales that map each group's extreme to `low_level`, coded as d times an integer.

    Returns d [n] (rounded to fp16), integer scales [n, groups] in [low_scale, -low_scale - 1], and
    the steps d*scale [n, groups, 1].
    """
    scale = _extreme(blocks.reshape(len(blocks), -1, group)) / np.float32(low_level)
    d = _rounded_half(_extreme(scale) / np.float32(low_scale))
    scales = _round_to(_divide(scale, d[:, None]), low_scale, -low_scale - 1)
    return d, scales, (d[:, None] * scales)[..., None].astype(np.float32)


def _quantize_q3_k(blocks: np.ndarray) -> np.ndarray:
    d, scales, steps = _signed_scales(blocks, 16, -4, -32)
    levels = _round_to(_divide(blocks.reshape(-1, 16, 16), steps), -4, 3).reshape(blocks.shape) + 4
    high = _bytes(_pack((levels >> 2).reshape(-1, 8, 32), 1), 32)
    low = _bytes(_pack((levels & 3).reshape(-1, 2, 4, 32), 2), 64)
    coded = scales + 32
    scale_low = _bytes(_pack((coded & 15).reshape(-1, 2, 8), 4), 8)
    scale_high = _bytes(_pack((coded >> 4).reshape(-1, 4, 4), 2), 4)
    return np.concatenate([high, low, scale_low, scale_high, _half(d)], axis=1)


def _quantize_q6_k(blocks: np.ndarray) -> np.ndarray:
    d, scales, steps = _signed_scales(blocks, 16, -32, -128)
    levels = _round_to(_divide(blocks.reshape(-1, 16, 16), steps), -32, 31) + 32
    low = _bytes(_pack((levels & 15).reshape(-1, 2, 2, 64), 4), 128)
    high = _bytes(_pack((levels >> 4).reshape(-1, 2, 4, 32), 2), 64)
    return np.concatenate([low, high, _bytes(scales & 255, 16), _half(d)], axis=1)


def _nearest_iq4(values: np.ndarray) -> np.ndarray:
    """Index of the nearest entry of the IQ4 codebook."""
    return np.searchsorted((IQ4_LEVELS[1:] + IQ4_LEVELS[:-1]) / 2, values).astype(np.int32)


def _quantize_iq4_nl(blocks: np.ndarray) -> np.ndarray:
    d = _rounded_half(_extreme(blocks) / IQ4_LEVELS[0])
    levels = _nearest_iq4(_divide(blocks, d[:, None]))
    return np.concatenate([_half(d), _bytes(_pack(levels.reshape(-1, 2, 16), 4), 16)], axis=1)


def _quantize_iq4_xs(blocks: np.ndarray) -> np.ndarray:
    d, scales, steps = _signed_scales(blocks, 32, -127, -32)
    levels = _nearest_iq4(_divide(blocks.reshape(-1, 8, 32), steps))
    coded = scales + 32
    scale_high = _pack((coded >> 4).reshape(-1, 8, 1), 2).astype(np.uint16).view(np.uint8)
    scale_low = _bytes(_pack((coded & 15).reshape(-1, 4, 2).swapaxes(1, 2), 4), 4)
    packed = _bytes(_pack(levels.reshape(-1, 8, 2, 16), 4), 128)
    return np.concatenate([_half(d), scale_high, scale_low, packed], axis=1)


# --- lattices: IQ2_XXS ----------------------------------------------------------------------------


@cache
def _iq2_points() -> np.ndarray:
    """The magnitudes of the lattice, [256, 8]."""
    quants.IQ2_XXS.init_grid()
    grid = quants.IQ2_XXS.grid
    assert grid is not None
    return grid.reshape(256, 8)


def _quantize_iq2_xxs(blocks: np.ndarray) -> np.ndarray:
    largest = _iq2_points().max()
    groups = blocks.reshape(-1, 8, 4, 8)
    magnitudes = np.abs(groups)
    # A scale of the root mean square: the largest magnitudes are cut off.
    wanted = np.sqrt(np.square(groups).mean(axis=(2, 3))) * np.float32(2.4) / largest
    d = _rounded_half(wanted.max(axis=1) * np.float32(8 / 31))
    sub = _round_to((_divide(wanted * 8, d[:, None]) - 1) / 2, 0, 15)
    steps = (d[:, None] * np.float32(0.125) * (2 * sub + 1))[..., None, None]
    scaled = _divide(magnitudes, np.broadcast_to(steps, magnitudes.shape))
    # Nearest point: the least |p|^2 - 2 p x.
    points = _iq2_points()
    distances = np.square(points).sum(axis=1) - 2 * scaled @ points.T
    nearest = distances.argmin(axis=-1).astype(np.uint32)
    # An even number of signs: the smallest of the others changes.
    negative = groups < 0
    smallest = scaled.argmin(axis=-1, keepdims=True)
    flips = (negative.sum(axis=-1, keepdims=True) % 2 == 1) & (np.arange(8) == smallest)
    signs = _pack((negative ^ flips)[..., :7, None], 1)[..., 0]
    words = np.stack([_pack(nearest[..., None], 8)[..., 0],
                      _pack(signs[..., None], 7)[..., 0] | sub.astype(np.uint32) << 28], axis=-1)
    return np.concatenate([_half(d), words.astype("<u4").reshape(len(blocks), -1).view(np.uint8)],
                          axis=1)


_QUANTIZERS: dict[Type, Callable[[np.ndarray], np.ndarray]] = {
    Type.Q2_K: _quantize_q2_k,
    Type.Q3_K: _quantize_q3_k,
    Type.Q4_K: _quantize_q4_k,
    Type.Q5_K: _quantize_q5_k,
    Type.Q6_K: _quantize_q6_k,
    Type.IQ4_NL: _quantize_iq4_nl,
    Type.IQ4_XS: _quantize_iq4_xs,
    Type.IQ2_XXS: _quantize_iq2_xxs,
}


def quantize(values: np.ndarray, ggml_type: Type) -> np.ndarray:
    """Finite fp32 values [..., K] -> the bytes of their rows, uint8 [..., bytes of a row].

    Raises ValueError for rows that are no whole blocks, or no whole strips.
    """
    shape = (*values.shape[:-1], row_bytes(ggml_type, values.shape[-1]))
    values = np.ascontiguousarray(values, dtype=np.float32)
    if ggml_type == Q4_K_R4:
        rows = quantize(values, Type.Q4_K)
        return interleave_q4_k(rows.reshape(-1, shape[-1])).reshape(shape)
    if ggml_type == IQ4_KS:
        return ik_types.quantize_iq4_ks(values.reshape(-1, values.shape[-1])).reshape(shape)
    if ggml_type in _QUANTIZERS:
        blocks = values.reshape(-1, block_size(ggml_type))
        return _QUANTIZERS[ggml_type](blocks).reshape(shape)
    return np.ascontiguousarray(quants.quantize(values, ggml_type)).view(np.uint8).reshape(shape)


def dequantize(raw: np.ndarray, ggml_type: Type) -> np.ndarray:
    """The reference's dequantizer: uint8 [..., bytes of a row] -> fp32 [..., K]."""
    if ggml_type in ik_types.TYPES:
        own = dequantize_iq4_ks if ggml_type == IQ4_KS else ik_types.dequantize_q4_k_r4
        return own(raw.reshape(-1, raw.shape[-1])).reshape(*raw.shape[:-1], -1)
    return quants.dequantize(np.ascontiguousarray(raw), ggml_type)


# --- random raw blocks ----------------------------------------------------------------------------

#: Byte offset of d in a block; and, for types with a minimum, its offset and the ratio m / d that
#: centres uniformly random levels around zero.
_SCALE_OFFSET = {
    Type.Q8_0: 0, Type.Q4_0: 0, Type.Q4_1: 0, Type.Q5_0: 0, Type.Q5_1: 0, Type.IQ4_NL: 0,
    Type.Q2_K: 80, Type.Q3_K: 108, Type.Q4_K: 0, Type.Q5_K: 0, Type.Q6_K: 208, Type.IQ4_XS: 0,
    Type.IQ2_XXS: 0,
}
_MINIMUM = {
    Type.Q4_1: (2, -7.5), Type.Q5_1: (2, -15.5),
    Type.Q2_K: (82, 1.5), Type.Q4_K: (2, 7.5), Type.Q5_K: (2, 15.5),
}
_MXFP4_UNIT_EXPONENT = 128  # the E8M0 code of scale 1, as the levels are doubled


def scale_offsets(ggml_type: Type) -> tuple[int, ...]:
    """Byte offsets in a block of its fp16 scales: d, then that of the minimums if there are any.

    None of types whose scales are elsewhere: in a byte, at the head of a row, in strips.
    """
    if ggml_type not in _SCALE_OFFSET:
        return ()
    scale = _SCALE_OFFSET[ggml_type]
    return (scale, _MINIMUM[ggml_type][0]) if ggml_type in _MINIMUM else (scale,)


def _set_scales(raw: np.ndarray, ggml_type: Type, scales: np.ndarray) -> None:
    """Writes one float scale (and the centring minimum) into each block of raw [n, bytes]."""
    offset = _SCALE_OFFSET[ggml_type]
    raw[:, offset : offset + 2] = _half(scales)
    if ggml_type in _MINIMUM:
        offset, ratio = _MINIMUM[ggml_type]
        raw[:, offset : offset + 2] = _half(scales * np.float32(ratio))


@cache
def _unit_rms(ggml_type: Type) -> float:
    """Root mean square of random blocks whose scale is 1, measured on a fixed sample."""
    size, type_bytes = GGML_QUANT_SIZES[ggml_type]
    rng = np.random.Generator(np.random.PCG64(1))
    raw = rng.integers(0, 256, (4096 // size * 16, type_bytes), dtype=np.uint8)
    if ggml_type == Type.MXFP4:
        raw[:, 0] = _MXFP4_UNIT_EXPONENT
    else:
        _set_scales(raw, ggml_type, np.ones(len(raw), dtype=np.float32))
    return float(np.sqrt(np.mean(np.square(dequantize(raw, ggml_type), dtype=np.float64))))


def _raw_rows_of_iq4_ks(rng: np.random.Generator, byte_shape: tuple[int, ...],
                        rms: float) -> np.ndarray:
    """Random rows with a scale each, which varies by a factor of two."""
    raw = rng.integers(0, 256, (int(np.prod(byte_shape[:-1])), byte_shape[-1]), dtype=np.uint8)

    def set_scales(rows: np.ndarray, scales: np.ndarray) -> np.ndarray:
        rows[:, :4] = scales.astype("<f4").reshape(-1, 1).view(np.uint8)
        return rows

    sample = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (64, 140), dtype=np.uint8)
    unit = dequantize_iq4_ks(set_scales(sample, np.ones(64, dtype=np.float32)))
    scale = rms / np.sqrt(np.mean(np.square(unit, dtype=np.float64)))
    spread = rng.uniform(2 / 3, 4 / 3, len(raw)).astype(np.float32)
    return set_scales(raw, np.float32(scale) * spread).reshape(byte_shape)


def raw_blocks(rng: np.random.Generator, shape: tuple[int, ...], ggml_type: Type,
               rms: float) -> np.ndarray:
    """Random valid blocks for values [..., K] of about the given root mean square, as uint8 rows.

    Every bit of a block is random but its float scales, which vary by a factor of two between
    blocks. Float types, of which random bits are no sane values, are drawn from a normal
    distribution.
    """
    byte_shape = (*shape[:-1], row_bytes(ggml_type, shape[-1]))
    if ggml_type == Q4_K_R4:
        rows = raw_blocks(rng, shape, Type.Q4_K, rms)
        return interleave_q4_k(rows.reshape(-1, byte_shape[-1])).reshape(byte_shape)
    if ggml_type == IQ4_KS:
        return _raw_rows_of_iq4_ks(rng, byte_shape, rms)
    if block_size(ggml_type) == 1:
        values = rng.standard_normal(shape, dtype=np.float32) * np.float32(rms)
        return quantize(values, ggml_type)
    type_bytes = GGML_QUANT_SIZES[ggml_type][1]
    count = int(np.prod(byte_shape)) // type_bytes
    raw = rng.integers(0, 256, (count, type_bytes), dtype=np.uint8)
    scale = rms / _unit_rms(ggml_type)
    if ggml_type == Type.MXFP4:
        raw[:, 0] = _MXFP4_UNIT_EXPONENT + round(np.log2(scale)) + rng.integers(-1, 1, count)
    else:
        spread = rng.uniform(2 / 3, 4 / 3, count).astype(np.float32)
        _set_scales(raw, ggml_type, np.float32(scale) * spread)
    return raw.reshape(byte_shape)
