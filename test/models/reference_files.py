"""How the tensors and metadata of the models of `reference_models.py` look in a GGUF file that
llama.cpp's converter writes of them.

Names and shapes on the other side are those of Hugging Face transformers. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from reference_models import (
    BEGIN,
    CONTEXT,
    END,
    LAYERS,
    MERGES,
    SPECIAL_TOKENS,
    VOCABULARY,
    ReferenceModel,
)

# --- tokens ---------------------------------------------------------------------------------------


def byte_letters() -> list[str]:
    """The letter of each byte in GPT-2's byte-level vocabularies: itself if it can be seen."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in visible)
    letters = {byte: chr(byte) for byte in visible}
    letters |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def tokens() -> list[str]:
    """The vocabulary, by id."""
    return [*byte_letters(), *(merge.replace(" ", "") for merge in MERGES), *SPECIAL_TOKENS]


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """Writes the tokenizer's keys."""
    ordinary = VOCABULARY - len(SPECIAL_TOKENS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens())
    writer.add_token_types([gguf.TokenType.NORMAL] * ordinary
                           + [gguf.TokenType.CONTROL] * len(SPECIAL_TOKENS))
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(False)


# --- metadata -------------------------------------------------------------------------------------


def add_metadata(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    """Writes the keys that the converter writes for every architecture, and those of this one."""
    config = model.full_config
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"random weights, {model.name}")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    is_latent = model.arch == "deepseek2"
    has_one_key = is_latent and not model.keeps_latent_heads
    writer.add_head_count_kv(1 if has_one_key else config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if "head_dim" in config:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    _add_rotation(writer, model)
    _add_experts(writer, model)
    if model.arch in _KEYS:
        _KEYS[model.arch](writer, model)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def head_size(config: dict[str, Any]) -> int:
    return config.get("head_dim", config["hidden_size"] // config["num_attention_heads"])


def _add_rotation(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    config = model.full_config
    rotation = config["rope_parameters"]
    writer.add_rope_freq_base(rotation["rope_theta"])
    if model.arch in ("llama", "granite", "granitemoe"):
        writer.add_vocab_size(VOCABULARY)
        writer.add_rope_dimension_count(head_size(config))
    if "partial_rotary_factor" in rotation:
        writer.add_rope_dimension_count(
            int(head_size(config) * rotation["partial_rotary_factor"]))
    if rotation["rope_type"] == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rotation["factor"])
        writer.add_rope_scaling_orig_ctx_len(rotation["original_max_position_embeddings"])
        writer.add_rope_scaling_yarn_beta_fast(rotation["beta_fast"])
        writer.add_rope_scaling_yarn_beta_slow(rotation["beta_slow"])
    if model.arch == "gpt-oss":
        writer.add_sliding_window(config["sliding_window"])


def _add_experts(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    config = model.full_config
    experts = next((config[key] for key in ("num_experts", "num_local_experts", "n_routed_experts")
                    if key in config), None)
    if experts is None:
        return
    writer.add_expert_count(experts)
    writer.add_expert_used_count(config["num_experts_per_tok"])
    if "moe_intermediate_size" in config:
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    elif model.arch == "gpt-oss":
        writer.add_expert_feed_forward_length(config["intermediate_size"])
    if "shared_expert_intermediate_size" in config:
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    if "first_k_dense_replace" in config:
        writer.add_leading_dense_block_count(config["first_k_dense_replace"])


def _add_latents(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    """Keys of latent attention: as many queries of one large key, or, in old files, as heads."""
    config = model.full_config
    rank, rotated = config["kv_lora_rank"], config["qk_rope_head_dim"]
    key, value = config["qk_nope_head_dim"] + rotated, config["v_head_dim"]
    writer.add_vocab_size(VOCABULARY)
    if config["q_lora_rank"] is not None:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(rank)
    if model.keeps_latent_heads:
        writer.add_key_length(key)
        writer.add_value_length(value)
    else:
        writer.add_key_length(rank + rotated)
        writer.add_value_length(rank)
        writer.add_key_length_mla(key)
        writer.add_value_length_mla(value)
    writer.add_rope_dimension_count(rotated)
    writer.add_rope_scaling_yarn_log_mul(0.1 * config["rope_parameters"]["mscale_all_dim"])
    _add_routing(writer, model)


def _add_deepseek_moe(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    """Keys of DeepSeek before latent attention: weights are never normalised."""
    config = model.full_config
    writer.add_rope_dimension_count(head_size(config))
    writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
    writer.add_leading_dense_block_count(config["mlp_layer_types"].count("dense"))
    writer.add_vocab_size(VOCABULARY)
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_shared_count(config["n_shared_experts"])


def _add_routing(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    """Keys of experts as DeepSeek has them."""
    config = model.full_config
    writer.add_expert_shared_count(config["n_shared_experts"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    writer.add_expert_group_count(config.get("n_group", 1))
    writer.add_expert_group_used_count(config.get("topk_group", 1))
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType[model.routes_by.upper()])
    if config["norm_topk_prob"]:
        writer.add_expert_weights_norm(True)


def _add_bailing(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    config = model.full_config
    _add_routing(writer, model)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
    writer.add_expert_shared_feed_forward_length(
        config["moe_intermediate_size"] * config["n_shared_experts"])


def _add_hunyuan(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    """Keys of experts, and those of a rotation that is scaled by its base alone."""
    config = model.full_config
    writer.add_expert_shared_feed_forward_length(config["intermediate_size"])
    writer.add_expert_feed_forward_length(config["intermediate_size"])
    writer.add_expert_shared_count(1)
    writer.add_rope_scaling_type(gguf.RopeScalingType.NONE)
    writer.add_rope_scaling_factor(1.0)
    writer.add_rope_scaling_orig_ctx_len(CONTEXT)


def _add_ernie(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    config = model.full_config
    writer.add_interleave_moe_layer_step(config["moe_layer_interval"])
    writer.add_leading_dense_block_count(config["moe_layer_start_index"])
    writer.add_expert_shared_count(config["moe_num_shared_experts"])
    writer.add_expert_shared_feed_forward_length(
        config["intermediate_size"] // config["num_key_value_heads"])


def _add_minimax(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    writer.add_expert_feed_forward_length(model.full_config["intermediate_size"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)


def _add_granite(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    config = model.full_config
    writer.add_attention_scale(config["attention_multiplier"])
    writer.add_embedding_scale(config["embedding_multiplier"])
    writer.add_residual_scale(config["residual_multiplier"])
    writer.add_logit_scale(config["logits_scaling"])
    if "shared_intermediate_size" in config:
        writer.add_expert_shared_feed_forward_length(config["shared_intermediate_size"])


#: What writes the keys that an architecture has beside the common ones.
_KEYS: dict[str, Callable[[gguf.GGUFWriter, ReferenceModel], None]] = {
    "deepseek2": _add_latents, "deepseek": _add_deepseek_moe, "glm4moe": _add_routing,
    "dots1": _add_routing, "minimax-m2": _add_minimax, "hunyuan-moe": _add_hunyuan,
    "ernie4_5-moe": _add_ernie, "bailingmoe2": _add_bailing, "granite": _add_granite,
    "granitemoe": _add_granite,
}


# --- tensors --------------------------------------------------------------------------------------


def _for_neighbours(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys reordered, in each head, so that elements i and i + n/2 that turn
    together become neighbours."""
    halves = rows.reshape(heads, 2, -1, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


#: What parameters are called in transformers, and in the checkpoints that the converter reads.
_NAMES_OF_CHECKPOINTS = {
    "block_sparse_moe.router.": "block_sparse_moe.router.layer.",
    "block_sparse_moe.experts": "mlp.experts",
    "gate.moe_statics": "moe_statics",
    "shared_mlp.input_linear": "mlp.shared_experts.gate_up_proj",
}


def _name_in_checkpoint(name: str) -> str:
    for part, stored in _NAMES_OF_CHECKPOINTS.items():
        name = name.replace(part, stored)
    return name


def _gate_and_up(model: ReferenceModel, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those of all experts, of a parameter that holds both: one after the other, or, in gpt-oss,
    alternating."""
    if model.arch == "gpt-oss":
        return values[:, ::2], values[:, 1::2]
    gate, up = np.split(values, 2, axis=1)
    return gate, up


def _keys_and_values(model: ReferenceModel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each head, the matrix that makes latent vectors of its queries, [rank, key], and that
    which makes values of latent vectors, [value, rank]."""
    config = model.full_config
    heads = rows.reshape(config["num_attention_heads"], -1, rows.shape[-1])
    keys, values = np.split(heads, [config["qk_nope_head_dim"]], axis=1)
    return keys.swapaxes(1, 2), values


def _parts(model: ReferenceModel, name: str, values: np.ndarray) -> Iterator[
        tuple[str, np.ndarray]]:
    """The tensors of the checkpoint that a parameter of transformers corresponds to."""
    config = model.full_config
    name = _name_in_checkpoint(name)
    stem, _, last = name.rpartition(".")
    if stem.endswith(".experts"):
        last, suffix = last.removesuffix("_bias"), "bias" if last.endswith("_bias") else "weight"
        if model.arch == "gpt-oss" and suffix == "weight":
            values = values.swapaxes(1, 2)
        if last == "gate_up_proj":
            for part, half in zip(("gate_proj", "up_proj"), _gate_and_up(model, values)):
                yield f"{stem}.{part}.{suffix}", half
        else:
            yield f"{stem}.{last}.{suffix}", values
    elif stem.endswith(".shared_experts.gate_up_proj"):
        for part, half in zip(("gate_proj", "up_proj"), np.split(values, 2)):
            yield name.replace("gate_up_proj", part), half
    elif model.is_fused and stem.endswith((".q_proj", ".k_proj", ".v_proj")):
        yield f"{stem.rpartition('.')[0]}.qkv_proj.{last}", values
    elif stem.endswith(".kv_b_proj") and not model.keeps_latent_heads:
        keys, values = _keys_and_values(model, values)
        yield name.replace("kv_b_proj", "k_b_proj"), keys
        yield name.replace("kv_b_proj", "v_b_proj"), values
    elif model.rotates_neighbours and stem.endswith(".q_proj"):
        yield name, _for_neighbours(values, config["num_attention_heads"])
    elif model.rotates_neighbours and stem.endswith(".k_proj"):
        yield name, _for_neighbours(values, config["num_key_value_heads"])
    elif last == "sinks":
        yield name + ".weight", values
    elif last == "e_score_correction_bias":
        yield f"{stem}.e_score_correction.bias", values
    else:
        yield name, values


def to_gguf(model: ReferenceModel, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """The tensors of the file, in NumPy's order of dimensions, that parameter `name` becomes; those
    of which another parameter has the first rows, without these.

    Values are only moved, never computed: given their indices instead, this says where each goes.
    """
    if name == "lm_head.weight" and model.full_config["tie_word_embeddings"]:
        return {}
    arch = next(key for key, text in gguf.MODEL_ARCH_NAMES.items() if text == model.arch)
    names = gguf.get_tensor_name_map(arch, LAYERS)
    found = {}
    for part, array in _parts(model, name, values):
        mapped = names.get_name(part, try_suffixes=(".weight", ".bias"))
        if mapped is None:
            raise ValueError(f"{model.name}: the converter has no name for '{part}'")
        found[mapped] = array.squeeze()
    return found


def stored_type(model: ReferenceModel, name: str, array: np.ndarray) -> Type:
    """Matrices are Q8_0, except for experts where the model says so; vectors, biases and routers
    are F32, as in every file."""
    if array.ndim == 1 or name.endswith(".bias") or "ffn_gate_inp" in name:
        return Type.F32
    return model.expert_type if "_exps" in name else Type.Q8_0


def rotation_factors(config: dict[str, Any]) -> np.ndarray | None:
    """What the converter writes as `rope_freqs` for the rotation of Llama 3: factors by which the
    period of each pair grows. Periods above the original context grow most, short ones not."""
    rotation = config["rope_parameters"]
    if rotation["rope_type"] != "llama3":
        return None
    size = head_size(config)
    periods = 2 * np.pi * rotation["rope_theta"] ** (np.arange(0, size, 2) / size)
    turns = rotation["original_max_position_embeddings"] / periods
    low, high = rotation["low_freq_factor"], rotation["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - kept) / rotation["factor"] + kept)).astype(np.float32)


def write_gguf(path: str, model: ReferenceModel, tensors: dict[str, np.ndarray]) -> None:
    """Writes the file with `tensors`, which are named and laid out as `to_gguf` gives them."""
    writer = gguf.GGUFWriter(path, model.arch)
    add_metadata(writer, model)
    add_tokenizer(writer)
    for name, array in tensors.items():
        kind = stored_type(model, name, array)
        data = gguf.quants.quantize(np.ascontiguousarray(array, np.float32), kind)
        writer.add_tensor(name, data, raw_dtype=kind)
    factors = rotation_factors(model.full_config)
    if factors is not None:
        writer.add_tensor("rope_freqs.weight", factors)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
