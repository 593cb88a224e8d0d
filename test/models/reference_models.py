"""Small random models of each architecture: the arguments of their Hugging Face transformers
classes, and what is special about their weights. `reference_files.py` writes them. Nothing here
needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
    keeps_latent_heads: bool = False  # the converter leaves what makes keys and values together
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
#: What the models with latent attention have in common.
_DEEPSEEK = {
    "num_key_value_heads": 4, "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16,
    "first_k_dense_replace": 1, "intermediate_size": 192, "moe_intermediate_size": 32,
    "num_experts_per_tok": 3, "rms_norm_eps": 1e-6, "rope_parameters": _DEEPSEEK_ROTATION}

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
            _DEEPSEEK | {
                "q_lora_rank": 64, "v_head_dim": 48, "n_routed_experts": 16, "n_shared_experts": 2,
                "n_group": 4, "topk_group": 2, "topk_method": "group_limited_greedy",
                "routed_scaling_factor": 2.0, "norm_topk_prob": False},
        ),
        # DeepSeek-V2-Lite as files of 2024 have it: no low rank of queries, one matrix for keys and
        # values of latents, keys of metadata that know heads and no latents.
        ReferenceModel(
            "deepseek-v2-lite", "deepseek2", "DeepseekV2Config",
            _DEEPSEEK | {
                "q_lora_rank": None, "v_head_dim": 48, "n_routed_experts": 8, "n_shared_experts": 2,
                "topk_method": "greedy", "routed_scaling_factor": 1.0, "norm_topk_prob": False},
            keeps_latent_heads=True,
        ),
        # DeepSeek-V3: a bias for the choice of experts by sigmoids, weights normalised; no low rank
        # of queries, as in DeepSeek-V2-Lite.
        ReferenceModel(
            "deepseek-v3", "deepseek2", "DeepseekV3Config",
            _DEEPSEEK | {
                "q_lora_rank": None, "v_head_dim": 32, "n_routed_experts": 16,
                "n_shared_experts": 1, "n_group": 4, "topk_group": 2,
                "routed_scaling_factor": 2.5, "norm_topk_prob": True},
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
        # DeepSeekMoE: heads as in Llama, experts as in DeepSeek-V2. transformers has the two in one
        # model, the text model of DeepSeek-OCR.
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
