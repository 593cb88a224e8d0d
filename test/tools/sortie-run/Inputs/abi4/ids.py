"""Writes the expert ids that the tests of these programs pass: ids.py OUTPUT.npy TOKENS EXPERTS."""

import sys

import numpy as np

tokens, experts = int(sys.argv[2]), int(sys.argv[3])
first = np.arange(tokens, dtype=np.int32) * 3 % experts
np.save(sys.argv[1], np.stack([first, (first + 1) % experts], axis=1))
