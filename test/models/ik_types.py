"""Types of ik_llama.cpp, which the `gguf` package does not know: added to its enumeration.

Facts of the layouts are those of ik_llama.cpp 8337e4cd (`iqk_quantize.cpp`), whose decoded blocks
these decoders were compared with; written anew, and apart from the decoders of `runtime/numerics`.

Rows of IQ4_KS begin with a float scale; four rows of Q4_K_R4 are stored together.
"""

from __future__ import annotations

import numpy as np
from gguf import GGML_QUANT_SIZES, quants
from gguf import GGMLQuantizationType as Type

BLOCK = 256


def _add_type(name: str, number: int, type_bytes: int) -> Type:
    """A member of the package's enumeration of types, with blocks of 256 elements."""
    member = int.__new__(Type, number)
    member._name_, member._value_ = name, number
    Type._member_map_[name] = Type._value2member_map_[number] = member
    Type._member_names_.append(name)
    GGML_QUANT_SIZES[member] = (BLOCK, type_bytes)
    return member


IQ4_KS = _add_type("IQ4_KS", 144, 136)
Q4_K_R4 = _add_type("Q4_K_R4", 212, 144)

TYPES = (IQ4_KS, Q4_K_R4)

#: Bytes at the head of a row.
HEADER_BYTES = {IQ4_KS: 4}
#: Rows that are stored together.
STRIP_ROWS = {Q4_K_R4: 4}

#: By the last bit of a sub-scale.
IQ4_KS_LEVELS = np.array([quants.IQ4_NL.kvalues, quants.IQ4_NL.kvalues], dtype=np.float32)
IQ4_KS_LEVELS[1] += 4


# --- IQ4_KS ---------------------------------------------------------------------------------------


def _halves(packed: np.ndarray, group: int) -> np.ndarray:
    """Low halves, then high halves of the bytes: [..., n, w] -> [..., n, 2 w]."""
    assert packed.shape[-1] * 2 == group
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def dequantize_iq4_ks(rows: np.ndarray) -> np.ndarray:
    """uint8 [n, 4 + 136 blocks] -> fp32 [n, 256 blocks]."""
    d = np.ascontiguousarray(rows[:, :4]).view("<f4")[:, :, None, None]
    blocks = rows[:, 4:].reshape(len(rows), -1, 136)
    scales = blocks[:, :, :8]
    codes = _halves(blocks[:, :, 8:].reshape(len(rows), -1, 8, 16), 32)
    levels = IQ4_KS_LEVELS[(scales & 1)[..., None], codes]
    steps = d * ((scales & 254).astype(np.int32) - 127).astype(np.float32)[..., None]
    return (steps * levels).reshape(len(rows), -1)


def quantize_iq4_ks(values: np.ndarray) -> np.ndarray:
    """fp32 [n, K] -> uint8 [n, bytes of a row]: round to nearest, the first codebook alone."""
    groups = values.reshape(len(values), -1, 32)
    levels = IQ4_KS_LEVELS[0]
    index = np.abs(groups).argmax(axis=-1, keepdims=True)
    wanted = np.take_along_axis(groups, index, axis=-1)[..., 0] / levels[0]
    d = (np.abs(wanted).max(axis=1) / np.float32(127)).astype(np.float32)
    safe = np.where(d == 0, np.float32(1), d)[:, None]
    sub = np.clip(2 * np.floor(wanted / safe / 2) + 1, -127, 127).astype(np.int32)  # odd
    steps = (d[:, None] * sub)[..., None].astype(np.float32)
    scaled = np.where(steps == 0, np.float32(0), groups / np.where(steps == 0, 1, steps))
    codes = np.searchsorted((levels[1:] + levels[:-1]) / 2, scaled).astype(np.uint8)
    packed = codes[..., :16] | codes[..., 16:] << 4
    blocks = np.concatenate([(sub + 127).astype(np.uint8).reshape(len(values), -1, 8),
                             packed.reshape(len(values), -1, 128)], axis=-1)
    head = d.astype("<f4").reshape(-1, 1).view(np.uint8)
    return np.concatenate([head, blocks.reshape(len(values), -1)], axis=1)


