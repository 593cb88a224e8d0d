"""Prints the perplexity of the trained model beside the known one, for scripts/quickstart.sh."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np


def log_likelihoods(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Of every token but the first of each passage: [S, T - 1] from logits [S, T, V]."""
    predicted = logits[:, :-1].astype(np.float64)
    most = predicted.max(axis=-1)
    normalizer = most + np.log(np.exp(predicted - most[..., None]).sum(axis=-1))
    chosen = np.take_along_axis(predicted, tokens[:, 1:, None], axis=-1)[..., 0]
    return chosen - normalizer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--bin", type=Path, required=True, help="folder of sortie")
    parser.add_argument("--work", type=Path, required=True, help="folder for scratch files")
    parser.add_argument("--reference", type=Path, required=True,
                        help="tokens, and the negative log likelihood of each but the first")
    parser.add_argument("--activations", required=True)
    options = parser.parse_args()

    reference = np.load(options.reference)
    tokens, output = options.work / "tokens.npy", options.work / "logits.npy"
    np.save(tokens, reference["tokens"])
    subprocess.run([options.bin.absolute() / "sortie", "logits", options.model, "--tokens", tokens,
                    "--output", output, f"--activations={options.activations}"], check=True)
    found = np.exp(-log_likelihoods(np.load(output), reference["tokens"]).mean())
    print(f"{'computed by':<36} perplexity")
    print(f"{'transformers, float32':<36} {np.exp(reference['nll'].mean()):10.4f}")
    print(f"{f'sortie, activations of {options.activations}':<36} {found:10.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
