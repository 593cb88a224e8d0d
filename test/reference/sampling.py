"""Sampling as docs/numerics-models.md states it, to the bit: logits to a token. Written from that
page; every fp32 operation is one of NumPy's, which rounds once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

F = np.float32
CHUNK, PARTIALS, CANDIDATES, PENALIZED = 1024, 16, 1024, 64
MASK = (1 << 64) - 1


def hexes(*numbers: str) -> list[np.float32]:
    return [F(float.fromhex(number)) for number in numbers]


EXP = hexes("0x1.6ac374p-10", "0x1.123da6p-7", "0x1.555858p-5", "0x1.55548cp-3", "0x1.fffffcp-2",
            "1", "1")
LOG = hexes("-0x1.9989c8p-4", "0x1.22beap-3", "-0x1.0a4dc8p-3", "0x1.1ed108p-3", "-0x1.543858p-3",
            "0x1.99c18ap-3", "-0x1.000452p-2", "0x1.55555ap-2", "-0x1.fffff8p-2")
LOG2E, LN2_HIGH, LN2_LOW = hexes("0x1.715476p+0", "0x1.62e4p-1", "0x1.7f7d1cp-20")


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a * b + c, rounded once. The product is exact in fp64; the sum is rounded to odd there."""
    product, addend = np.float64(a) * np.float64(b), np.broadcast_to(np.float64(c), np.shape(a))
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64).copy()
    odd = (error != 0) & (bits & 1 == 0)
    bits[odd] += np.where((error > 0) == (total > 0), 1, -1)[odd]
    return bits.view(np.float64).astype(F)


def exp(x: np.ndarray) -> np.ndarray:
    x = np.maximum(np.minimum(x, F(89)), F(-104)).astype(F)
    n = np.rint(x * LOG2E).astype(F)
    r = fma(n, np.broadcast_to(-LN2_LOW, n.shape), fma(n, np.broadcast_to(-LN2_HIGH, n.shape), x))
    p = np.broadcast_to(EXP[0], n.shape)
    for c in EXP[1:]:
        p = fma(p, r, c)
    half = n.astype(np.int32) >> 1
    return np.ldexp(np.ldexp(p, half), n.astype(np.int32) - half)


def log(x: np.float32) -> np.float32:
    """Of a normal number."""
    bits = int(np.array(x, F).view(np.int32))
    n = (bits - 0x3F3504F3) >> 23
    f = np.array([bits - (n << 23)], np.int32).view(F) - F(1)
    q = np.array([LOG[0]], F)
    for c in LOG[1:]:
        q = fma(q, f, c)
    n_float = np.array([n], F)
    low = fma(n_float, np.array([LN2_LOW]), fma(f * f, q, f))
    return fma(n_float, np.array([LN2_HIGH]), low)[0]


def totals(weights: np.ndarray) -> list[np.float32]:
    """The sum up to the end of each chunk."""
    result: list[np.float32] = []
    for first in range(0, len(weights), CHUNK):
        chunk = weights[first:first + CHUNK]
        partials = np.zeros(PARTIALS, F)
        for row in range(0, len(chunk), PARTIALS):
            part = chunk[row:row + PARTIALS]
            partials[:len(part)] += part
        while len(partials) > 1:
            partials = partials[:len(partials) // 2] + partials[len(partials) // 2:]
        result.append(partials[0] if not result else result[-1] + partials[0])
    return result


def log_probability(logits: np.ndarray, token: int) -> np.float32:
    largest = logits.max()
    return (logits[token] - largest) - log(totals(exp(logits - largest))[-1])


def mix(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def random_number(seed: int, sequence: int, position: int) -> np.float32:
    name = 0xCBF29CE484222325
    for byte in b"sample":
        name = (name ^ byte) * 0x100000001B3 & MASK
    key = mix(seed ^ mix(name))
    word = mix(key + ((sequence << 32 | position) + 1) * 0x9E3779B97F4A7C15 & MASK)
    return F(word >> 40) * F(2**-24)


@dataclass(frozen=True)
class Rule:
    """How a token is chosen."""

    temperature: float = 0
    top_k: int = 0
    top_p: float = 1
    min_p: float = 0
    penalty: float = 1
    seed: int = 0

    def options(self) -> list[str]:
        """Those of `sortie-run generate` that are not its defaults."""
        names = {"temperature": "temp", "penalty": "repeat-penalty"}
        return [f"--{names.get(name, name.replace('_', '-'))}={value}"
                for name, value in vars(self).items() if value != getattr(Rule(), name)]


def penalize(logits: np.ndarray, history: list[int], penalty: float) -> np.ndarray:
    changed = logits.copy()
    for token in set(history[-PENALIZED:]):
        x = logits[token]
        changed[token] = x / F(penalty) if x > 0 else x * F(penalty)
    return changed


def candidates(logits: np.ndarray, rule: Rule) -> np.ndarray:
    """The tokens that filters leave, in order."""
    order = np.lexsort((np.arange(len(logits)), -logits))[:rule.top_k or CANDIDATES]
    largest = logits.max()
    weights = exp(logits[order] - largest)
    basis = weights if rule.top_k else exp(logits - largest)
    wanted = F(rule.top_p) * totals(basis)[-1]
    total, kept = F(0), 0
    for weight in weights:
        if weight < F(rule.min_p):
            break
        total, kept = total + weight, kept + 1
        if rule.top_p < 1 and total >= wanted:
            break
    return order[:kept]


def draw(weights: np.ndarray, random: np.float32) -> int:
    sums = totals(weights)
    threshold = random * sums[-1]
    chunk = next(i for i, total in enumerate(sums) if total > threshold)
    rest = threshold - sums[chunk - 1] if chunk else threshold
    total, last = F(0), 0
    for i in range(chunk * CHUNK, min(len(weights), (chunk + 1) * CHUNK)):
        if weights[i] > 0:
            total, last = total + weights[i], i
        if total > rest:
            break
    return last


def choose(logits: np.ndarray, history: list[int], rule: Rule, sequence: int) -> int:
    """The token that follows `history`."""
    logits = penalize(logits, history, rule.penalty)
    if rule.temperature == 0:
        return int(logits.argmax())
    filters = rule.top_k or rule.top_p < 1 or rule.min_p > 0
    kept = candidates(logits, rule) if filters else np.arange(len(logits))
    weights = exp((logits[kept] - logits.max()) / F(rule.temperature))
    return int(kept[draw(weights, random_number(rule.seed, sequence, len(history)))])