# --- Q4_K_R4 --------------------------------------------------------------------------------------

#: Where the elements of a sub-block of 32 are: byte 16 q + j of a row's 4 q blocks of four, half h.
_Q4_ORDER = np.array([[[16 * (q % 2) + 4 * (q // 2) + 8 * half + j for j in range(4)]
                       for half in range(2)] for q in range(4)])


def _strips(rows: np.ndarray) -> np.ndarray:
    """uint8 [n, bytes of a row] in strips of four rows -> [strips, blocks, 576]."""
    return rows.reshape(len(rows) // 4, -1, 4 * 144)


def dequantize_q4_k_r4(rows: np.ndarray) -> np.ndarray:
    """uint8 [n, 144 blocks], strips of four rows -> fp32 [n, 256 blocks]."""
    strips = _strips(rows)
    n, blocks = strips.shape[:2]
    numbers = np.ascontiguousarray(strips[..., :16]).view("<f2").astype(np.float32)
    d, dmin = numbers[..., :4], numbers[..., 4:]
    low = strips[..., 32:64].astype(np.int32)  # [8 sub-blocks][4 rows]
    high = np.concatenate([strips[..., 16:32] & 15, strips[..., 16:32] >> 4], axis=-1)
    scales = ((low & 15) | (high & 3).astype(np.int32) << 4).reshape(n, blocks, 8, 4)
    minimums = (low >> 4 | (high >> 2).astype(np.int32) << 4).reshape(n, blocks, 8, 4)
    codes = strips[..., 64:].reshape(n, blocks, 8, 4, 4, 4)  # sub-block, quarter, row, byte
    levels = np.empty((n, blocks, 8, 4, 32), dtype=np.float32)
    for quarter in range(4):
        for half in range(2):
            levels[..., _Q4_ORDER[quarter, half]] = codes[:, :, :, quarter] >> 4 * half & 15
    steps = d[:, :, None] * scales.astype(np.float32)
    offsets = dmin[:, :, None] * minimums.astype(np.float32)
    values = steps[..., None] * levels - offsets[..., None]  # [n, blocks, 8, 4, 32]
    return values.transpose(0, 3, 1, 2, 4).reshape(4 * n, -1)


def interleave_q4_k(rows: np.ndarray) -> np.ndarray:
    """Q4_K rows, uint8 [n, 144 blocks], as the strips of Q4_K_R4."""
    if len(rows) % 4:
        raise ValueError(f"Q4_K_R4 needs a multiple of 4 rows, not {len(rows)}")
    q4 = rows.reshape(len(rows) // 4, 4, -1, 144).transpose(0, 2, 1, 3)  # [strips, blocks, 4, 144]
    first, second, third = q4[..., 4:8], q4[..., 8:12], q4[..., 12:16]
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=-1)
    minimums = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=-1)
    scales, minimums = (x.swapaxes(2, 3).reshape(*x.shape[:2], 32) for x in (scales, minimums))
    high = scales >> 4 | minimums >> 4 << 2
    pairs = q4[..., 16:].reshape(*q4.shape[:3], 4, 32)
    levels = np.stack([pairs & 15, pairs >> 4], axis=-2).reshape(*q4.shape[:3], 8, 32)
    codes = np.empty((*q4.shape[:2], 8, 4, 4, 4), dtype=np.uint8)
    for quarter in range(4):
        low_half, high_half = (levels[..., _Q4_ORDER[quarter, half]] for half in range(2))
        codes[:, :, :, quarter] = (low_half | high_half << 4).swapaxes(2, 3)
    return np.concatenate([
        q4[..., 0:2].reshape(*q4.shape[:2], 8), q4[..., 2:4].reshape(*q4.shape[:2], 8),
        high[..., :16] | high[..., 16:] << 4, scales & 15 | (minimums & 15) << 4,
        codes.reshape(*q4.shape[:2], 512),
    ], axis=-1).reshape(rows.shape)
