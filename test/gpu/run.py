"""Runs one part of the proof on a GPU; see run.sh."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from package import read_manifest, read_whole_models, unpack  # noqa: E402
from parts import checksum_checks, sanitizer_checks, stability_checks  # noqa: E402
from proved import remember  # noqa: E402
from sortie import Sortie  # noqa: E402
from suite import Results, run_checks  # noqa: E402
from whole import whole_checks, whole_sanitizer_checks  # noqa: E402

#: Which checks a part has, of layers or of whole models.
PARTS = {1: [(checksum_checks, read_manifest)], 2: [(stability_checks, read_manifest)],
         3: [(sanitizer_checks, read_manifest), (whole_sanitizer_checks, read_whole_models)],
         5: [(whole_checks, read_whole_models)]}
BENCHMARK_PART = 4
BENCHMARK = Path(__file__).resolve().parents[2] / "scripts" / "benchmark.py"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test/gpu/run.sh", description=__doc__)
    parser.add_argument("archive", type=Path, help="what test/gpu/prepare.sh made")
    parser.add_argument("--part", type=int, required=True, choices=sorted((*PARTS, BENCHMARK_PART)))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--results", type=Path, metavar="DIR",
                        help="where it says what is done; default: results beside the archive")
    parser.add_argument("--seconds", type=float, default=540, help="default 540")
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1),
                        help="checks at the same time")
    parser.add_argument("--models", default="", metavar="REGEX", help="only models that it matches")
    parser.add_argument("benchmark", nargs="*", metavar="-- ARGUMENT",
                        help="part 4: further arguments of scripts/benchmark.py")
    return parser.parse_args()


def run_benchmark(options: argparse.Namespace, folder: Path, results: Path) -> int:
    """Part 4; its results file is benchmark.json. Each point counts as one."""
    points = results / "benchmark.json"
    command = [sys.executable, str(BENCHMARK), "--device", options.device, "--bin",
               str(folder / "bin"), "--run-only", str(folder / "benchmark"), "--json", str(points),
               "--resume", "--seconds", str(options.seconds), *options.benchmark]
    status = subprocess.run(command, check=False).returncode
    data = json.loads(points.read_text()) if points.exists() else {"points": [], "failures": [""]}
    print(f"{len(data['points'])} passed, {len(data['failures'])} failed")
    return status


def main() -> int:
    options = parse_arguments()
    results = options.results or options.archive.parent / "results"
    folder = unpack(options.archive, Path(tempfile.gettempdir()) / "sortie-gpu")
    if options.part == BENCHMARK_PART:
        return run_benchmark(options, folder, results)
    with tempfile.TemporaryDirectory() as scratch:
        sortie = Sortie(folder, options.device, Path(scratch))
        checks = [check for checks_of, read_models in PARTS[options.part]
                  for check in checks_of(sortie, [model for model in read_models(folder)
                                                  if re.search(options.models, model.name)])]
        outcomes = Results(results / f"part{options.part}.jsonl")
        status = run_checks(checks, outcomes, options.seconds, options.workers)
    remember(folder, results, options.models, options.part, outcomes.counts(checks))
    return status


if __name__ == "__main__":
    sys.exit(main())
