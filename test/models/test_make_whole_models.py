"""Whole models that `make_gguf.py --whole` writes: names, shapes, types, tokenizer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

import make_gguf
import whole_models
from presets import DENSE_PRESETS, PRESETS, TensorSpec, parse_types, scaled

TOKENS = 1000
ALL = PRESETS | DENSE_PRESETS
each_preset = pytest.mark.parametrize("name", ALL)


def specs(name: str, types: str = "q4_k_m", layers: int | None = None) -> dict[str, TensorSpec]:
    preset = scaled(ALL[name], layers)
    return {spec.name: spec for spec in whole_models.model_tensors(preset, parse_types(types))}


def write(folder: Path, name: str, types: str = "q4_k_m", **options: Any) -> gguf.GGUFReader:
    """Writes a small model of two layers and few tokens."""
    preset = scaled(ALL[name], layers=2, divisor=32, experts=16 if ALL[name].experts else None)
    preset = replace(preset, metadata=preset.metadata | {"vocab_size": TOKENS})
    (path,) = make_gguf.write_model(folder / "model.gguf", preset, parse_types(types), whole=True,
                                    **options)
    return gguf.GGUFReader(path)


@each_preset
def test_tensor_names_are_those_of_the_architecture(name: str) -> None:
    archs = {arch_name: arch for arch, arch_name in gguf.MODEL_ARCH_NAMES.items()}
    known = {gguf.TENSOR_NAMES[t] for t in gguf.MODEL_TENSORS[archs[ALL[name].arch]]}
    for tensor in specs(name, layers=4):
        stem, suffix = tensor.rsplit(".", 1)
        number = stem.split(".")[1] if stem.startswith("blk.") else ""
        assert stem.replace(f"blk.{number}.", "blk.{bid}.") in known, tensor
        assert suffix in ("weight", "bias")


#: Besides the feed-forward half, of layer 1 of the real models, in NumPy's order.
REAL_SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "qwen3-30b-a3b": {
        "attn_norm.weight": (2048,), "attn_q.weight": (4096, 2048), "attn_k.weight": (512, 2048),
        "attn_v.weight": (512, 2048), "attn_q_norm.weight": (128,), "attn_k_norm.weight": (128,),
        "attn_output.weight": (2048, 4096),
    },
    "olmoe-1b-7b": {
        "attn_norm.weight": (2048,), "attn_q.weight": (2048, 2048), "attn_k.weight": (2048, 2048),
        "attn_v.weight": (2048, 2048), "attn_q_norm.weight": (2048,),
        "attn_k_norm.weight": (2048,), "attn_output.weight": (2048, 2048),
    },
    "deepseek-v2-lite": {
        "attn_norm.weight": (2048,), "attn_q.weight": (3072, 2048),
        "attn_kv_a_mqa.weight": (576, 2048), "attn_kv_a_norm.weight": (512,),
        "attn_k_b.weight": (16, 512, 128), "attn_v_b.weight": (16, 128, 512),
        "attn_output.weight": (2048, 2048),
    },
    "deepseek-v3": {
        "attn_norm.weight": (7168,), "attn_q_a.weight": (1536, 7168),
        "attn_q_a_norm.weight": (1536,), "attn_q_b.weight": (24576, 1536),
        "attn_kv_a_mqa.weight": (576, 7168), "attn_kv_a_norm.weight": (512,),
        "attn_k_b.weight": (128, 512, 128), "attn_v_b.weight": (128, 128, 512),
        "attn_output.weight": (7168, 16384),
    },
    "gpt-oss-20b": {
        "attn_norm.weight": (2880,), "attn_q.weight": (4096, 2880), "attn_q.bias": (4096,),
        "attn_k.weight": (512, 2880), "attn_k.bias": (512,), "attn_v.weight": (512, 2880),
        "attn_v.bias": (512,), "attn_output.weight": (2880, 4096), "attn_output.bias": (2880,),
        "attn_sinks.weight": (64,),
    },
    "glm-4.5-air": {
        "attn_norm.weight": (4096,), "attn_q.weight": (12288, 4096), "attn_q.bias": (12288,),
        "attn_k.weight": (1024, 4096), "attn_k.bias": (1024,), "attn_v.weight": (1024, 4096),
        "attn_v.bias": (1024,), "attn_output.weight": (4096, 12288),
    },
    "llama-3.1-8b": {
        "attn_norm.weight": (4096,), "attn_q.weight": (4096, 4096), "attn_k.weight": (1024, 4096),
        "attn_v.weight": (1024, 4096), "attn_output.weight": (4096, 4096),
    },
}


@pytest.mark.parametrize("name", REAL_SHAPES)
def test_real_shapes(name: str) -> None:
    found = {tensor.removeprefix("blk.1."): spec.shape for tensor, spec in specs(name).items()
             if tensor.startswith("blk.1.attn_")}
    assert found == REAL_SHAPES[name]


def test_a_dense_model() -> None:
    tensors = specs("llama-3.2-1b")
    assert not any("_exps" in name or "_inp" in name for name in tensors)
    assert tensors["blk.15.ffn_down.weight"].shape == (2048, 8192)
    assert tensors["rope_freqs.weight"].shape == (32,)
    assert "output.weight" not in tensors and "output.weight" in specs("llama-3.1-8b")


def test_a_mix_gives_some_tensors_more_bits() -> None:
    tensors = specs("qwen3-30b-a3b")
    large = [layer for layer in range(48)
             if tensors[f"blk.{layer}.attn_v.weight"].type == Type.Q6_K]
    assert large == [*range(6), 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, *range(42, 48)]
    for layer in range(48):
        of_values = tensors[f"blk.{layer}.attn_v.weight"].type
        assert tensors[f"blk.{layer}.ffn_down_exps.weight"].type == of_values
        assert tensors[f"blk.{layer}.attn_q.weight"].type == Type.Q4_K
    assert tensors["output.weight"].type == Type.Q6_K
    assert tensors["token_embd.weight"].type == Type.Q4_K


@pytest.mark.parametrize("name, types, output, query", [
    ("gpt-oss-20b", "mxfp4", Type.Q8_0, Type.Q8_0), ("olmoe-1b-7b", "bf16", Type.BF16, Type.BF16),
    ("mixtral-8x7b", "q4_0", Type.Q6_K, Type.Q4_0), ("gpt-oss-20b", "q4_k", Type.Q8_0, Type.Q5_0),
])
def test_types_of_matrices(name: str, types: str, output: Type, query: Type) -> None:
    tensors = specs(name, types)
    assert tensors["output.weight"].type == output
    assert tensors["blk.0.attn_q.weight"].type == query


@each_preset
def test_random_blocks_are_sane(name: str, tmp_path: Path) -> None:
    reader = write(tmp_path, name, random_raw=True)
    assert len(reader.tensors) > 20
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.isfinite(values).all() and values.std() > 0, tensor.name
        if tensor.name.endswith("weight") and "attn" in tensor.name and values.ndim > 1:
            assert abs(values.std() * np.sqrt(values.shape[-1]) - 1) < 0.1, tensor.name


def test_layers_share_their_experts(tmp_path: Path) -> None:
    preset = scaled(PRESETS["qwen3-30b-a3b"], layers=2)
    contents = make_gguf.Contents(preset, seed=3, skew=0.0, random_raw=True, shared=True)
    first, second = (contents.of(spec) for spec in specs("qwen3-30b-a3b", layers=2).values()
                     if "ffn_up_exps" in spec.name)
    assert first is second and first.nbytes == 128 * 768 * 2048 // 256 * 144


@each_preset
def test_keys(name: str, tmp_path: Path) -> None:
    fields = write(tmp_path, name, header_only=True).fields
    keys = {key: field.contents() for key, field in fields.items()}
    arch, preset = ALL[name].arch, ALL[name]
    assert (f"{arch}.expert_count" in keys) == bool(preset.experts)
    assert keys["general.file_type"] == gguf.LlamaFileType.MOSTLY_Q4_K_M
    tokens = keys["tokenizer.ggml.tokens"]
    assert len(tokens) == len(keys["tokenizer.ggml.token_type"]) == TOKENS
    assert tokens[keys["tokenizer.ggml.eos_token_id"]] == "<|end|>"


@pytest.mark.parametrize("size", [258, 1000, 151936, 201088])
def test_vocabulary(size: int) -> None:
    tokens, types, merges = whole_models.vocabulary(size)
    assert len(tokens) == len(types) == size
    known = set(tokens)
    assert len(known) == size
    assert all("".join(parts) in known and set(parts) < known for parts in map(str.split, merges))
    ordinary = gguf.TokenType.NORMAL
    assert types.count(ordinary) == 256 + len(merges)
    assert len(merges) == min(size - 258, 95**2 + 53**3)


def test_no_vocabulary_without_bytes() -> None:
    with pytest.raises(ValueError, match="needs 258 tokens, not 257"):
        whole_models.vocabulary(257)


def test_dense_models_are_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["llama-3.2-1b", "--divide", "32", "-o", str(tmp_path / "model.gguf")]
    with pytest.raises(SystemExit):
        make_gguf.main(arguments)
    assert "llama-3.2-1b has no experts: write it with --whole" in capsys.readouterr().err
    with pytest.raises(ValueError, match="llama-3.2-1b has no layers with experts"):
        scaled(DENSE_PRESETS["llama-3.2-1b"], experts=4)
    assert make_gguf.main([*arguments, "--whole", "--layers", "2", "--header-only"]) == 0
