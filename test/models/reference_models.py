"""Small random models of each architecture: their shapes, and how their tensors and metadata look
in a GGUF file that llama.cpp's converter writes of them.

Names and shapes on the other side are those of Hugging Face transformers. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

#: Byte-level BPE: 256 bytes, six merges and two special tokens.
MERGES = ("t h", "Ġ t", "Ġt h", "i n", "a n", "e r")
SPECIAL_TOKENS = ("<|begin|>", "<|end|>")
VOCABULARY = 256 + len(MERGES) + len(SPECIAL_TOKENS)
BEGIN, END = VOCABULARY - 2, VOCABULARY - 1
CONTEXT = 256
LAYERS = 3


@dataclass(frozen=True)
class ReferenceModel:
    """One model. `config` holds the arguments of the transformers class `config_class`."""

    name: str
    arch: str
    config_class: str
    config: dict[str, Any]
    text_class: str = ""  # of a model that ends with its last norm: the output matrix is added
    rotates_neighbours: bool = False  # the converter permutes rows of queries and keys for that
    is_fused: bool = False  # checkpoints have queries, keys and values in one matrix
    gains: dict[str, float] = field(default_factory=dict)  # part of a name -> factor of its weights
    expert_type: Type = Type.Q8_0
    routes_by: str = "softmax"  # what margins are of: or "sigmoid", or "logits"

    @property
    def full_config(self) -> dict[str, Any]:
        """All arguments of the configuration."""
        return {
            "vocab_size": VOCABULARY, "hidden_size": 128, "num_hidden_layers": LAYERS,
            "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
            "tie_word_embeddings": False, "bos_token_id": BEGIN,
            "eos_token_id": END, "pad_token_id": None,
        } | self.config


#: An embedding that is the output matrix too: were it not small, the likeliest token would be the
#: last one again.
_TIED = {"embed_tokens": 0.0625, "model.norm": 4.0}
#: YaRN with which scores grow, not the rotated vectors. A tenth of `mscale_all_dim` is in the file:
#: it has to be a float32.
_DEEPSEEK_ROTATION = {
    "rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "beta_fast": 32.0,
    "beta_slow": 1.0, "mscale": 1.25, "mscale_all_dim": 1.25,
    "original_max_position_embeddings": 1024,
}

#: A file has float32 numbers, which these are.
_GRANITE_SCALES = {"embedding_multiplier": 12.0, "residual_multiplier": 0.21875,
                   "attention_multiplier": 0.09375, "logits_scaling": 6.0}
_GRANITE_GAINS = {"embed_tokens": 0.03125, "lm_head": 6.0}

MODELS: dict[str, ReferenceModel] = {
    model.name: model
    for model in (
        # Heads that are wider than hidden / heads, as in the real model.
        ReferenceModel(
            "qwen3moe", "qwen3moe", "Qwen3MoeConfig",
            {"head_dim": 64, "intermediate_size": 192, "moe_intermediate_size": 64,
             "num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True,
             "rms_norm_eps": 1e-6, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        ),
        # Four experts of twelve, a shared one with a gate, biases of queries, keys and values.
        ReferenceModel(
            "qwen2moe", "qwen2moe", "Qwen2MoeConfig",
            {"intermediate_size": 192, "moe_intermediate_size": 32,
             "shared_expert_intermediate_size": 96, "num_experts": 12, "num_experts_per_tok": 4,
             "norm_topk_prob": False, "rms_norm_eps": 1e-6,
             "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        ),
        # One norm for all heads; each head has keys of its own.
        ReferenceModel(
            "olmoe", "olmoe", "OlmoeConfig",
            {"intermediate_size": 64, "num_experts": 8, "num_experts_per_tok": 2,
             "num_key_value_heads": 4, "norm_topk_prob": False, "rms_norm_eps": 1e-5,
             "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
        ),
        ReferenceModel(
            "mixtral", "llama", "MixtralConfig",
            {"intermediate_size": 64, "num_local_experts": 8, "num_experts_per_tok": 2,
             "rms_norm_eps": 1e-5, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
            rotates_neighbours=True,
        ),
        # Llama 3.2: `rope_freqs`, and an output matrix that is the embedding. The original context
        # is so short that the factors matter within a few tokens.
        ReferenceModel(
            "llama", "llama", "LlamaConfig",
            {"head_dim": 32, "intermediate_size": 384, "rms_norm_eps": 1e-5,
             "tie_word_embeddings": True,
             "rope_parameters": {
                 "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0,
                 "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                 "original_max_position_embeddings": 64}},
            rotates_neighbours=True, gains=_TIED,
        ),
        # Three heads share keys.
        ReferenceModel(
            "qwen2", "qwen2", "Qwen2Config",
            {"hidden_size": 192, "num_attention_heads": 6, "intermediate_size": 320,
             "rms_norm_eps": 1e-6, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        ),
        # The norms of queries and keys with an embedding that is the output matrix.
        ReferenceModel(
            "qwen3", "qwen3", "Qwen3Config",
            {"head_dim": 64, "intermediate_size": 384, "rms_norm_eps": 1e-6,
             "tie_word_embeddings": True,
             "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
            gains=_TIED,
        ),
        # Experts in MXFP4 with biases, a window of 12 tokens in every other layer, sinks, YaRN with
        # ends between pairs. Gate and up are large enough for their limit.
        ReferenceModel(
            "gpt-oss", "gpt-oss", "GptOssConfig",
            {"head_dim": 32, "num_attention_heads": 8, "intermediate_size": 64,
             "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": 12,
             "rms_norm_eps": 1e-5,
             "rope_parameters": {
                 "rope_type": "yarn", "rope_theta": 150000.0, "factor": 32.0, "beta_fast": 32.0,
                 "beta_slow": 1.0, "truncate": False, "original_max_position_embeddings": 1024}},
            gains={"gate_up_proj": 3.0}, expert_type=Type.MXFP4, routes_by="logits",
        ),
        # DeepSeek-V2: latent attention, a dense layer first, the best 2 of 4 groups of experts.
        ReferenceModel(
            "deepseek-v2", "deepseek2", "DeepseekV2Config",
            {"num_key_value_heads": 4, "q_lora_rank": 64, "kv_lora_rank": 64,
             "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 48,
             "first_k_dense_replace": 1, "intermediate_size": 192, "moe_intermediate_size": 32,
             "n_routed_experts": 16, "n_shared_experts": 2, "num_experts_per_tok": 3,
             "n_group": 4, "topk_group": 2, "topk_method": "group_limited_greedy",
             "routed_scaling_factor": 2.0, "norm_topk_prob": False, "rms_norm_eps": 1e-6,
             "rope_parameters": _DEEPSEEK_ROTATION},
        ),
        # DeepSeek-V3: a bias for the choice of experts by sigmoids, weights normalised; no low rank
        # of queries, as in DeepSeek-V2-Lite.
        ReferenceModel(
            "deepseek-v3", "deepseek2", "DeepseekV3Config",
            {"num_key_value_heads": 4, "q_lora_rank": None, "kv_lora_rank": 64,
             "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32,
             "first_k_dense_replace": 1, "intermediate_size": 192, "moe_intermediate_size": 32,
             "n_routed_experts": 16, "n_shared_experts": 1, "num_experts_per_tok": 3,
             "n_group": 4, "topk_group": 2, "routed_scaling_factor": 2.5, "norm_topk_prob": True,
             "rms_norm_eps": 1e-6, "rope_parameters": _DEEPSEEK_ROTATION},
            routes_by="sigmoid",
        ),
        # Granite: embedding, residuals, scores and logits are scaled. The output matrix makes up
        # for its divisor.
        ReferenceModel(
            "granite", "granite", "GraniteConfig",
            {"intermediate_size": 256, "rms_norm_eps": 1e-5, **_GRANITE_SCALES,
             "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
            rotates_neighbours=True, gains=_GRANITE_GAINS,
        ),
        # The same with experts, and with a shared one beside them.
        ReferenceModel(
            "granitemoe", "granitemoe", "GraniteMoeSharedConfig",
            {"intermediate_size": 32, "shared_intermediate_size": 96, "num_local_experts": 8,
             "num_experts_per_tok": 3, "rms_norm_eps": 1e-6, **_GRANITE_SCALES,
             "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
            rotates_neighbours=True, gains=_GRANITE_GAINS,
        ),
        # GLM-4.5-Air: half of a head turns; biases of queries, keys and values; experts as in
        # DeepSeek-V3, without groups.
        ReferenceModel(
            "glm4moe", "glm4moe", "Glm4MoeConfig",
            {"head_dim": 32, "attention_bias": True, "use_qk_norm": False,
             "first_k_dense_replace": 1, "intermediate_size": 192, "moe_intermediate_size": 32,
             "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 3,
             "routed_scaling_factor": 1.5, "norm_topk_prob": True, "rms_norm_eps": 1e-5,
             "num_nextn_predict_layers": 0,
             "rope_parameters": {"rope_type": "default", "rope_theta": 1e6,
                                 "partial_rotary_factor": 0.5}},
            routes_by="sigmoid",
        ),
        # Ling 2.0: as GLM-4.5, with a norm of each head, groups of experts, and queries, keys and
        # values in one matrix. It has no class in transformers: Sarvam-30B, a model of this
        # architecture, is computed there by the class of GLM-4.5.
        ReferenceModel(
            "bailingmoe2", "bailingmoe2", "Glm4MoeConfig",
            {"head_dim": 32, "use_qk_norm": True, "first_k_dense_replace": 1,
             "intermediate_size": 192, "moe_intermediate_size": 32, "n_routed_experts": 16,
             "n_shared_experts": 1, "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2,
             "routed_scaling_factor": 2.5, "norm_topk_prob": True, "rms_norm_eps": 1e-6,
             "num_nextn_predict_layers": 0,
             "rope_parameters": {"rope_type": "default", "rope_theta": 600000.0,
                                 "partial_rotary_factor": 0.5}},
            routes_by="sigmoid", is_fused=True,
        ),
        # dots.llm1: heads as in Qwen3, experts as in DeepSeek-V3, without groups.
        ReferenceModel(
            "dots1", "dots1", "Dots1Config",
            {"head_dim": 32, "num_key_value_heads": 4, "sliding_window": None,
             "first_k_dense_replace": 1, "intermediate_size": 192, "moe_intermediate_size": 32,
             "n_routed_experts": 8, "n_shared_experts": 2, "num_experts_per_tok": 3,
             "routed_scaling_factor": 2.5, "norm_topk_prob": True, "rms_norm_eps": 1e-5,
             "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
            routes_by="sigmoid",
        ),
        # MiniMax-M2: one norm for all heads, of which half turns; sigmoids with a bias.
        ReferenceModel(
            "minimax-m2", "minimax-m2", "MiniMaxM2Config",
            {"head_dim": 64, "intermediate_size": 32, "num_local_experts": 8,
             "num_experts_per_tok": 3, "rms_norm_eps": 1e-6,
             "rope_parameters": {"rope_type": "default", "rope_theta": 5e6,
                                 "partial_rotary_factor": 0.5}},
            routes_by="sigmoid",
        ),
        # Hunyuan-A13B: a norm of each head after it has turned, and one shared expert. The base is
        # 10000 * 1000^(128/126), as files have it.
        ReferenceModel(
            "hunyuan-moe", "hunyuan-moe", "HunYuanMoEV1Config",
            {"head_dim": 32, "intermediate_size": 32, "num_experts": 8, "num_experts_per_tok": 3,
             "rms_norm_eps": 1e-5,
             "rope_parameters": {"rope_type": "default", "rope_theta": 11158840.0}},
        ),
        # ERNIE 4.5: neighbours rotate as they are; every second layer has experts, which are chosen
        # by softmax with a bias. The width of the shared ones is, as files have it, `intermediate`
        # divided by the heads of keys.
        ReferenceModel(
            "ernie4_5-moe", "ernie4_5-moe", "Ernie4_5_MoeConfig",
            {"intermediate_size": 128, "moe_intermediate_size": 32, "num_experts": 8,
             "num_experts_per_tok": 3, "moe_num_shared_experts": 2, "moe_layer_start_index": 1,
             "moe_layer_interval": 2, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
             "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}},
            gains=_TIED,
        ),
        # DeepSeekMoE: heads as in Llama, experts as in DeepSeek-V2. transformers has the two together
        # in the text model of DeepSeek-OCR.
        ReferenceModel(
            "deepseek", "deepseek", "DeepseekOcr2TextConfig",
            {"num_key_value_heads": 4, "mlp_layer_types": ["dense", "sparse", "sparse"],
             "intermediate_size": 192, "moe_intermediate_size": 32, "n_routed_experts": 8,
             "n_shared_experts": 2, "num_experts_per_tok": 3, "topk_method": "greedy",
             "routed_scaling_factor": 1.0, "rms_norm_eps": 1e-6,
             "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
            text_class="DeepseekOcr2TextModel", rotates_neighbours=True,
        ),
    )
}


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
    writer.add_head_count_kv(1 if is_latent else config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if "head_dim" in config:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    _add_rotation(writer, model)
    _add_experts(writer, model)
    if is_latent:
        _add_deepseek(writer, model)
    if model.arch in ("granite", "granitemoe"):
        _add_granite(writer, model)
    if model.arch in ("glm4moe", "dots1"):
        _add_routing(writer, model)
    if model.arch == "hunyuan-moe":
        _add_hunyuan(writer, model)
    if model.arch == "deepseek":
        _add_deepseek_moe(writer, model)
    if model.arch == "ernie4_5-moe":
        _add_ernie(writer, model)
    if model.arch == "minimax-m2":
        writer.add_expert_feed_forward_length(config["intermediate_size"])
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    if model.arch == "bailingmoe2":
        _add_bailing(writer, model)
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


def _add_deepseek(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    """Keys of latent attention, as many queries of one large key."""
    config = model.full_config
    rank, rotated = config["kv_lora_rank"], config["qk_rope_head_dim"]
    _add_routing(writer, model)
    writer.add_vocab_size(VOCABULARY)
    if config["q_lora_rank"] is not None:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(rank)
    writer.add_key_length(rank + rotated)
    writer.add_value_length(rank)
    writer.add_key_length_mla(config["qk_nope_head_dim"] + rotated)
    writer.add_value_length_mla(config["v_head_dim"])
    writer.add_rope_dimension_count(rotated)
    writer.add_rope_scaling_yarn_log_mul(0.1 * config["rope_parameters"]["mscale_all_dim"])


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
    writer.add_leading_dense_block_count(config["first_k_dense_replace"])
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


def _add_granite(writer: gguf.GGUFWriter, model: ReferenceModel) -> None:
    config = model.full_config
    writer.add_attention_scale(config["attention_multiplier"])
    writer.add_embedding_scale(config["embedding_multiplier"])
    writer.add_residual_scale(config["residual_multiplier"])
    writer.add_logit_scale(config["logits_scaling"])
    if "shared_intermediate_size" in config:
        writer.add_expert_shared_feed_forward_length(config["shared_intermediate_size"])


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
    elif stem.endswith(".kv_b_proj"):
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
