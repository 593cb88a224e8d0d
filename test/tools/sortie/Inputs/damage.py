"""Damages the only file of a folder: `flip` changes a bit, `cut` and `empty` shorten it."""

import sys
from pathlib import Path

(path,) = Path(sys.argv[1]).iterdir()
data = bytearray(path.read_bytes())
if sys.argv[2] == "flip":
    data[len(data) // 2] ^= 1
path.write_bytes({"flip": data, "cut": data[:-1], "empty": b""}[sys.argv[2]])
