"""The models of test/models/references, compiled and loaded, and texts of random tokens."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from forward import Program, Session, Text
from tools import Tools

MODELS = Path(__file__).parents[1] / "models"

SUPPORTED = sorted(path.parent.name for path in MODELS.glob("references/*/reference.npz"))

#: Options of --sortie-compile by names of widths.
WIDTHS = {"int16": {}, "kv": {"kv": "int8"}, "activations": {"activations": "int8"},
          "both": {"kv": "int8", "activations": "int8"}}


def path_of(name: str) -> Path:
    return MODELS / "references" / name / "model.gguf"


@cache
def reference(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(path_of(name).with_name("reference.npz")))


def nmse(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.square(actual - expected).sum() / np.square(expected).sum())


def same(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Equal bits, NaNs and signs of zero included."""
    return actual.shape == expected.shape and actual.tobytes() == expected.tobytes()


def random_tokens(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(reference("llama")["logits"].shape[-1], size=count)


class ReferencePrograms:
    """Reference models compiled with WIDTHS, and loaded once."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._loaded: dict[tuple, Program] = {}

    def path(self, name: str, width: str = "int16", context: int | None = None) -> Path:
        """The compiled program."""
        return self._tools.compile_whole(path_of(name), context, **WIDTHS[width])

    def load(self, name: str, width: str = "int16", context: int | None = None) -> Program:
        key = (name, width, context)
        if key not in self._loaded:
            self._loaded[key] = Program(self._tools.library, self.path(*key), path_of(name))
        return self._loaded[key]


def run_whole(session: Session, text: Text, piece: int, free: Iterator[int],
              others: list[Text] = (), order: np.random.Generator | None = None) -> np.ndarray:
    """Logits of all tokens of `text`, `piece` of them a run, with pieces of others in each run."""
    parts = []
    while not text.is_done:
        going = [other for other in others if not other.is_done]
        pieces = [other.next(1 + (index * 37 + text.length) % 150, free)
                  for index, other in enumerate(going)]
        place = len(pieces) // 2
        pieces.insert(place, text.next(piece, free))
        total = sum(len(one.tokens) for one in pieces)
        permuted = None if order is None else order.permutation(total)
        parts.append(session.step(pieces, permuted)[place])
    return np.concatenate(parts)
