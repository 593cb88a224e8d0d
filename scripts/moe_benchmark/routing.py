"""Which experts each token gets: distinct ones, uniform or skewed, rotated over several steps."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from .layers import Layer

ROUTINGS = ("uniform", "zipf")


@dataclass(frozen=True)
class Routing:
    """Expert ids [steps, tokens, used] i32, their weights of the same shape f32, and how many
    different experts a step uses (expected if uniform, as drawn otherwise)."""

    ids: np.ndarray
    weights: np.ndarray
    experts: float


def _draw(rng: np.random.Generator, layer: Layer, tokens: int,
          popularity: np.ndarray) -> np.ndarray:
    """`used` distinct experts a token [tokens, used], without replacement by popularity (Gumbel's
    trick: the largest of log-popularities with noise)."""
    noise = rng.gumbel(size=(tokens, layer.experts))
    return np.argsort(-(np.log(popularity) + noise), axis=1)[:, : layer.used].astype(np.int32)


def _rotate(ids: np.ndarray, queue: list[int]) -> np.ndarray:
    """The same routing among other experts: those used longest ago, which `queue` begins with.

    Experts are alike, so only the names change: how many rows each gets stays. `queue` is brought
    up to date.
    """
    used = np.unique(ids)
    names = np.empty(len(queue), dtype=np.int32)
    names[used] = queue[: len(used)]
    queue[:] = queue[len(used):] + queue[: len(used)]
    return names[ids]


def make_routing(layer: Layer, tokens: int, kind: str, steps: int, skew: float = 1.0) -> Routing:
    """The routing of `steps` layers; the same for the same arguments. `zipf`: the popularity of
    the expert of rank r is r^-skew."""
    rng = np.random.Generator(np.random.PCG64([zlib.crc32(layer.name.encode()), tokens]))
    ranks = np.arange(1, layer.experts + 1, dtype=np.float64)
    popularity = np.ones(layer.experts) if kind == "uniform" else ranks**-skew
    draws = [_draw(rng, layer, tokens, popularity) for _ in range(steps)]
    distinct = float(np.mean([len(np.unique(draw)) for draw in draws]))
    queue = [int(expert) for expert in rng.permutation(layer.experts)]
    ids = np.stack([_rotate(draw, queue) for draw in draws])
    weights = rng.uniform(0.5, 1.5, ids.shape).astype(np.float32)
    weights /= weights.sum(axis=-1, keepdims=True, dtype=np.float32)
    experts = layer.expected_experts(tokens) if kind == "uniform" else distinct
    return Routing(ids, weights, experts)
