"""What a whole model has besides the feed-forward halves of its layers: attention, embedding,
output and a tokenizer, in the shapes and under the names of the public models that `presets.py`
describes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import gguf
from gguf import GGMLQuantizationType as Type

from presets import (
    DENSE_PRESETS,
    FALLBACK,
    PRESETS,
    Preset,
    TensorSpec,
    TypeChoice,
    layer_tensors,
)
from quantizers import block_size
from reference_files import byte_letters
from reference_models import SPECIAL_TOKENS

#: Architectures whose queries, keys and values have biases; those of gpt-oss's output, too.
BIASED = ("qwen2", "qwen2moe", "gpt-oss", "glm4moe")
#: Architectures with a norm of each head, and with one norm of all heads.
NORM_OF_HEADS, NORM_OF_ALL = ("qwen3", "qwen3moe"), ("olmoe",)
#: Float types: of a model in one of these, the output is in it, too.
FLOATS = (Type.F32, Type.F16, Type.BF16)

#: What `tokenizer.ggml.pre` is for an architecture.
PRE_TOKENIZERS = {"qwen2": "qwen2", "qwen2moe": "qwen2", "qwen3moe": "qwen2", "olmoe": "olmo",
                  "llama": "llama-bpe", "deepseek2": "deepseek-llm", "gpt-oss": "gpt-4o",
                  "glm4moe": "glm4"}

#: `general.file_type` by the types of gate and down; others have that of gate alone, or none.
FILE_TYPES = {
    (Type.Q3_K, Type.Q4_K): gguf.LlamaFileType.MOSTLY_Q3_K_M,
    (Type.Q4_K, Type.Q6_K): gguf.LlamaFileType.MOSTLY_Q4_K_M,
    (Type.Q5_K, Type.Q6_K): gguf.LlamaFileType.MOSTLY_Q5_K_M,
    (Type.Q8_0, Type.Q8_0): gguf.LlamaFileType.MOSTLY_Q8_0,
    (Type.BF16, Type.BF16): gguf.LlamaFileType.MOSTLY_BF16,
    (Type.F16, Type.F16): gguf.LlamaFileType.MOSTLY_F16,
    (Type.MXFP4, Type.MXFP4): gguf.LlamaFileType.MOSTLY_MXFP4_MOE,
}


# --- types ----------------------------------------------------------------------------------------


def has_more_bits(layer: int, layers: int) -> bool:
    """Whether a mix stores values and `down` of this layer in its larger type: the first and the
    last eighth of the layers, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def types_of_layer(types: TypeChoice, layer: int, layers: int) -> TypeChoice:
    """The mix as it is in one layer."""
    if has_more_bits(layer, layers):
        return types
    return TypeChoice(types.gate, types.up, types.up)


def _fitting(wanted: Type, width: int) -> Type:
    """The type of a matrix that is no expert's, with rows of `width` elements."""
    if wanted == Type.MXFP4:
        return Type.Q8_0
    return FALLBACK[wanted] if width % block_size(wanted) else wanted


def _output_type(types: TypeChoice, width: int) -> Type:
    """The type of the output matrix, to which mixes give more bits than to others."""
    if types.gate in FLOATS:
        return types.gate
    if types.gate in (Type.Q8_0, Type.MXFP4):
        return Type.Q8_0
    return _fitting(Type.Q6_K, width)


# --- attention ------------------------------------------------------------------------------------


