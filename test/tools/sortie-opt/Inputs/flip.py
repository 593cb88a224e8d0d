# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies a file with the lowest bit of one byte flipped: flip.py FROM TO INDEX."""

import sys
from pathlib import Path

data = bytearray(Path(sys.argv[1]).read_bytes())
data[int(sys.argv[3])] ^= 1
Path(sys.argv[2]).write_bytes(data)
