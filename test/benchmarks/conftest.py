"""Makes scripts/benchmark.py importable."""

from __future__ import annotations

import sys
from pathlib import Path

TEST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST.parent / "scripts"), str(TEST / "models")]
