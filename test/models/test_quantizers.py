"""The quantizers and the random blocks, judged by the gguf package's dequantizer."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from ik_types import IQ4_KS, Q4_K_R4, interleave_q4_k
from quantizers import (
    TYPES,
    block_size,
    dequantize,
    quantize,
    raw_blocks,
    row_bytes,
    scale_offsets,
    type_name,
)

#: Largest root mean square error, relative to that of normally distributed values.
ERROR_BOUNDS = {
    Type.F32: 0, Type.F16: 3e-4, Type.BF16: 2e-3,
    Type.Q8_0: 0.006, Type.Q4_0: 0.09, Type.Q4_1: 0.08, Type.Q5_0: 0.045, Type.Q5_1: 0.04,
    Type.IQ4_NL: 0.085, Type.MXFP4: 0.12,
    Type.Q2_K: 0.34, Type.Q3_K: 0.16, Type.Q4_K: 0.08, Type.Q5_K: 0.04, Type.Q6_K: 0.02,
    Type.IQ4_XS: 0.085, Type.IQ2_XXS: 0.38, IQ4_KS: 0.085, Q4_K_R4: 0.08,
}

each_type = pytest.mark.parametrize("ggml_type", TYPES, ids=type_name)


def normal(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


@each_type
def test_error_of_normal_values(ggml_type: Type) -> None:
    values = normal((64, 1024)) * np.float32(0.03)
    raw = quantize(values, ggml_type)
    assert raw.dtype == np.uint8 and raw.shape == (64, row_bytes(ggml_type, 1024))
    assert rms(dequantize(raw, ggml_type) - values) <= ERROR_BOUNDS[ggml_type] * rms(values)


@each_type
def test_error_bound_is_tight(ggml_type: Type) -> None:
    """A bound that a worse quantizer would meet as well tests nothing."""
    values = normal((64, 1024))
    error = rms(dequantize(quantize(values, ggml_type), ggml_type) - values) / rms(values)
    assert error >= 0.75 * ERROR_BOUNDS[ggml_type] or ggml_type in (Type.F16, Type.BF16)


@each_type
def test_each_group_has_its_own_scale(ggml_type: Type) -> None:
    """Sub-blocks whose sizes differ: a layout mistake would give one the scale of another."""
    group = 16 if ggml_type in (Type.Q2_K, Type.Q3_K, Type.Q6_K) else 32
    sizes = 2.0 ** np.random.default_rng(2).integers(-1, 2, 1024 // group)
    values = normal((8, 1024)) * np.repeat(sizes, group).astype(np.float32)
    error = (dequantize(quantize(values, ggml_type), ggml_type) - values).reshape(8, -1, group)
    # Twice the bound: the common d of 256 elements makes the scales of small groups coarse.
    assert np.all(np.sqrt(np.mean(np.square(error), axis=(0, 2)))
                  <= 2 * ERROR_BOUNDS[ggml_type] * sizes)


@each_type
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_constant_rows(ggml_type: Type, value: float) -> None:
    values = np.full((4, 512), value, dtype=np.float32)
    restored = dequantize(quantize(values, ggml_type), ggml_type)
    # The scale of MXFP4 is a power of two and of IQ4 levels none is the negative of another; the
    # lattice of IQ2_XXS has few points whose magnitudes are all the same.
    rtol = 0.6 if ggml_type == Type.IQ2_XXS else 0.125
    np.testing.assert_allclose(restored, values, rtol=rtol)


@each_type
def test_shapes_of_more_dimensions(ggml_type: Type) -> None:
    values = normal((3, 4, 512))
    np.testing.assert_array_equal(quantize(values, ggml_type)[2], quantize(values[2], ggml_type))


@pytest.mark.parametrize("ggml_type", [t for t in TYPES if block_size(t) > 1], ids=type_name)
def test_rows_must_be_whole_blocks(ggml_type: Type) -> None:
    with pytest.raises(ValueError, match=f"{ggml_type.name} needs rows of a multiple"):
        quantize(normal((2, block_size(ggml_type) + 16)), ggml_type)


@each_type
def test_raw_blocks(ggml_type: Type) -> None:
    raw = raw_blocks(np.random.default_rng(5), (256, 1024), ggml_type, 0.02)
    values = dequantize(raw, ggml_type)
    assert np.isfinite(values).all()
    assert 0.016 < rms(values) < 0.024
    assert abs(values.mean()) < 0.2 * rms(values)


@pytest.mark.parametrize("ggml_type", [t for t in TYPES if scale_offsets(t)], ids=type_name)
def test_raw_blocks_use_every_bit(ggml_type: Type) -> None:
    """All bytes but the scales take all values."""
    size = row_bytes(ggml_type, block_size(ggml_type))
    shape = (4096, block_size(ggml_type))
    raw = raw_blocks(np.random.default_rng(5), shape, ggml_type, 1.0).reshape(-1, size)
    scales = {offset + i for offset in scale_offsets(ggml_type) for i in (0, 1)}
    for column in set(range(size)) - scales:
        assert len(np.unique(raw[:, column])) == 256


def test_type_names_are_those_of_the_format_table() -> None:
    assert [type_name(t) for t in (Type.BF16, Type.Q4_0, Type.Q4_K, Type.IQ4_XS)] == [
        "bf16", "q4_0", "q4_K", "iq4_xs"]


def test_strips_hold_the_rows_that_are_interleaved() -> None:
    rows = raw_blocks(np.random.default_rng(6), (8, 512), Type.Q4_K, 1.0)
    np.testing.assert_array_equal(dequantize(interleave_q4_k(rows), Q4_K_R4),
                                  dequantize(rows, Type.Q4_K))
    with pytest.raises(ValueError, match="needs a multiple of 4 rows, not 6"):
        quantize(normal((6, 256)), Q4_K_R4)
