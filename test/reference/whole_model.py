#!/usr/bin/env python3
"""A whole GGUF model in float64 NumPy: the reference of the tests for logits and generation.

    whole_model.py model.gguf --tokens tokens.npy --output ref.npz

Every sequence is computed from its first token, without a cache. For B sequences of T tokens, and L
layers with experts, k of them for each token, the result holds:

    logits   [B, T, V]     of every token
    ids      [L, B, T, k]  the routing, in slot order (absent where no layer has experts)
    margins  [L, B, T]     how far a routing decision was from another one, in score units
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attention import attention_of
from ffn import Layer, rms_norm
from gguf_model import Model
from routing import Routing


@dataclass(frozen=True)
class Result:
    """Logits [T, V] of a sequence, and the routing of each layer that has experts."""

    logits: np.ndarray
    routings: list[Routing]


class WholeModel:
    """All layers of `model`, from tokens to logits."""

    def __init__(self, model: Model) -> None:
        layers = range(model.value("block_count") - model.value("nextn_predict_layers", 0))
        self._halves = [(attention_of(model, index), Layer(model, index)) for index in layers]
        self._embedding = model.tensor("token_embd.weight")
        self._embedding_scale = model.value("embedding_scale", 1.0)
        self._norm = model.tensor("output_norm.weight")
        self._epsilon = model.value("attention.layer_norm_rms_epsilon")
        output = model.optional("output.weight")
        self._output = self._embedding if output is None else output
        self._logit_divisor = model.value("logit_scale", 1.0)

    def run(self, tokens: np.ndarray, last: int | None = None,
            experts: Sequence[np.ndarray] = ()) -> Result:
        """Computes one sequence of token ids [T]; of its last tokens alone where there is but one
        layer, which then takes no memory of T x T. With `experts`, the ids [T, k] of each layer
        that has some, routing is what they say; margins are those of the model's own choice."""
        vocabulary = len(self._embedding)
        if tokens.ndim != 1 or not all(0 <= token < vocabulary for token in tokens):
            raise ValueError(f"tokens must be one row of ids below {vocabulary}")
        if last is not None and len(self._halves) > 1:
            raise ValueError(f"a layer after the first needs all tokens, not the last {last}")
        hidden = self._embedding[tokens] * self._embedding_scale
        routings = []
        forced = iter(experts)
        for attention, feed_forward in self._halves:
            follow = next(forced) if experts and not feed_forward.is_dense else None
            result = feed_forward.run(attention.run(hidden, last), follow, np.inf)
            hidden = result.output
            if result.routing is not None:
                routings.append(result.routing)
        logits = rms_norm(hidden, self._norm, self._epsilon) @ self._output.T
        return Result(logits / self._logit_divisor, routings)


def run_all(model: WholeModel, sequences: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays named at the top of this file, of sequences [B, T]."""
    results = [model.run(tokens) for tokens in sequences]
    arrays = {"logits": np.stack([result.logits for result in results])}
    if results[0].routings:
        layers = list(zip(*(result.routings for result in results)))
        arrays["ids"] = np.array([[routing.ids for routing in layer] for layer in layers], np.int32)
        arrays["margins"] = np.array([[routing.margin for routing in layer] for layer in layers])
    return arrays


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a GGUF file, or any part of a split one")
    parser.add_argument("--tokens", type=Path, required=True, metavar="TOKENS.npy",
                        help="ids [T], or [B, T] of several sequences")
    parser.add_argument("--output", type=Path, required=True, metavar="REF.npz")
    options = parser.parse_args(arguments)
    try:
        sequences = np.atleast_2d(np.load(options.tokens))
        if not sequences.size:
            raise ValueError("there are no tokens")
        np.savez(options.output, **run_all(WholeModel(Model(options.model)), sequences))
    except (ValueError, OSError) as error:
        print(f"whole_model.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