def head_width(preset: Preset) -> int:
    """Elements of a head, of which models of divided widths keep as many as the public one has."""
    heads, public = preset.metadata["attention.head_count"], PRESETS | DENSE_PRESETS
    return preset.metadata.get("attention.key_length", public[preset.name].hidden // heads)


class AttentionSpecs:
    """The tensors of the attention half of one layer; `types` are those of the layer."""

    def __init__(self, preset: Preset, layer: int, types: TypeChoice) -> None:
        self._preset, self._prefix, self._types = preset, f"blk.{layer}.", types

    def _matrix(self, name: str, *shape: int, wanted: Type | None = None) -> TensorSpec:
        wanted = self._types.up if wanted is None else wanted
        return TensorSpec(f"{self._prefix}{name}.weight", shape, _fitting(wanted, shape[-1]),
                          deviation=shape[-1] ** -0.5)

    def _norm(self, name: str, width: int) -> TensorSpec:
        return TensorSpec(f"{self._prefix}{name}.weight", (width,), mean=1.0, deviation=0.1)

    def _bias(self, name: str, width: int) -> TensorSpec:
        return TensorSpec(f"{self._prefix}{name}.bias", (width,), deviation=0.1)

    def describe(self) -> Iterator[TensorSpec]:
        yield self._norm("attn_norm", self._preset.hidden)
        yield from self._latent() if self._preset.arch == "deepseek2" else self._of_heads()

    def _of_heads(self) -> Iterator[TensorSpec]:
        """Queries, keys and values, each of several heads."""
        preset, keys = self._preset, self._preset.metadata
        heads, key_heads = keys["attention.head_count"], keys["attention.head_count_kv"]
        width = head_width(preset)
        value_width = keys.get("attention.value_length", width)
        rows = {"q": heads * width, "k": key_heads * width, "v": key_heads * value_width}
        for name, count in rows.items():
            wanted = self._types.down if name == "v" else None
            yield self._matrix(f"attn_{name}", count, preset.hidden, wanted=wanted)
            if preset.arch in BIASED:
                yield self._bias(f"attn_{name}", count)
        for name in ("q", "k"):
            if preset.arch in NORM_OF_HEADS:
                yield self._norm(f"attn_{name}_norm", width)
            elif preset.arch in NORM_OF_ALL:
                yield self._norm(f"attn_{name}_norm", rows[name])
        yield self._matrix("attn_output", preset.hidden, heads * value_width)
        if preset.arch == "gpt-oss":
            yield self._bias("attn_output", preset.hidden)
            yield TensorSpec(f"{self._prefix}attn_sinks.weight", (heads,))

    def _latent(self) -> Iterator[TensorSpec]:
        """Multi-head latent attention: keys and values of all heads from one compressed vector."""
        keys, hidden = self._preset.metadata, self._preset.hidden
        heads, rank = keys["attention.head_count"], keys["attention.kv_lora_rank"]
        key, value = keys["attention.key_length_mla"], keys["attention.value_length_mla"]
        rotated = keys["rope.dimension_count"]
        query_rank = keys.get("attention.q_lora_rank")
        if query_rank is None:
            yield self._matrix("attn_q", heads * key, hidden)
        else:
            yield self._matrix("attn_q_a", query_rank, hidden)
            yield self._norm("attn_q_a_norm", query_rank)
            yield self._matrix("attn_q_b", heads * key, query_rank)
        yield self._matrix("attn_kv_a_mqa", rank + rotated, hidden)
        yield self._norm("attn_kv_a_norm", rank)
        yield self._matrix("attn_k_b", heads, rank, key - rotated)
        yield self._matrix("attn_v_b", heads, value, rank)
        yield self._matrix("attn_output", hidden, heads * value)


# --- the model ------------------------------------------------------------------------------------


def model_tensors(preset: Preset, types: TypeChoice) -> Iterator[TensorSpec]:
    """All tensors of a whole model, in the order of a real file."""
    tokens, hidden = preset.metadata["vocab_size"], preset.hidden
    if not preset.tied_output:
        yield TensorSpec("output.weight", (tokens, hidden), _output_type(types, hidden),
                         deviation=hidden**-0.5)
    yield TensorSpec("output_norm.weight", (hidden,), mean=1.0, deviation=0.1)
    if preset.rotation_factors:
        width = preset.metadata["rope.dimension_count"]
        yield TensorSpec("rope_freqs.weight", (width // 2,), mean=4.0, deviation=0.5)
    yield TensorSpec("token_embd.weight", (tokens, hidden), _fitting(types.up, hidden))
    for layer in range(preset.layers):
        chosen = types_of_layer(types, layer, preset.layers)
        yield from AttentionSpecs(preset, layer, chosen).describe()
        yield from layer_tensors(preset, layer, chosen)


def metadata(preset: Preset, types: TypeChoice) -> dict[str, Any]:
    """What a whole model's keys say besides those that the half of a layer has, too."""
    keys: dict[str, Any] = {}
    if (types.gate, types.down) in FILE_TYPES:
        keys["general.file_type"] = int(FILE_TYPES[types.gate, types.down])
    width = head_width(preset)
    if width * preset.metadata["attention.head_count"] != preset.hidden:
        for name in ("key_length", "value_length"):
            key = f"attention.{name}"
            keys[f"{preset.arch}.{key}"] = preset.metadata.get(key, width)
    return keys


# --- tokenizer ------------------------------------------------------------------------------------


def _joined(letters: list[str]) -> Iterator[tuple[str, str]]:
    """Merges, each of two tokens that are letters or what an earlier merge made: all pairs of
    printable letters, then three of them a token, those of plain words first."""
    words = [letter for letter in letters if letter.isascii() and letter.isalpha()] + ["Ġ"]
    printable = words + [letter for letter in letters if letter.isascii() and letter not in words]
    yield from itertools.product(printable, repeat=2)
    for pair in itertools.product(words, repeat=2):
        for last in words:
            yield "".join(pair), last


def vocabulary(size: int) -> tuple[list[str], list[gguf.TokenType], list[str]]:
    """`size` tokens of a byte-level vocabulary with their types, and its merges: bytes, what merges
    make of them, tokens that no text has where these do not suffice, and two special ones."""
    letters = byte_letters()
    count = size - len(letters) - len(SPECIAL_TOKENS)
    if count < 0:
        raise ValueError(f"a vocabulary needs {size - count} tokens, not {size}")
    merges = list(itertools.islice(_joined(letters), count))
    unused = [f"[PAD{number}]" for number in range(count - len(merges))]
    tokens = [*letters, *map("".join, merges), *unused, *SPECIAL_TOKENS]
    types = [gguf.TokenType.NORMAL] * (len(letters) + len(merges))
    types += [gguf.TokenType.UNUSED] * len(unused)
    types += [gguf.TokenType.CONTROL] * len(SPECIAL_TOKENS)
    return tokens, types, [" ".join(merge) for merge in merges]


def add_tokenizer(writer: gguf.GGUFWriter, preset: Preset) -> None:
    """Writes the tokenizer's keys."""
    tokens, types, merges = vocabulary(preset.metadata["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZERS[preset.arch])
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)
