"""The inputs of one run of `forward` with pieces of several sequences. Needs numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Positions of a page, and what a table has where there is none.
PAGE, NO_PAGE = 128, -1


def mixed_run(pieces: Sequence[tuple[int, int]], table_pages: int, vocabulary: int,
              seed: int = 0) -> tuple[dict[str, np.ndarray], int]:
    """Arrays by the names of the inputs, and how many pages a cache needs. A piece is the first
    position of a sequence's tokens and how many they are: positions before the first hold what
    they held. Tokens are random and in no order, and so are pages; logits are wanted of every third
    token and of the last."""
    rng = np.random.default_rng(seed)
    counts = [-(-(first + count) // PAGE) for first, count in pieces]
    free = iter(rng.permutation(sum(counts)).tolist())
    table = np.full((len(pieces), table_pages), NO_PAGE, np.int32)
    for row, count in zip(table, counts):
        row[:count] = [next(free) for _ in range(count)]
    positions = np.concatenate([np.arange(first, first + count) for first, count in pieces])
    sequences = np.repeat(np.arange(len(pieces)), [count for _, count in pieces])
    order = rng.permutation(len(positions))
    rows = np.unique(np.append(np.arange(0, len(order), 3), len(order) - 1))
    arrays = {"tokens": rng.integers(vocabulary, size=len(order)), "positions": positions[order],
              "sequences": sequences[order], "pages": table, "rows": rows[::-1]}
    inputs = {name: np.ascontiguousarray(array, np.int32) for name, array in arrays.items()}
    return inputs, sum(counts)
