"""The files of references/ are whole, and are what README.md there says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from reference_files import rotation_factors, to_gguf
from reference_models import END, LAYERS, MODELS, VOCABULARY, ReferenceModel

FOLDER = Path(__file__).parent / "references"
NAMES = sorted(MODELS)

#: name -> tensors of a layer that others need not have, and keys.
SPECIAL: dict[str, tuple[set[str], dict[str, Any]]] = {
    "qwen3moe": (
        {"attn_q_norm.weight", "attn_k_norm.weight", "ffn_gate_exps.weight"},
        {"attention.key_length": 64, "attention.value_length": 64, "expert_count": 8,
         "expert_used_count": 2, "expert_feed_forward_length": 64, "rope.freq_base": 1e6},
    ),
    "qwen2moe": (
        {"attn_q.bias", "attn_k.bias", "attn_v.bias", "ffn_gate_inp_shexp.weight",
         "ffn_up_shexp.weight"},
        {"expert_count": 12, "expert_used_count": 4, "expert_feed_forward_length": 32,
         "expert_shared_feed_forward_length": 96},
    ),
    "olmoe": (
        {"attn_q_norm.weight", "attn_k_norm.weight", "ffn_down_exps.weight"},
        {"attention.head_count_kv": 4, "expert_count": 8, "expert_feed_forward_length": None},
    ),
    "mixtral": (
        {"ffn_gate_inp.weight"},
        {"expert_count": 8, "rope.dimension_count": 32, "expert_feed_forward_length": None,
         "vocab_size": VOCABULARY, "attention.key_length": None},
    ),
    "llama": (
        {"ffn_gate.weight"},
        {"attention.key_length": 32, "rope.dimension_count": 32, "expert_count": None},
    ),
    "qwen2": ({"attn_k.bias"}, {"attention.head_count": 6, "attention.key_length": None}),
    "qwen3": ({"attn_k_norm.weight"}, {"attention.key_length": 64}),
    "gpt-oss": (
        {"attn_sinks.weight", "attn_output.bias", "post_attention_norm.weight",
         "ffn_gate_inp.bias", "ffn_gate_exps.bias", "ffn_down_exps.bias"},
        {"attention.sliding_window": 12, "rope.scaling.type": "yarn", "rope.scaling.factor": 32.0,
         "rope.scaling.original_context_length": 1024, "expert_feed_forward_length": 64},
    ),
    "deepseek-v2": (
        {"attn_q_a.weight", "attn_q_a_norm.weight", "attn_q_b.weight", "attn_kv_a_mqa.weight",
         "attn_kv_a_norm.weight", "attn_k_b.weight", "attn_v_b.weight", "ffn_gate_shexp.weight"},
        {"leading_dense_block_count": 1, "attention.head_count_kv": 1, "attention.q_lora_rank": 64,
         "attention.kv_lora_rank": 64, "attention.key_length": 80, "attention.value_length": 64,
         "attention.key_length_mla": 48, "attention.value_length_mla": 48,
         "rope.dimension_count": 16, "rope.scaling.yarn_log_multiplier": 0.125,
         "expert_group_count": 4, "expert_group_used_count": 2, "expert_weights_scale": 2.0,
         "expert_gating_func": 1, "expert_weights_norm": None, "expert_shared_count": 2},
    ),
    "deepseek-v2-lite": (
        {"attn_q.weight", "attn_kv_b.weight"},
        {"attention.head_count_kv": 4, "attention.q_lora_rank": None, "attention.key_length": 48,
         "attention.value_length": 48, "attention.key_length_mla": None,
         "attention.value_length_mla": None, "expert_group_count": 1},
    ),
    "deepseek-v3": (
        {"attn_q.weight", "exp_probs_b.bias"},
        {"attention.q_lora_rank": None, "expert_gating_func": 2, "expert_weights_norm": True,
         "expert_weights_scale": 2.5, "expert_shared_count": 1},
    ),
    "granite": (
        {"ffn_gate.weight"},
        {"embedding_scale": 12.0, "residual_scale": 0.21875, "attention.scale": 0.09375,
         "logit_scale": 6.0, "rope.dimension_count": 32, "expert_count": None},
    ),
    "granitemoe": (
        {"ffn_gate_exps.weight", "ffn_up_shexp.weight", "ffn_down_shexp.weight"},
        {"residual_scale": 0.21875, "expert_count": 8, "feed_forward_length": 32,
         "expert_feed_forward_length": None, "expert_shared_feed_forward_length": 96,
         "expert_shared_count": None},
    ),
    "glm4moe": (
        {"attn_k.bias", "post_attention_norm.weight", "exp_probs_b.bias", "ffn_up_shexp.weight"},
        {"rope.dimension_count": 16, "attention.key_length": 32, "leading_dense_block_count": 1,
         "expert_gating_func": 2, "expert_weights_norm": True, "expert_weights_scale": 1.5},
    ),
    "bailingmoe2": (
        {"attn_qkv.weight", "attn_q_norm.weight", "ffn_norm.weight", "exp_probs_b.bias"},
        {"rope.dimension_count": 16, "rope.scaling.type": "none", "expert_group_count": 4,
         "expert_group_used_count": 2, "expert_shared_feed_forward_length": 32},
    ),
    "hunyuan-moe": (
        {"attn_q_norm.weight", "ffn_gate_shexp.weight"},
        {"rope.freq_base": 11158840.0, "rope.scaling.type": "none", "expert_shared_count": 1,
         "expert_gating_func": None, "expert_weights_norm": None},
    ),
    "deepseek": (
        {"attn_q.weight", "ffn_gate_exps.weight", "ffn_down_shexp.weight"},
        {"rope.dimension_count": 32, "rope.scaling.type": "none", "leading_dense_block_count": 1,
         "expert_weights_scale": 1.0, "expert_shared_count": 2, "expert_gating_func": None,
         "vocab_size": VOCABULARY},
    ),
    "ernie4_5-moe": (
        {"ffn_gate.weight"},
        {"interleave_moe_layer_step": 2, "leading_dense_block_count": 1, "expert_shared_count": 2,
         "expert_shared_feed_forward_length": 64, "expert_gating_func": None},
    ),
    "minimax-m2": (
        {"attn_q_norm.weight", "ffn_gate_exps.weight", "exp_probs_b.bias"},
        {"attention.key_length": 64, "rope.dimension_count": 32, "expert_gating_func": 2,
         "expert_feed_forward_length": 32, "expert_weights_norm": None},
    ),
    "dots1": (
        {"attn_q_norm.weight", "attn_k_norm.weight", "ffn_norm.weight", "exp_probs_b.bias"},
        {"attention.head_count_kv": 4, "leading_dense_block_count": 1, "expert_shared_count": 2,
         "expert_gating_func": 2, "expert_weights_norm": True, "expert_weights_scale": 2.5},
    ),
}


def read(name: str) -> gguf.GGUFReader:
    return gguf.GGUFReader(FOLDER / name / "model.gguf")


def value(reader: gguf.GGUFReader, key: str) -> Any:
    field = reader.fields.get(key)
    return None if field is None else field.contents()


def experts_of(model: ReferenceModel) -> tuple[int, int]:
    """Layers with experts, and experts that a token uses."""
    config = model.full_config
    used = config.get("num_experts_per_tok", 0)
    if "mlp_layer_types" in config:
        return config["mlp_layer_types"].count("sparse"), used
    first = config.get("first_k_dense_replace", config.get("moe_layer_start_index", 0))
    step = config.get("moe_layer_interval", 1)
    layers = [layer for layer in range(first, LAYERS) if (layer + 1) % step == 0]
    return (len(layers) if used else 0), used


def test_every_model_is_there() -> None:
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == NAMES
    assert sorted(SPECIAL) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_arrays(name: str) -> None:
    arrays = dict(np.load(FOLDER / name / "reference.npz"))
    layers, used = experts_of(MODELS[name])
    expected = {
        "tokens": ((2, 32), np.int32), "logits": ((2, 32, VOCABULARY), np.float64),
        "prompt": ((100,), np.int32), "generated": ((40,), np.int32),
        "generated_margins": ((40,), np.float64),
    }
    if layers:
        expected |= {
            "ids": ((layers, 2, 32, used), np.int32), "margins": ((layers, 2, 32), np.float64),
            "generated_routing_margins": ((139,), np.float64),
        }
    assert {key: (array.shape, array.dtype) for key, array in arrays.items()} == expected
    for key in ("tokens", "prompt", "generated"):
        assert arrays[key].min() >= 0 and arrays[key].max() < VOCABULARY
    assert 1 < arrays["logits"].std() < 4
    assert len(set(arrays["generated"])) >= 20 and END not in arrays["generated"]
    assert arrays["generated_margins"].min() > 2e-3
    if layers:
        experts = {int(expert) for expert in arrays["ids"].flat}
        assert experts == set(range(max(experts) + 1)), "an expert has no token"
        assert min(arrays["margins"].min(), arrays["generated_routing_margins"].min()) > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_sizes(name: str) -> None:
    assert (FOLDER / name / "reference.npz").stat().st_size < 150_000
    assert (FOLDER / name / "model.gguf").stat().st_size < 1_500_000


@pytest.mark.parametrize("name", NAMES)
def test_metadata(name: str) -> None:
    reader, config = read(name), MODELS[name].full_config
    arch = value(reader, "general.architecture")
    assert arch == MODELS[name].arch
    keys = {"block_count": LAYERS, "context_length": 256,
            "embedding_length": config["hidden_size"],
            "attention.head_count": config["num_attention_heads"]} | SPECIAL[name][1]
    assert {key: value(reader, f"{arch}.{key}") for key in keys} == keys
    epsilon = value(reader, f"{arch}.attention.layer_norm_rms_epsilon")
    assert epsilon == np.float32(config["rms_norm_eps"])


@pytest.mark.parametrize("name", NAMES)
def test_tokenizer(name: str) -> None:
    reader = read(name)
    tokens = value(reader, "tokenizer.ggml.tokens")
    assert len(set(tokens)) == len(tokens) == VOCABULARY
    assert tokens[ord("A")] == "A" and tokens[ord(" ")] == "Ġ" and tokens[0xFF] == "ÿ"
    assert [tokens.index(merge.replace(" ", ""))
            for merge in value(reader, "tokenizer.ggml.merges")] == list(range(256, 262))
    assert tokens[value(reader, "tokenizer.ggml.bos_token_id")] == "<|begin|>"
    assert tokens[value(reader, "tokenizer.ggml.eos_token_id")] == "<|end|>"


@pytest.mark.parametrize("name", NAMES)
def test_tensors(name: str) -> None:
    model, reader = MODELS[name], read(name)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    last = f"blk.{LAYERS - 1}."
    assert SPECIAL[name][0] <= {tensor.removeprefix(last) for tensor in tensors}
    is_tied = model.full_config["tie_word_embeddings"]
    assert ("output.weight" in tensors) != is_tied
    assert tensors["token_embd.weight"].shape.tolist() == [model.full_config["hidden_size"],
                                                           VOCABULARY]
    for tensor in tensors.values():
        is_matrix = len(tensor.shape) > 1 and tensor.name.endswith(".weight")
        expected = Type.Q8_0 if is_matrix and "ffn_gate_inp" not in tensor.name else Type.F32
        if name == "gpt-oss" and tensor.name.endswith("_exps.weight"):
            expected = Type.MXFP4
        assert tensor.tensor_type == expected, tensor.name
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.isfinite(values).all() and values.std() > 0, tensor.name


def test_rotation_factors() -> None:
    """Of Llama 3: from 1 for the shortest periods to the whole factor for the longest."""
    (stored,) = (tensor for tensor in read("llama").tensors if tensor.name == "rope_freqs.weight")
    assert stored.tensor_type == Type.F32
    np.testing.assert_array_equal(stored.data, rotation_factors(MODELS["llama"].full_config))
    assert stored.data[0] == 1 and stored.data[-1] == 8
    assert np.any((stored.data > 1.1) & (stored.data < 7.9))
    assert rotation_factors(MODELS["mixtral"].full_config) is None


def test_order_of_rotation() -> None:
    """Rows 0 and 16 of a head of 32, which turn together, become rows 0 and 1; biases too."""
    name = "model.layers.1.self_attn.k_proj."
    for suffix in ("weight", "bias"):
        rows = np.arange(64.0) if suffix == "bias" else np.arange(64.0)[:, None] * np.ones(2)
        (stored,) = to_gguf(MODELS["llama"], name + suffix, rows).values()
        first = stored.reshape(64, -1)[:, 0]
        assert first[:4].tolist() == [0, 16, 1, 17] and first[32:35].tolist() == [32, 48, 33]
        (stored,) = to_gguf(MODELS["qwen2"], name + suffix, rows).values()
        np.testing.assert_array_equal(stored, rows)


def test_experts_are_split() -> None:
    name = "model.layers.0.mlp.experts.gate_up_proj"
    both = np.arange(8.0).reshape(1, 4, 2)
    assert {key: array.tolist() for key, array in
            to_gguf(MODELS["mixtral"], name, both).items()} == {
        "blk.0.ffn_gate_exps.weight": [[0, 1], [2, 3]],
        "blk.0.ffn_up_exps.weight": [[4, 5], [6, 7]]}
    # gpt-oss has them alternating, and transposed.
    assert {key: array.tolist() for key, array in
            to_gguf(MODELS["gpt-oss"], name, both.swapaxes(1, 2)).items()} == {
        "blk.0.ffn_gate_exps.weight": [[0, 1], [4, 5]],
        "blk.0.ffn_up_exps.weight": [[2, 3], [6, 7]]}


def test_unknown_parameter() -> None:
    with pytest.raises(ValueError, match="qwen2: the converter has no name for 'model.new.weight'"):
        to_gguf(MODELS["qwen2"], "model.new.weight", np.ones(2))
