"""The rearranged files hold the same matrices."""

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

import make_gguf
from layouts import LAYOUTS, write_in_layout
from presets import PRESETS, parse_types, scaled


def tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def rearranged(folder: Path, preset: str, layout: str) -> tuple[dict, dict]:
    """The tensors before and after."""
    shape = scaled(PRESETS[preset], layers=1, divisor=32, experts=16)
    (path,) = make_gguf.write_model(folder / "model.gguf", shape, parse_types("q4_0"))
    write_in_layout(path, folder / "other.gguf", LAYOUTS[layout])
    return tensors(path), tensors(folder / "other.gguf")


def test_one_tensor_an_expert(tmp_path: Path) -> None:
    before, after = rearranged(tmp_path, "mixtral-8x7b", "one_tensor_an_expert")
    assert len(after) == len(before) - 3 + 3 * 16
    for part in ("gate", "up", "down"):
        for expert in range(16):
            one = after[f"blk.0.ffn_{part}.{expert}.weight"]
            np.testing.assert_array_equal(
                one.data, before[f"blk.0.ffn_{part}_exps.weight"].data[expert])
            assert list(one.shape) == list(before[f"blk.0.ffn_{part}_exps.weight"].shape[:2])


def test_merged_gate_and_up(tmp_path: Path) -> None:
    before, after = rearranged(tmp_path, "gpt-oss-20b", "merged_gate_and_up")
    for suffix in ("weight", "bias"):
        merged = after[f"blk.0.ffn_gate_up_exps.{suffix}"].data
        rows = merged.shape[1] // 2
        np.testing.assert_array_equal(merged[:, :rows],
                                      before[f"blk.0.ffn_gate_exps.{suffix}"].data)
        np.testing.assert_array_equal(merged[:, rows:],
                                      before[f"blk.0.ffn_up_exps.{suffix}"].data)
    assert len(after) == len(before) - 2


@pytest.mark.parametrize("types", ["f32", "bf16"])
def test_latent_heads(types: str, tmp_path: Path) -> None:
    """Row r of head h is the vector that makes element r of its key, or r - 32 of its value."""
    shape = scaled(PRESETS["deepseek-v2-lite"], layers=1, divisor=16, experts=16)
    shape = replace(shape, metadata=shape.metadata | {"vocab_size": 300})
    (path,) = make_gguf.write_model(tmp_path / "model.gguf", shape, parse_types(types), whole=True)
    for layout in ("joined_latent_heads", "fused_latent_heads"):
        write_in_layout(path, tmp_path / f"{layout}.gguf", LAYOUTS[layout])
    before, joined, fused = (tensors(tmp_path / f"{name}.gguf")
                             for name in ("model", "joined_latent_heads", "fused_latent_heads"))
    keys, values = (gguf.quants.dequantize(before[f"blk.0.attn_{part}_b.weight"].data,
                                           before[f"blk.0.attn_{part}_b.weight"].tensor_type)
                    for part in "kv")
    for part in "kv":
        tensor = joined[f"blk.0.attn_{part}_b.weight"]
        assert len(tensor.shape) == 2
        assert tensor.data.tobytes() == before[tensor.name].data.tobytes()
    both = fused["blk.0.attn_kv_b.weight"]
    rows = gguf.quants.dequantize(both.data, both.tensor_type)
    (heads, rank, width), height = keys.shape, values.shape[1]
    assert rows.shape == (heads * (width + height), rank)
    for head in range(heads):
        for element in range(width):
            np.testing.assert_array_equal(rows[head * (width + height) + element],
                                          keys[head, :, element])
        first = head * (width + height) + width
        np.testing.assert_array_equal(rows[first : first + height], values[head])
    assert len(fused) == len(before) - 1


@pytest.mark.parametrize("layout, norm", [("without_ones", 1), ("with_ones", 4)])
def test_ones(layout: str, norm: int, tmp_path: Path) -> None:
    before, after = rearranged(tmp_path, "qwen3-30b-a3b", layout)
    assert len(after["blk.0.ffn_norm.weight"].shape) == norm
    for name, tensor in before.items():
        assert after[name].data.tobytes() == tensor.data.tobytes()
        assert after[name].n_elements == tensor.n_elements
