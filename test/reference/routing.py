"""Routing in float64: scores to expert ids, their weights, and how close the decision was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np


class Scoring(Enum):
    """How router outputs become scores."""

    SOFTMAX = "softmax over all experts"
    SIGMOID = "sigmoid of each"
    SOFTMAX_AFTER_TOPK = "softmax over the selected"


@dataclass(frozen=True)
class Rule:
    """A model's routing rule."""

    used: int
    scoring: Scoring
    normalize: bool = False
    scale: float = 1.0
    groups: int = 1
    groups_used: int = 1
    best_group: bool = False  # a group's score is its best, not the sum of its two best


@dataclass(frozen=True)
class Routing:
    """ids [T, k] in slot order, weights [T, k], margin [T]."""

    ids: np.ndarray
    weights: np.ndarray
    margin: np.ndarray


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x), without overflow."""
    return np.exp(-np.logaddexp(0, -x))


def descending(scores: np.ndarray) -> np.ndarray:
    """Indices by descending score along the last axis; on ties the lower first, NaN last."""
    return np.argsort(-scores, axis=-1, kind="stable")


def _boundary_margin(scores: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """Last selected minus first rejected score; infinite where nothing is rejected."""
    if count == scores.shape[-1]:
        return np.full(scores.shape[:-1], np.inf)
    ends = np.take_along_axis(scores, order[..., count - 1 : count + 1], axis=-1)
    return ends[..., 0] - ends[..., 1]


def _keep_groups(scores: np.ndarray, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """Scores [T, E] with those outside the best groups at -inf, and the margin of the choice.

    A group's score is the sum of its two best, or its best.
    """
    grouped = scores.reshape(len(scores), rule.groups, -1)
    best = descending(grouped)[..., : 1 if rule.best_group else 2]
    group_scores = np.take_along_axis(grouped, best, axis=-1).sum(axis=-1)
    order = descending(group_scores)
    kept = np.zeros(group_scores.shape, dtype=bool)
    np.put_along_axis(kept, order[:, : rule.groups_used], True, axis=-1)
    masked = np.where(kept[..., None], grouped, -np.inf).reshape(scores.shape)
    return masked, _boundary_margin(group_scores, order, rule.groups_used)


def weights_of(scores: np.ndarray, ids: np.ndarray, rule: Rule) -> np.ndarray:
    """Routing weights of the experts `ids` [T, k], from the unbiased scores [T, E]."""
    weights = np.take_along_axis(scores, ids, axis=-1)
    if rule.scoring is Scoring.SOFTMAX_AFTER_TOPK:
        weights = softmax(weights)
    if rule.normalize:
        total = weights.sum(axis=-1, keepdims=True)
        weights = np.where(total == 0, 0.0, weights / np.where(total == 0, 1.0, total))
    return weights * rule.scale


def route(logits: np.ndarray, rule: Rule, selection_bias: np.ndarray | None = None,
          follow: np.ndarray | None = None, follow_below: float = 1e-5) -> Routing:
    """Routes the tokens whose router outputs are `logits` [T, E].

    `selection_bias` [E] changes which experts are selected, not their weights. The margin is the
    smallest difference, in the scores that are compared, that separates what is selected from what
    is not: of experts, and of groups where there are any. Tokens with a margin below `follow_below`
    take their ids from `follow` [T, k] instead, if given: there, another order of rounding may
    rightly decide otherwise.
    """
    scores = {
        Scoring.SOFTMAX: softmax, Scoring.SIGMOID: sigmoid,
        Scoring.SOFTMAX_AFTER_TOPK: lambda raw: raw,
    }[rule.scoring](logits)
    selection = scores if selection_bias is None else scores + selection_bias
    margin = np.full(len(logits), np.inf)
    if rule.groups > 1:
        selection, margin = _keep_groups(selection, rule)
    order = descending(selection)
    margin = np.minimum(margin, _boundary_margin(selection, order, rule.used))
    ids = order[:, : rule.used]
    if follow is not None:
        ids = np.where((margin < follow_below)[:, None], follow, ids)
    return Routing(ids, weights_of(scores, ids, rule), margin)
