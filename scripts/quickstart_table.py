"""Runs one layer with sortie-run and prints its row of the table of scripts/quickstart.sh."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test" / "reference"))
from compare import contribution_error, load_reference

COLUMNS = "{:<24} {:>6} {:>10} {:>10}  {:<16}  {:>12}"


def sortie_run(options: argparse.Namespace, hidden: Path, *arguments: str) -> str:
    """Standard output of sortie-run on the layer's function."""
    command = [str(options.bin.absolute() / "sortie-run"), str(options.program),
               "--weights", str(options.weights), "--function", f"blk_{options.layer}_ffn",
               "--input", f"hidden={hidden}", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="folder of sortie-run")
    parser.add_argument("--work", type=Path, required=True, help="folder for scratch files")
    parser.add_argument("--header", action="store_true", help="print the head of the table only")
    parser.add_argument("--program", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--layer", type=int, default=0)
    parser.add_argument("--input", type=Path, help="[T, hidden]")
    parser.add_argument("--reference", type=Path, help="the output in float64, .npy or of ffn.py")
    parser.add_argument("--tokens", type=int, help="use only the first of the input")
    options = parser.parse_args()
    if options.header:
        print(COLUMNS.format("layer", "tokens", "ms", "tokens/s", "checksum", "error (nmse)"))
        return 0

    hidden = np.load(options.input)[: options.tokens]
    expected = load_reference(options.reference)["output"][: options.tokens]
    input_file = options.work / "hidden.npy"
    output_file = options.work / "output.npy"
    np.save(input_file, hidden)

    checksums = sortie_run(options, input_file, "--output", str(output_file), "--checksums")
    checksum = checksums.split()[-1]  # the function's output comes last
    report = json.loads(sortie_run(options, input_file, "--benchmark", "--benchmark-format=json"))
    median_ms = report["median_ns"] * 1e-6
    error = contribution_error(hidden, expected, np.load(output_file))
    name = f"{options.weights.stem} layer {options.layer}"
    print(COLUMNS.format(name, len(hidden), f"{median_ms:.2f}",
                         f"{len(hidden) / median_ms * 1e3:.0f}", checksum,
                         f"{error.nmse:.1e}"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
