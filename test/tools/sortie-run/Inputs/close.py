"""Compares two arrays of numbers that were added in another order: close.py A.npy B.npy"""

import sys

import numpy as np

a, b = (np.load(path).astype(np.float64) for path in sys.argv[1:])
assert a.shape == b.shape and np.abs(a).max() > 0
# Where an order flips the rounding of an activation to bf16, the product moves by 2^-9 of one term.
error = np.sqrt(np.mean((a - b) ** 2) / np.mean(a**2))
print("close" if error < 1e-3 else f"not close: {error}")
