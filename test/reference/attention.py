"""The attention half of a GGUF model's layer, in float64 NumPy.

One sequence at a time, whole and from position 0: there is no cache, and nothing is computed twice.
Weights are those that the `gguf` package dequantizes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ffn import rms_norm
from gguf_model import Model

#: Architectures whose files have rows of queries and keys in an order in which neighbours turn
#: together; elsewhere element i turns with i + n/2.
NEIGHBOURS = ("llama", "deepseek", "deepseek2", "granite", "granitemoe", "ernie4_5-moe")
#: Architectures that normalise queries and keys after they have turned.
NORM_AFTER_ROTATION = ("hunyuan-moe",)
#: Architectures in which the ends of YaRN's ramp may lie between pairs; no key says so.
RAMPS_BETWEEN_PAIRS = ("gpt-oss",)


@dataclass(frozen=True)
class Rotation:
    """`frequencies` in radians for each position, one a pair; rotated vectors grow by `factor`."""

    frequencies: np.ndarray
    neighbours: bool
    factor: float = 1.0

    def apply(self, x: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Turns the first elements of x [T, heads, size], two for each frequency."""
        pairs = len(self.frequencies)
        turned, rest = x[..., : 2 * pairs], x[..., 2 * pairs :]
        order = np.arange(2 * pairs).reshape((pairs, 2) if self.neighbours else (2, pairs))
        first, second = (order[:, 0], order[:, 1]) if self.neighbours else order
        angles = positions[:, None, None] * self.frequencies
        cosine, sine = np.cos(angles) * self.factor, np.sin(angles) * self.factor
        result = np.empty_like(turned)
        result[..., first] = turned[..., first] * cosine - turned[..., second] * sine
        result[..., second] = turned[..., second] * cosine + turned[..., first] * sine
        return np.concatenate([result, rest], axis=-1)


def head_sizes(model: Model) -> tuple[int, int]:
    """Elements of a head's keys, and of its values."""
    size = model.value("embedding_length") // model.value("attention.head_count")
    return (model.value("attention.key_length", size), model.value("attention.value_length", size))


def _yarn(model: Model, plain: np.ndarray, base: float) -> np.ndarray:
    """Frequencies as Peng et al. (2023) mix them: a pair that turns often within the original
    context keeps its own, one that turns seldom is slowed down by the factor of the context."""
    context = model.value("rope.scaling.original_context_length")
    pairs = len(plain)

    def pair_that_turns(times: float) -> float:
        return pairs * math.log(context / (times * 2 * math.pi)) / math.log(base)

    low = pair_that_turns(model.value("rope.scaling.yarn_beta_fast", 32.0))
    high = pair_that_turns(model.value("rope.scaling.yarn_beta_slow", 1.0))
    if model.arch not in RAMPS_BETWEEN_PAIRS:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, 2 * pairs - 1)
    slowed = np.clip((np.arange(pairs) - low) / max(high - low, 0.001), 0, 1)
    return plain * (1 - slowed) + plain / model.value("rope.scaling.factor") * slowed


def _growth(model: Model, multiplier: float) -> float:
    """YaRN's factor for a longer context."""
    return 1 + multiplier * math.log(model.value("rope.scaling.factor", 1.0))


def _growth_of_scores(model: Model) -> float:
    """DeepSeek's files say by how much scores grow: the square of this."""
    return _growth(model, model.value("rope.scaling.yarn_log_multiplier", 0.0))


