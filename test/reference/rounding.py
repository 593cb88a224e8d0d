#!/usr/bin/env python3
"""How much of a whole model's error is the rounding of activations to integers: float64, in which
nothing is rounded but what `exact` arithmetic makes integers of (docs/numerics.md, `int16`).

    rounding.py model.gguf --tokens tokens.npy

Prints the error of the logits, squared and over squared logits, with all of these rounded and with
one kind alone, the routing being that of float64."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import attention
import ffn
import whole_model
from gguf_model import Model
from whole_model import WholeModel

#: The largest integer, and elements of a row that share a scale.
MOST, BLOCK = 16319, 128
#: Inputs of products with matrices, and what a cache and its queries hold.
PRODUCTS = ("queries, keys, values", "attention output", "gate, up", "down", "logits")
CACHE = ("queries", "cached keys", "cached values")


def rounded(x: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """x [..., K] as integers and a scale for each `block` elements say it."""
    result = np.empty_like(x, dtype=np.float64)
    for first in range(0, x.shape[-1], block):
        part = x[..., first : first + block]
        scale = np.abs(part).max(axis=-1, keepdims=True) / MOST
        result[..., first : first + block] = scale * np.rint(part / np.where(scale, scale, 1))
    return result


def _product(name: str) -> str | None:
    """The kind of the input of a matrix; None for routers, whose products are of floats."""
    if name == "ffn_gate_inp":
        return None
    if name.startswith("ffn"):
        return "down" if name.startswith("ffn_down") else "gate, up"
    return "attention output" if name == "attn_output" else "queries, keys, values"


@contextmanager
def rounding(kinds: Collection[str]) -> Iterator[None]:
    """Inside, the float64 model rounds the inputs of `kinds`."""
    attend, norm = attention.attend, whole_model.rms_norm

    def linear(plain: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def product(half: Any, x: np.ndarray, name: str, *rest: Any) -> np.ndarray:
            return plain(half, rounded(x) if _product(name) in kinds else x, name, *rest)
        return product

    def attend_rounded(*operands: Any) -> np.ndarray:
        heads = [rounded(rows, rows.shape[-1]) if kind in kinds else rows
                 for kind, rows in zip(CACHE, operands[:3], strict=True)]
        return attend(*heads, *operands[3:])

    def last_norm(*operands: Any) -> np.ndarray:
        return rounded(norm(*operands)) if "logits" in kinds else norm(*operands)

    with (mock.patch.object(attention.Half, "_linear", linear(attention.Half._linear)),
          mock.patch.object(ffn.Layer, "_linear", linear(ffn.Layer._linear)),
          mock.patch.object(attention, "attend", attend_rounded),
          mock.patch.object(whole_model, "rms_norm", last_norm)):
        yield


def error(model: WholeModel, tokens: np.ndarray, kinds: Collection[str]) -> float:
    """Of the logits of one sequence, with the experts that float64 chooses."""
    exact = model.run(tokens)
    with rounding(kinds):
        actual = model.run(tokens, experts=[routing.ids for routing in exact.routings]).logits
    return float(np.square(actual - exact.logits).sum() / np.square(exact.logits).sum())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a GGUF file, or any part of a split one")
    parser.add_argument("--tokens", type=Path, required=True, metavar="TOKENS.npy",
                        help="ids [T], or [B, T], of which the first sequence is taken")
    options = parser.parse_args(arguments)
    model = WholeModel(Model(options.model))
    tokens = np.atleast_2d(np.load(options.tokens))[0]
    print(f"all: {error(model, tokens, PRODUCTS + CACHE):.1e}")
    for kind in PRODUCTS + CACHE:
        print(f"{kind}: {error(model, tokens, [kind]):.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
