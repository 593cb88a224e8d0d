#!/usr/bin/env python3
"""Compares two builds of Sortie: do programs give the same bits, and are they as fast?

    build/venv/bin/python scripts/compare_builds.py --before build/old/bin --after build/release/bin
    ... compare_builds.py --before ... --after ... --times qwen3-30b-a3b:q4_k_m --tokens 1,512

The first form imports every preset (test/models/presets.py), small, in every type that it has,
compiles it with each build for both widths of activations, with every value stored, and compares
the checksums of all values on every instruction set of this machine. Weights are random, from one
seed. Types that the older build does not know are named and left out. The last line counts what
was compared and what differs; the exit code is 1 if anything does.

The second form runs one layer of a preset, in full size, in turns with both builds and prints the
ratio of the medians.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.dont_write_bytecode = True
TEST = Path(__file__).resolve().parents[1] / "test"
sys.path[:0] = [str(TEST / part) for part in ("models", "e2e")]

from make_gguf import write_model  # noqa: E402
from presets import PRESETS, VALID_TYPES, parse_types, scaled  # noqa: E402
from tools import ISAS, ToolError, Tools, small  # noqa: E402

WIDTHS = ("int16", "int8")
WEIGHTS = "random:seed=1"
#: As many tokens as fill a tile and begin another.
TOKENS = 33
TURNS = 7


def functions_of(program: str) -> list[str]:
    """The functions that --describe lists."""
    return re.findall(r"^function (\w+)", program, re.MULTILINE)


def available_isas(tools: Tools, program: Path, function: str) -> list[str]:
    def has(isa: str) -> bool:
        try:
            checksums(tools, program, function, isa)
        except ToolError as error:
            if "not available" in str(error) or "does not have" in str(error):
                return False
            raise
        return True

    return [isa for isa in ISAS if has(isa)]


def checksums(tools: Tools, program: Path, function: str, isa: str) -> str:
    return tools.call("sortie-run", program, f"--weights={WEIGHTS}", f"--function={function}",
                      f"--input=hidden=random:seed=2,tokens={TOKENS}", "--checksums",
                      f"--cpu-isa={isa}")


def both_builds(arguments: argparse.Namespace, scratch: Path) -> list[Tools]:
    builds = []
    for name in ("before", "after"):
        folder = scratch / name
        folder.mkdir()
        builds.append(Tools(getattr(arguments, name).absolute(), folder))
    return builds


def models(pattern: str) -> Iterator[tuple[str, str]]:
    for preset, types in VALID_TYPES.items():
        for type_name in types:
            if re.search(pattern, f"{preset}:{type_name}"):
                yield preset, type_name


def compare_bits(arguments: argparse.Namespace, scratch: Path) -> int:
    builds = both_builds(arguments, scratch)
    compared = differing = values = 0
    isas: list[str] = []
    for preset, type_name in models(arguments.only):
        model = scratch / f"{preset}-{type_name}.gguf"
        write_model(model, small(preset), parse_types(type_name), header_only=True)
        for width in WIDTHS:
            try:
                programs = [build.compile(model, target="cpu", activations=width, materialize="all")
                            for build in builds]
            except ToolError as error:
                if str(builds[1].bin) in str(error):
                    raise
                print(f"{preset} {type_name} {width}: not in the older build", flush=True)
                continue
            described = builds[0].call("sortie-run", programs[0], "--describe")
            for function in functions_of(described):
                isas = isas or available_isas(builds[1], programs[1], function)
                for isa in isas:
                    before, after = (checksums(build, program, function, isa)
                                     for build, program in zip(builds, programs))
                    compared += 1
                    values += len(before.splitlines())
                    if before != after:
                        differing += 1
                        print(f"{preset} {type_name} {width} {function} {isa}: differs", flush=True)
        print(f"{preset} {type_name}: compared", file=sys.stderr, flush=True)
    print(f"{compared} runs on {', '.join(isas)}, {values} values compared, "
          f"{differing} runs differ")
    return 1 if differing or not values else 0


def microseconds(tools: Tools, program: Path, tokens: int) -> float:
    report = tools.call("sortie-run", program, f"--weights={WEIGHTS}",
                        f"--input=hidden=random:seed=2,tokens={tokens}", "--benchmark",
                        "--benchmark-format=json")
    return float(json.loads(report)["median_ns"]) / 1000


def compare_times(arguments: argparse.Namespace, scratch: Path) -> int:
    builds = both_builds(arguments, scratch)
    preset, type_name = arguments.times.split(":", 1)
    model = scratch / "model.gguf"
    write_model(model, scaled(PRESETS[preset], layers=1), parse_types(type_name), header_only=True)
    for width in WIDTHS:
        programs = [build.compile(model, target="cpu", activations=width) for build in builds]
        for tokens in map(int, arguments.tokens.split(",")):
            turns = [[microseconds(build, program, tokens)
                      for build, program in zip(builds, programs)] for _ in range(TURNS)]
            before, after = (median(turn[side] for turn in turns) for side in (0, 1))
            ratio = median(turn[1] / turn[0] for turn in turns)
            print(f"{preset} {type_name} {width}, {tokens} tokens: {before:.0f} us before, "
                  f"{after:.0f} us after, ratio {ratio:.3f}", flush=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="folder of the older tools")
    parser.add_argument("--after", type=Path, required=True, help="folder of the newer tools")
    parser.add_argument("--only", default="", help="regular expression of PRESET:TYPES")
    parser.add_argument("--times", help="PRESET:TYPES to time instead")
    parser.add_argument("--tokens", default="1,32,512", help="for --times")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        compare = compare_times if arguments.times else compare_bits
        try:
            return compare(arguments, Path(scratch))
        except (ToolError, subprocess.SubprocessError) as error:
            print(f"compare_builds: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