def rotation_of(model: Model) -> Rotation:
    """The rotation that the file's metadata and `rope_freqs` describe."""
    elements = model.value("rope.dimension_count", head_sizes(model)[0])
    base = model.value("rope.freq_base", 10000.0)
    frequencies = base ** (-2.0 * np.arange(elements // 2) / elements)
    factors = model.optional("rope_freqs.weight")
    if factors is not None:
        frequencies = frequencies / factors
    scaling, factor = model.value("rope.scaling.type", "none"), 1.0
    if scaling == "linear":
        frequencies = frequencies / model.value("rope.scaling.factor")
    elif scaling == "yarn":
        frequencies = _yarn(model, frequencies, base)
        # Where scores grow instead, rotated vectors do not; the file may state what they do.
        grown = 1.0 if _growth_of_scores(model) > 1 else _growth(model, 0.1)
        factor = model.value("rope.scaling.yarn_attn_factor", grown)
    elif scaling != "none":
        raise ValueError(f"no reference for rope.scaling.type '{scaling}'")
    return Rotation(frequencies, model.arch in NEIGHBOURS, factor)


def attend(queries: np.ndarray, keys: np.ndarray, values: np.ndarray, scale: float,
           window: int | None = None, sinks: np.ndarray | None = None) -> np.ndarray:
    """Causal attention of queries [Q, H, K] to keys [T, G, K] and values [T, G, V]: [Q, H, V]. The
    queries are those of the last Q of the T tokens.

    H / G neighbouring heads share keys. With a window, a token sees itself and the window - 1 ones
    before it. A sink is a score for each head that has its share of the softmax and no value.
    """
    group = queries.shape[1] // keys.shape[1]
    scores = scale * np.einsum("thk,shk->hts", queries, np.repeat(keys, group, axis=1))
    age = np.arange(len(keys))[-len(queries) :, None] - np.arange(len(keys))
    seen = (age >= 0) & (age < (window or np.inf))
    scores = np.where(seen, scores, -np.inf)
    if sinks is not None:
        column = np.broadcast_to(sinks[:, None, None], (*scores.shape[:2], 1))
        scores = np.concatenate([scores, column], axis=-1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = (weights / weights.sum(axis=-1, keepdims=True))[..., : len(keys)]
    return np.einsum("hts,shv->thv", weights, np.repeat(values, group, axis=1))


class Half:
    """What both kinds of attention of layer `index` of `model` have in common: norm and residual,
    before and after `mix`."""

    def __init__(self, model: Model, index: int) -> None:
        self._model = model
        self._prefix = f"blk.{index}."
        self._epsilon = model.value("attention.layer_norm_rms_epsilon")
        self._heads = model.value("attention.head_count")
        self._rotation = rotation_of(model)
        self._residual_scale = model.value("residual_scale", 1.0)

    def run(self, hidden: np.ndarray, last: int | None = None) -> np.ndarray:
        """The output for a sequence `hidden` [T, H], with the residual, or of its last tokens."""
        last = len(hidden) if last is None else last
        mixed = self.mix(self._normalized(hidden, "attn_norm"), last)
        output = self._linear(mixed.reshape(last, -1), "attn_output")
        return hidden[-last:] + output * self._residual_scale

    def mix(self, x: np.ndarray, last: int) -> np.ndarray:
        """What the heads of the last tokens see of x [T, H]: [last, heads, value]."""
        raise NotImplementedError

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        y = x @ self._model.tensor(f"{self._prefix}{name}.weight").T
        bias = self._model.optional(f"{self._prefix}{name}.bias")
        return y if bias is None else y + bias

    def _normalized(self, x: np.ndarray, name: str) -> np.ndarray:
        return rms_norm(x, self._model.tensor(f"{self._prefix}{name}.weight"), self._epsilon)


class GroupedAttention(Half):
    """Heads with keys and values of their own, or groups of heads that share them."""

    def __init__(self, model: Model, index: int) -> None:
        super().__init__(model, index)
        self._groups = model.value("attention.head_count_kv", self._heads)
        # gpt-oss: every other layer, beginning with the first.
        has_window = model.arch == "gpt-oss" and index % 2 == 0
        self._window = model.value("attention.sliding_window") if has_window else None

    def _projected(self, x: np.ndarray) -> list[np.ndarray]:
        """Queries, keys and values of x [T, H], of three matrices or of one that has them all."""
        if not self._model.has(f"{self._prefix}attn_qkv.weight"):
            return [self._linear(x, name) for name in ("attn_q", "attn_k", "attn_v")]
        size = head_sizes(self._model)[0]
        ends = np.cumsum([self._heads * size, self._groups * size])
        return np.split(self._linear(x, "attn_qkv"), ends, axis=-1)

    def _even(self, x: np.ndarray, name: str) -> np.ndarray:
        """Queries or keys after their norm, where there is one, of as many elements as it has
        weights: of each head by itself, or of all heads as one vector."""
        norm = self._model.optional(f"{self._prefix}{name}_norm.weight")
        if norm is None:
            return x
        return rms_norm(x.reshape(len(x), -1, len(norm)), norm, self._epsilon).reshape(x.shape)

    def _turned(self, x: np.ndarray, name: str, heads: int, positions: np.ndarray) -> np.ndarray:
        """Queries or keys as heads see them, [T, heads, size]."""
        is_last = self._model.arch in NORM_AFTER_ROTATION
        x = (x if is_last else self._even(x, name)).reshape(len(x), heads, -1)
        x = self._rotation.apply(x, positions)
        return self._even(x, name) if is_last else x

    def mix(self, x: np.ndarray, last: int) -> np.ndarray:
        positions = np.arange(len(x))
        queries, keys, values = self._projected(x)
        queries = self._turned(queries[-last:], "attn_q", self._heads, positions[-last:])
        keys = self._turned(keys, "attn_k", self._groups, positions)
        values = values.reshape(len(x), self._groups, -1)
        sinks = self._model.optional(f"{self._prefix}attn_sinks.weight")
        scale = self._model.value("attention.scale", 0.0) or keys.shape[-1] ** -0.5
        return attend(queries, keys, values, scale, self._window, sinks)


class LatentAttention(Half):
    """Keys and values of all heads are made of one vector a token, and of one rotated key."""

    def _queries(self, x: np.ndarray) -> np.ndarray:
        if self._model.has(f"{self._prefix}attn_q.weight"):
            queries = self._linear(x, "attn_q")
        else:
            low = self._normalized(self._linear(x, "attn_q_a"), "attn_q_a_norm")
            queries = self._linear(low, "attn_q_b")
        return queries.reshape(len(x), self._heads, -1)

    def _head_matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each head: [rank, key without its rotated part], and [value, rank]."""
        fused = self._model.optional(f"{self._prefix}attn_kv_b.weight")
        if fused is None:
            return (self._model.tensor(f"{self._prefix}attn_k_b.weight"),
                    self._model.tensor(f"{self._prefix}attn_v_b.weight"))
        heads = fused.reshape(self._heads, -1, fused.shape[-1])
        value = self._model.value("attention.value_length_mla",
                                  self._model.value("attention.value_length"))
        keys, values = np.split(heads, [heads.shape[1] - value], axis=1)
        return keys.swapaxes(1, 2), values

    def mix(self, x: np.ndarray, last: int) -> np.ndarray:
        key_up, value_up = self._head_matrices()
        rank, plain = key_up.shape[1:]
        compressed = self._linear(x, "attn_kv_a_mqa")
        latent = self._normalized(compressed[:, :rank], "attn_kv_a_norm")
        positions = np.arange(len(x))
        queries = self._queries(x[-last:])
        turned = self._rotation.apply(queries[..., plain:], positions[-last:])
        shared = self._rotation.apply(compressed[:, None, rank:], positions)
        queries = np.concatenate([queries[..., :plain], turned], axis=-1)
        keys = np.concatenate([np.einsum("tr,hrk->thk", latent, key_up),
                               np.repeat(shared, self._heads, axis=1)], axis=-1)
        values = np.einsum("tr,hvr->thv", latent, value_up)
        scale = keys.shape[-1] ** -0.5 * _growth_of_scores(self._model) ** 2
        return attend(queries, keys, values, scale)


def attention_of(model: Model, index: int) -> Half:
    """The attention half of layer `index`."""
    return (LatentAttention if model.arch == "deepseek2" else GroupedAttention)(model, index)
