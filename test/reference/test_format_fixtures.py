"""The committed fixtures are what the generator writes, and hold the cases they are for."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

import format_fixtures
from format_fixtures import FIXTURES, files
from quantizers import TYPES, block_size, row_bytes, scale_offsets, type_name


def test_committed_files_are_current() -> None:
    expected = files()
    assert {path.name for path in FIXTURES.iterdir()} == set(expected)
    for name, contents in expected.items():
        assert (FIXTURES / name).read_bytes() == contents, name


def test_writes_to_another_folder(tmp_path: Path) -> None:
    assert format_fixtures.main(["--output", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(files())


def raw(ggml_type: Type, suffix: str = "") -> np.ndarray:
    data = np.fromfile(FIXTURES / f"{type_name(ggml_type)}{suffix}.bin", dtype=np.uint8)
    return data.reshape(-1, row_bytes(ggml_type, block_size(ggml_type)))


def values(ggml_type: Type, suffix: str = "") -> np.ndarray:
    return np.fromfile(FIXTURES / f"{type_name(ggml_type)}{suffix}.f32", dtype="<f4")


@pytest.mark.parametrize("ggml_type", TYPES, ids=type_name)
def test_finite(ggml_type: Type) -> None:
    expected = values(ggml_type)
    assert len(expected) == len(raw(ggml_type)) * block_size(ggml_type)
    assert np.isfinite(expected).all()
    assert (expected == 0).any() and (expected < 0).any() and (expected > 0).any()


@pytest.mark.parametrize("ggml_type", TYPES, ids=type_name)
def test_not_finite(ggml_type: Type) -> None:
    expected = values(ggml_type, ".nonfinite")
    nan = np.isnan(expected)
    assert np.isinf(expected).any() and nan.any() == (ggml_type != Type.MXFP4)
    assert set(expected[nan].view(np.uint32)) <= {0x7FC00000}


@pytest.mark.parametrize("ggml_type", [t for t in TYPES if scale_offsets(t)], ids=type_name)
def test_special_scales(ggml_type: Type) -> None:
    for offset in scale_offsets(ggml_type):
        scales = raw(ggml_type)[:, offset : offset + 2].copy().view(np.uint16)
        assert set(scales.ravel()) == set(format_fixtures.SCALES)


def test_every_level_occurs() -> None:
    """With the scale 1, the values of the 32-element types are levels."""
    levels = {Type.Q4_0: 16, Type.Q5_0: 32, Type.IQ4_NL: 16}
    for ggml_type, count in levels.items():
        scale = raw(ggml_type)[:, :2].copy().view(np.float16).astype(np.float32)
        sane = (np.abs(scale) > 1e-3).ravel()
        expected = values(ggml_type).reshape(-1, 32)[sane] / scale[sane]
        assert len(np.unique(np.rint(expected))) == count
