"""Shapes, metadata and tensor types of the public models that `make_gguf.py` imitates.

Facts are those of the models' published configurations and of the keys and names that llama.cpp's
converters write for them. Of tensors only the feed-forward half of a layer is described: those of
the rest of a model are in `whole_models.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from gguf import ExpertGatingFuncType, RopeScalingType
from gguf import GGMLQuantizationType as Type

from ik_types import IQ4_KS, Q4_K_R4
from quantizers import TYPES, block_size


@dataclass(frozen=True)
class Preset:
    """The feed-forward halves of one model. Widths are elements, keys are without `<arch>.`"""

    name: str
    arch: str
    layers: int
    hidden: int
    experts: int
    used: int
    expert_width: int
    dense_width: int  # feed_forward_length; the width of dense layers where there are any
    rms_epsilon: float
    metadata: dict[str, Any]
    writes_expert_width: bool = True  # expert_feed_forward_length; Mixtral and OLMoE have none
    dense_layers: int = 0  # leading layers without experts
    shared_experts: int = 0  # stored as one matrix of shared_experts * expert_width
    groups: int = 1
    selection_bias: bool = False  # exp_probs_b
    biases: bool = False  # of the router and of every expert
    expert_scales: bool = False  # a factor of each expert's matrix
    shared_gate: bool = False  # the shared expert has a sigmoid gate
    norm: str = "ffn_norm"
    gain: float = 1.0  # of gate and up weights, to reach the limits of a clamped activation
    router_spread: float = 1.5  # standard deviation of the router's logits
    tied_output: bool = False  # the embedding is the output matrix
    rotation_factors: bool = False  # rope_freqs

    @property
    def shared_width(self) -> int:
        return self.shared_experts * self.expert_width


_DEEPSEEK_ROPE = {
    "rope.dimension_count": 64,
    "rope.freq_base": 10000.0,
    "rope.scaling.type": RopeScalingType.YARN.value,
    "rope.scaling.factor": 40.0,
    "rope.scaling.original_context_length": 4096,
}
# Multi-head latent attention: keys and values as the compressed cache holds them.
_DEEPSEEK_ATTENTION = {
    "attention.head_count_kv": 1,
    "attention.kv_lora_rank": 512,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
}

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="qwen3-30b-a3b", arch="qwen3moe", layers=48, hidden=2048, experts=128, used=8,
            expert_width=768, dense_width=6144, rms_epsilon=1e-6,
            metadata={
                "vocab_size": 151936, "context_length": 40960,
                "attention.head_count": 32, "attention.head_count_kv": 4,
                "attention.key_length": 128, "attention.value_length": 128,
                "rope.freq_base": 1e6,
            },
        ),
        Preset(
            name="qwen1.5-moe-a2.7b", arch="qwen2moe", layers=24, hidden=2048, experts=60, used=4,
            expert_width=1408, dense_width=5632, shared_experts=4, shared_gate=True,
            rms_epsilon=1e-6,
            metadata={
                "vocab_size": 151936, "context_length": 8192,
                "attention.head_count": 16, "attention.head_count_kv": 16,
                "rope.freq_base": 1e6,
            },
        ),
        Preset(
            name="olmoe-1b-7b", arch="olmoe", layers=16, hidden=2048, experts=64, used=8,
            expert_width=1024, dense_width=1024, writes_expert_width=False, rms_epsilon=1e-5,
            metadata={
                "vocab_size": 50304, "context_length": 4096,
                "attention.head_count": 16, "attention.head_count_kv": 16,
                "rope.freq_base": 10000.0,
            },
        ),
        Preset(
            name="mixtral-8x7b", arch="llama", layers=32, hidden=4096, experts=8, used=2,
            expert_width=14336, dense_width=14336, writes_expert_width=False, rms_epsilon=1e-5,
            metadata={
                "vocab_size": 32000, "context_length": 32768,
                "attention.head_count": 32, "attention.head_count_kv": 8,
                "rope.freq_base": 1e6, "rope.dimension_count": 128,
            },
        ),
        Preset(
            name="deepseek-v2-lite", arch="deepseek2", layers=27, hidden=2048, experts=64, used=6,
            expert_width=1408, dense_width=10944, dense_layers=1, shared_experts=2,
            rms_epsilon=1e-6,
            metadata={
                "vocab_size": 102400, "context_length": 163840, "attention.head_count": 16,
                **_DEEPSEEK_ATTENTION, **_DEEPSEEK_ROPE,
                "rope.scaling.yarn_log_multiplier": 0.0707,
                "expert_group_count": 1, "expert_group_used_count": 1,
                "expert_gating_func": ExpertGatingFuncType.SOFTMAX.value,
                "expert_weights_scale": 1.0,  # and no expert_weights_norm: it is false
            },
        ),
        Preset(
            name="deepseek-v2", arch="deepseek2", layers=60, hidden=5120, experts=160, used=6,
            expert_width=1536, dense_width=12288, dense_layers=1, shared_experts=2, groups=8,
            rms_epsilon=1e-6,
            metadata={
                "vocab_size": 102400, "context_length": 163840, "attention.head_count": 128,
                "attention.q_lora_rank": 1536, **_DEEPSEEK_ATTENTION, **_DEEPSEEK_ROPE,
                "rope.scaling.yarn_log_multiplier": 0.1,
                "expert_group_count": 8, "expert_group_used_count": 3,
                "expert_gating_func": ExpertGatingFuncType.SOFTMAX.value,
                "expert_weights_scale": 16.0,
            },
        ),
        Preset(
            name="deepseek-v3", arch="deepseek2", layers=61, hidden=7168, experts=256, used=8,
            expert_width=2048, dense_width=18432, dense_layers=3, shared_experts=1, groups=8,
            selection_bias=True, rms_epsilon=1e-6,
            metadata={
                "vocab_size": 129280, "context_length": 163840, "attention.head_count": 128,
                "attention.q_lora_rank": 1536, **_DEEPSEEK_ATTENTION, **_DEEPSEEK_ROPE,
                "rope.scaling.yarn_log_multiplier": 0.1,
                "expert_group_count": 8, "expert_group_used_count": 4,
                "expert_gating_func": ExpertGatingFuncType.SIGMOID.value,
                "expert_weights_scale": 2.5, "expert_weights_norm": True,
            },
        ),
        Preset(
            name="gpt-oss-20b", arch="gpt-oss", layers=24, hidden=2880, experts=32, used=4,
            expert_width=2880, dense_width=2880, biases=True, norm="post_attention_norm", gain=3.0,
            rms_epsilon=1e-5,
            metadata={
                "vocab_size": 201088, "context_length": 131072,
                "attention.head_count": 64, "attention.head_count_kv": 8,
                "attention.key_length": 64, "attention.value_length": 64,
                "attention.sliding_window": 128,
                "rope.freq_base": 150000.0, "rope.scaling.type": RopeScalingType.YARN.value,
                "rope.scaling.factor": 32.0, "rope.scaling.original_context_length": 4096,
            },
        ),
        Preset(
            name="glm-4.5-air", arch="glm4moe", layers=46, hidden=4096, experts=128, used=8,
            expert_width=1408, dense_width=10944, dense_layers=1, shared_experts=1,
            selection_bias=True, norm="post_attention_norm", rms_epsilon=1e-5,
            metadata={
                "vocab_size": 151552, "context_length": 131072,
                "attention.head_count": 96, "attention.head_count_kv": 8,
                "attention.key_length": 128, "attention.value_length": 128,
                "rope.freq_base": 1e6, "rope.dimension_count": 64,
                "expert_group_count": 1, "expert_group_used_count": 1,
                "expert_gating_func": ExpertGatingFuncType.SIGMOID.value,
                "expert_weights_scale": 1.0, "expert_weights_norm": True,
            },
        ),
    )
}

#: Models without experts, which are written whole or not at all.
DENSE_PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="llama-3.1-8b", arch="llama", layers=32, hidden=4096, experts=0, used=0,
            expert_width=0, dense_width=14336, dense_layers=32, rms_epsilon=1e-5,
            rotation_factors=True,
            metadata={
                "vocab_size": 128256, "context_length": 131072,
                "attention.head_count": 32, "attention.head_count_kv": 8,
                "rope.freq_base": 500000.0, "rope.dimension_count": 128,
            },
        ),
        Preset(
            name="llama-3.2-1b", arch="llama", layers=16, hidden=2048, experts=0, used=0,
            expert_width=0, dense_width=8192, dense_layers=16, rms_epsilon=1e-5,
            rotation_factors=True, tied_output=True,
            metadata={
                "vocab_size": 128256, "context_length": 131072,
                "attention.head_count": 32, "attention.head_count_kv": 8,
                "attention.key_length": 64, "attention.value_length": 64,
                "rope.freq_base": 500000.0, "rope.dimension_count": 64,
            },
        ),
    )
}


def _divided_width(width: int, divisor: int) -> int:
    """`width / divisor`, rounded up to a width that takes the same types as `width` does.

    A multiple of 256 stays one; another width stays a multiple of 32 that is none of 256.
    """
    granularity = 256 if width % 256 == 0 else 32
    divided = -(-width // (divisor * granularity)) * granularity
    return divided + 32 if width % 256 and divided % 256 == 0 else divided


def scaled(preset: Preset, layers: int | None = None, divisor: int = 1, experts: int | None = None,
           dense_layers: int | None = None) -> Preset:
    """The preset with fewer layers, smaller widths, fewer experts.

    `layers` defaults to all. `dense_layers` (leading layers without experts) defaults to the
    preset's, less where that would leave no layer with experts. Raises ValueError when the result
    could not be routed or has no layer.
    """
    layers = preset.layers if layers is None else layers
    experts = preset.experts if experts is None else experts
    if layers < 1 or divisor < 1:
        raise ValueError("layers and the divisor must be at least 1")
    if not preset.experts:
        if experts or dense_layers not in (None, layers):
            raise ValueError(f"{preset.name} has no layers with experts")
        return replace(preset, layers=layers, dense_layers=layers,
                       hidden=_divided_width(preset.hidden, divisor),
                       dense_width=_divided_width(preset.dense_width, divisor))
    if dense_layers is None:
        dense_layers = min(preset.dense_layers, layers - 1)
    if not 0 <= dense_layers <= (layers if preset.dense_layers else 0):
        raise ValueError(f"{preset.name} cannot have {dense_layers} of {layers} layers dense")
    groups_used = preset.metadata.get("expert_group_used_count", 1)
    selectable = experts // preset.groups * groups_used
    if experts % preset.groups or experts < 2 * preset.groups or selectable < preset.used:
        raise ValueError(f"{preset.name} cannot route to {preset.used} of {experts} experts")
    return replace(
        preset, layers=layers, dense_layers=dense_layers, experts=experts,
        hidden=_divided_width(preset.hidden, divisor),
        expert_width=_divided_width(preset.expert_width, divisor),
        dense_width=_divided_width(preset.dense_width, divisor),
    )


# --- types ----------------------------------------------------------------------------------------

#: What llama.cpp's quantize stores where a row is no multiple of 256.
FALLBACK = {
    Type.Q2_K: Type.Q4_0, Type.Q3_K: Type.Q4_0, Type.Q4_K: Type.Q5_0, Type.Q5_K: Type.Q5_1,
    Type.Q6_K: Type.Q8_0, Type.IQ4_XS: Type.IQ4_NL,
    Type.IQ2_XXS: Type.Q4_0, IQ4_KS: Type.IQ4_NL, Q4_K_R4: Type.Q5_0,
}

#: Names of usual mixes, as types of gate, up and down.
MIXES = {
    "q3_k_m": (Type.Q3_K, Type.Q3_K, Type.Q4_K),
    "q4_k_m": (Type.Q4_K, Type.Q4_K, Type.Q6_K),
    "q5_k_m": (Type.Q5_K, Type.Q5_K, Type.Q6_K),
}


@dataclass(frozen=True)
class TypeChoice:
    """Types asked for; `of` says which one a tensor gets."""

    gate: Type
    up: Type
    down: Type

    def of(self, name: str, width: int) -> Type:
        """Type of matrix `name` ("blk.3.ffn_up_exps.weight") with rows of `width` elements."""
        wanted = next(
            asked for part, asked in (("gate", self.gate), ("up", self.up), ("down", self.down))
            if f"ffn_{part}" in name
        )
        if wanted == Type.MXFP4 and "_exps" not in name:
            return Type.Q8_0  # MXFP4 files keep everything but routed experts in Q8_0
        return FALLBACK[wanted] if width % block_size(wanted) else wanted


def parse_types(text: str) -> TypeChoice:
    """`q4_k`, a mix such as `q4_k_m`, or `gate:up:down` / `gate and up:down`, such as `q4_k:q6_k`.

    Raises ValueError, naming what is known, for anything else.
    """
    text = text.lower()
    if text in MIXES:
        return TypeChoice(*MIXES[text])
    by_name = {ggml_type.name.lower(): ggml_type for ggml_type in TYPES}
    parts = text.split(":")
    unknown = [part for part in parts if part not in by_name]
    if unknown or len(parts) > 3:
        known = ", ".join([*by_name, *MIXES])
        raise ValueError(f"unknown type '{text}'; known are {known}, and mixes such as q4_k:q6_k")
    types = [by_name[part] for part in parts]
    return TypeChoice(types[0], types[-2] if len(types) == 3 else types[0], types[-1])


def _is_valid(preset: Preset, types: TypeChoice) -> bool:
    """Whether at least one expert matrix gets the type asked for."""
    rows = {"gate": preset.hidden, "up": preset.hidden, "down": preset.expert_width}
    return any(
        types.of(f"ffn_{part}_exps", width) == getattr(types, part) for part, width in rows.items()
    )


TYPE_NAMES = tuple([ggml_type.name.lower() for ggml_type in TYPES] + list(MIXES))

#: preset -> the names for `--type` that make sense for it. Every row of gpt-oss has 2880 elements,
#: so no block of 256 fits; elsewhere rows that do not fit take the fallback type, as in real files.
VALID_TYPES: dict[str, tuple[str, ...]] = {
    preset.name: tuple(name for name in TYPE_NAMES if _is_valid(preset, parse_types(name)))
    for preset in PRESETS.values()
}

#: preset -> what its public files come in.
USUAL_TYPES: dict[str, tuple[str, ...]] = {
    preset.name: ("mxfp4", "q8_0", "bf16") if preset.arch == "gpt-oss" else
    ("bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k_m", "q2_k", "iq4_xs", "iq4_nl")
    for preset in PRESETS.values()
}


# --- tensors --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorSpec:
    """A tensor to write: shape in NumPy's order, the innermost dimension last."""

    name: str
    shape: tuple[int, ...]
    type: Type = Type.F32
    mean: float = 0.0
    deviation: float = 1.0
    tags: frozenset[str] = field(default_factory=frozenset)  # "router", "selection_bias"


