# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies bytecode of the dialect moert as version 99 of it would begin: newer_version.py FROM TO.

MLIR's bytecode has the version in a section of its own: identifier 7, the length, and the version,
each number n below 128 as the byte 2 * n + 1."""

import sys
from pathlib import Path

bytecode = Path(sys.argv[1]).read_bytes()
current = bytes([7, 2 * 1 + 1, 2 * 3 + 1])
assert bytecode.count(current) == 1
Path(sys.argv[2]).write_bytes(bytecode.replace(current, bytes([7, 2 * 1 + 1, 2 * 99 + 1])))
