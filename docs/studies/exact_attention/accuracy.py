"""What the rules of exact attention cost in accuracy: normalised mean squared errors.

Against float64: 64 queries, 4096 keys, heads of 128; quantization is simulated, roundings to fp32
are not. Needs torch and a CUDA device. The median of three seeds is printed.
"""

from __future__ import annotations

import math

import torch

QUERIES, KEYS, HEAD, CHUNK, LARGEST = 64, 4096, 128, 128, 16319.0
OPTIONS = {"device": "cuda", "dtype": torch.float64}


def quantize(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scale = rows.abs().amax(-1, keepdim=True) / LARGEST
    return torch.round(rows / scale), scale


def limbs(integers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    low = torch.remainder(integers + 64, 128) - 64
    return (integers - low) / 128, low


def exact(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, is_lean: bool) -> torch.Tensor:
    (qi, dq), (ki, dk), (vi, dv) = quantize(q), quantize(k), quantize(v)
    scores = (qi @ ki.T) * dk.T * (dq * math.log2(math.e) / math.sqrt(HEAD))
    most = torch.full((QUERIES, 1), -math.inf, **OPTIONS)
    total = torch.zeros(QUERIES, 1, **OPTIONS)
    output = torch.zeros(QUERIES, HEAD, **OPTIONS)
    for first in range(0, KEYS, CHUNK):
        chunk = slice(first, first + CHUNK)
        chunk_most = scores[:, chunk].amax(-1, keepdim=True)
        p = 2.0 ** torch.clamp(scores[:, chunk] - chunk_most, min=-126)
        w = p * dv[chunk].T
        largest = dv[chunk].amax() if is_lean else w.amax(-1, keepdim=True)
        w_high, w_low = limbs(torch.round(w / (largest / LARGEST)))
        v_high, v_low = limbs(vi[chunk])
        product = 16384 * (w_high @ v_high) + 128 * (w_high @ v_low + w_low @ v_high)
        new_most = torch.maximum(most, chunk_most)
        alpha, beta = 2.0 ** (most - new_most), 2.0 ** (chunk_most - new_most)
        output = output * alpha + product * (largest / LARGEST) * beta
        total = total * alpha + p.sum(-1, keepdim=True) * beta
        most = new_most
    return output / total


def flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    q, k, v = (x.to(dtype).float() for x in (q, k, v))
    scores = (q @ k.T) / math.sqrt(HEAD)
    p = torch.exp(scores - scores.amax(-1, keepdim=True))
    return (p.to(dtype).float() @ v / p.sum(-1, keepdim=True)).double()


def problem(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q, k, v = (torch.randn(rows, HEAD, **OPTIONS) for rows in (QUERIES, KEYS, KEYS))
    if name == "outlier channels":
        q[:, :4] *= 20
        k[:, :4] *= 20
    elif name == "peaked":
        q, k = q * 4, k * 2
    elif name == "uneven values":
        v *= torch.exp(1.5 * torch.randn(KEYS, 1, **OPTIONS))
    elif name == "very uneven values":
        v *= torch.exp(3 * torch.randn(KEYS, 1, **OPTIONS))
    elif name == "one loud value a chunk":
        v[::CHUNK] *= 1000
    return q, k, v


def main() -> None:
    for name in ("plain", "outlier channels", "peaked", "uneven values", "very uneven values",
                 "one loud value a chunk"):
        errors: dict[str, list[float]] = {}
        for seed in range(3):
            torch.manual_seed(seed)
            q, k, v = problem(name)
            truth = torch.softmax(q @ k.T / math.sqrt(HEAD), -1) @ v
            for way, result in (("bf16", flash(q, k, v, torch.bfloat16)),
                                ("fp16", flash(q, k, v, torch.float16)),
                                ("proposal", exact(q, k, v, is_lean=False)),
                                ("lean", exact(q, k, v, is_lean=True))):
                error = float(((result - truth) ** 2).sum() / (truth ** 2).sum())
                errors.setdefault(way, []).append(error)
        print(f"{name:24s}", "  ".join(f"{way} {sorted(e)[1]:.1e}" for way, e in errors.items()))


if __name__ == "__main__":
    main()