def layer_tensors(preset: Preset, layer: int, types: TypeChoice) -> Iterator[TensorSpec]:
    """The tensors of the feed-forward half of one layer, in the order of a real file."""

    def matrix(name: str, *shape: int, gain: float = 1.0) -> TensorSpec:
        full_name = f"blk.{layer}.{name}.weight"
        return TensorSpec(full_name, shape, types.of(full_name, shape[-1]),
                          deviation=gain * shape[-1] ** -0.5)

    def gated(suffix: str, width: int, *experts: int) -> Iterator[TensorSpec]:
        yield matrix(f"ffn_gate{suffix}", *experts, width, preset.hidden, gain=preset.gain)
        yield matrix(f"ffn_up{suffix}", *experts, width, preset.hidden, gain=preset.gain)
        yield matrix(f"ffn_down{suffix}", *experts, preset.hidden, width)

    prefix = f"blk.{layer}."
    yield TensorSpec(f"{prefix}{preset.norm}.weight", (preset.hidden,), mean=1.0, deviation=0.1)
    if layer < preset.dense_layers:
        yield from gated("", preset.dense_width)
        return

    yield TensorSpec(
        f"{prefix}ffn_gate_inp.weight", (preset.experts, preset.hidden),
        deviation=preset.router_spread * preset.hidden**-0.5, tags=frozenset({"router"}),
    )
    yield from gated("_exps", preset.expert_width, preset.experts)
    if preset.selection_bias:
        yield TensorSpec(f"{prefix}exp_probs_b.bias", (preset.experts,), deviation=0.05,
                         tags=frozenset({"selection_bias"}))
    if preset.biases:
        yield TensorSpec(f"{prefix}ffn_gate_inp.bias", (preset.experts,), deviation=0.5)
        for name, width in (("gate", preset.expert_width), ("up", preset.expert_width),
                            ("down", preset.hidden)):
            yield TensorSpec(f"{prefix}ffn_{name}_exps.bias", (preset.experts, width),
                             deviation=0.1)
    if preset.expert_scales:
        for name in ("gate", "up", "down"):
            yield TensorSpec(f"{prefix}ffn_{name}_exps.scale", (preset.experts,), mean=1.0,
                             deviation=0.3)
    if preset.shared_experts:
        if preset.shared_gate:
            yield TensorSpec(f"{prefix}ffn_gate_inp_shexp.weight", (preset.hidden,),
                             deviation=2.0 * preset.hidden**-0.5)
        yield from gated("_shexp", preset.shared_width)
