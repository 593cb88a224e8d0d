#!/usr/bin/env python3
"""Compares a layer's output with its reference.

    compare.py --input x.npy --reference ref.npz --output y.npy [--ids ids.npy] [--max-nmse 1e-6]

The measure is the normalised mean squared error of the layer's own contribution: the squared
difference of the outputs over the squared contribution of the reference (its output minus the
residual input). The residual would hide errors: it is often much larger than the contribution.

Prints one line, `nmse=... worst_token=... tokens=...`, and with --ids `routing=equal` or the number
of tokens that differ where the reference's margin is above --min-margin. Exit status 1 when nmse is
not at most --max-nmse, or routing differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Error:
    """Of all tokens together, and of the token with the largest error. NaN counts as infinite."""

    nmse: float
    worst_token: float


def _ratio(squared_error: np.ndarray, squared_size: np.ndarray) -> np.ndarray:
    """Quotient where 0/0 is 0 and anything undefined is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(squared_error == 0, 0.0, squared_error / squared_size)
    return np.where(np.isnan(ratio), np.inf, ratio)


def contribution_error(hidden: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> Error:
    """Error of `actual` [T, H] against `expected`, both with the residual `hidden` in them."""
    if not hidden.shape == expected.shape == actual.shape:
        raise ValueError(f"shapes differ: input {list(hidden.shape)}, reference "
                         f"{list(expected.shape)}, output {list(actual.shape)}")
    error = np.square(actual.astype(np.float64) - expected).sum(axis=-1)
    size = np.square(expected - hidden.astype(np.float64)).sum(axis=-1)
    worst = _ratio(error, size).max(initial=0.0)
    return Error(float(_ratio(error.sum(), size.sum())), float(worst))


def routing_differences(expected: np.ndarray, actual: np.ndarray, margin: np.ndarray,
                        min_margin: float = 1e-5) -> np.ndarray:
    """Tokens whose experts [T, k] differ as sets although the margin is above the limit."""
    if expected.shape != actual.shape:
        raise ValueError(f"ids {list(actual.shape)}: the reference has {list(expected.shape)}")
    differs = (np.sort(expected, axis=-1) != np.sort(actual, axis=-1)).any(axis=-1)
    return np.nonzero(differs & (margin > min_margin))[0]


def load_reference(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of ffn.py, or `output` alone from a plain .npy."""
    loaded = np.load(path)
    return {"output": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)


def compare(options: argparse.Namespace) -> tuple[str, bool]:
    """The line to print, and whether all limits are kept."""
    reference = load_reference(options.reference)
    actual = np.load(options.output)
    error = contribution_error(np.load(options.input), reference["output"], actual)
    line = f"nmse={error.nmse:.3e} worst_token={error.worst_token:.3e} tokens={len(actual)}"
    good = options.max_nmse is None or error.nmse <= options.max_nmse
    if options.ids:
        if "ids" not in reference:
            raise ValueError(f"{options.reference} has no routing to compare with")
        different = routing_differences(reference["ids"], np.load(options.ids),
                                        reference["margin"], options.min_margin)
        line += f" routing={f'{len(different)}_differ' if len(different) else 'equal'}"
        good = good and not len(different)
    return line, good


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, metavar="X.npy")
    parser.add_argument("--reference", type=Path, required=True, metavar="REF.npz",
                        help="of ffn.py, or a .npy of its output alone")
    parser.add_argument("--output", type=Path, required=True, metavar="Y.npy")
    parser.add_argument("--ids", type=Path, metavar="IDS.npy", help="the tool's expert ids [T, k]")
    parser.add_argument("--min-margin", type=float, default=1e-5)
    parser.add_argument("--max-nmse", type=float)
    options = parser.parse_args(arguments)
    try:
        line, good = compare(options)
    except (ValueError, OSError) as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    print(line)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
