#!/usr/bin/env python3
# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What quantizing the activations costs: the table of docs/numerics.md.

One gated expert, y = W_down (silu(W_gate x) * (W_up x)), with normally distributed weights and
activations, in float64 throughout. Only the two activation rows (x and the product that W_down
takes) are quantized, in each of several ways; the error is the normalised mean squared error of y
against the unquantized computation. The second column multiplies some channels of x by a factor,
as real models have them.

    scripts/measure_activation_error.py [--tokens 256] [--seed 1]
"""

import argparse
from collections.abc import Callable

import numpy as np

Rows = np.ndarray  # [tokens, channels], float64, but every value is an fp32 number
Quantizer = Callable[[Rows], Rows]


def silu(x: Rows) -> Rows:
    """x / (1 + e^-x)."""
    return x / (1.0 + np.exp(-x))


def to_float32(x: Rows) -> Rows:
    """Rounds to fp32."""
    return x.astype(np.float32).astype(np.float64)


def to_bfloat16(x: Rows) -> Rows:
    """Rounds to bfloat16, ties to even."""
    bits = x.astype(np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def contract_scale(amax: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """The contract's scale and reciprocal: RN(amax / Q) and RN(Q / amax)."""
    return amax / np.float32(largest), np.float32(largest) / amax


def power_of_two_scale(amax: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """The least power of two under which no element exceeds Q; its reciprocal is exact."""
    exponent = np.ceil(np.log2(amax.astype(np.float64) / largest))
    return np.exp2(exponent).astype(np.float32), np.exp2(-exponent).astype(np.float32)


def blocks_of(
    size: int,
    largest: int,
    scale: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]] = contract_scale,
) -> Quantizer:
    """Quantizes blocks of `size` channels to integers of magnitude `largest` and back."""

    def quantize(x: Rows) -> Rows:
        blocks = x.astype(np.float32).reshape(x.shape[0], -1, size)
        d, reciprocal = scale(np.abs(blocks).max(axis=-1, keepdims=True), largest)
        q = np.rint(blocks * reciprocal)
        assert np.abs(q).max() <= largest
        return (q.astype(np.float64) * d).reshape(x.shape)

    return quantize


QUANTIZERS: dict[str, Quantizer] = {
    "bf16": to_bfloat16,
    "int8, blocks of 32": blocks_of(32, 127),
    "int8, blocks of 128 (contract `int8`)": blocks_of(128, 127),
    "int16, blocks of 128, powers of two as scales": blocks_of(128, 16319, power_of_two_scale),
    "int16, blocks of 128 (contract `int16`)": blocks_of(128, 16319),
    "int16, blocks of 256": blocks_of(256, 16319),
}


def measure(tokens: int, hidden: int, width: int, outliers: int, factor: float, seed: int) -> dict:
    """The normalised mean squared error of each way of quantizing."""
    random = np.random.default_rng(seed)
    gate = random.standard_normal((hidden, width)) / np.sqrt(hidden)
    up = random.standard_normal((hidden, width)) / np.sqrt(hidden)
    down = random.standard_normal((width, hidden)) / np.sqrt(width)
    x = random.standard_normal((tokens, hidden))
    x[:, random.choice(hidden, outliers, replace=False)] *= factor
    x = to_float32(x)

    def expert(quantize: Quantizer) -> Rows:
        q = quantize(x)
        return quantize(to_float32(silu(q @ gate) * (q @ up))) @ down

    truth = expert(lambda rows: rows)
    power = np.mean(truth**2)
    return {name: np.mean((expert(f) - truth) ** 2) / power for name, f in QUANTIZERS.items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--outliers", type=int, default=16, help="channels that are multiplied")
    parser.add_argument("--factor", type=float, default=30.0, help="by this")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    shape = (args.tokens, args.hidden, args.width)
    plain = measure(*shape, 0, 1.0, args.seed)
    with_outliers = measure(*shape, args.outliers, args.factor, args.seed)
    print(f"| activations | plain | {args.outliers} channels x {args.factor:g} |")
    print("|---|---|---|")
    for name in QUANTIZERS:
        print(f"| {name} | {plain[name]:.1e} | {with_outliers[name]:.1e} |")


if __name__ == "__main__":
    main()
