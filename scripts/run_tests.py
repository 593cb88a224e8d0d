"""Runs the parts of the test suite, prints what each took, and sums their counts.

Called by scripts/test.sh once the set-up is done. A part is a list of commands. Commands that write
JUnit reports (GoogleTest, lit, pytest, ctest) are counted by test case, the others as one test
each. A failed part does not stop the next; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
REPORTS = BUILD / "reports"
PYTHON = str(BUILD / "venv" / "bin" / "python")


@dataclass
class Counts:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Step:
    """One command of a part. `reports`: it writes JUnit files to the part's folder."""

    command: list[str]
    reports: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Part:
    """Steps with a name. Each is asked for when those before it have succeeded."""

    name: str
    what: str
    steps: Iterable[Step]


def output_of(command: list[str]) -> str:
    """Standard output of a command that succeeds."""
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def junit_counts(folder: Path) -> Counts:
    """Sums the test cases of all JUnit files in `folder`."""
    counts = Counts()
    for path in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                counts.failed += 1
            elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                counts.skipped += 1
            else:
                counts.passed += 1
    return counts


def run_part(part: Part) -> Counts:
    """Runs the steps in order, up to the first that fails."""
    folder = REPORTS / part.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    counts = Counts()
    for step in part.steps:
        print("+ " + " ".join(step.command), flush=True)
        environment = os.environ | step.environment
        status = subprocess.run(step.command, cwd=ROOT, env=environment, check=False).returncode
        if not step.reports:
            counts.add(Counts(passed=int(status == 0), failed=int(status != 0)))
        if status != 0:
            print(f"{part.name}: exit status {status} of {' '.join(step.command)}", flush=True)
            break
    reported = junit_counts(folder)
    counts.add(reported)
    if status != 0 and counts.failed == 0:  # a crash or a time-out before any report was written
        counts.failed = 1
    return counts


def exhaustive_variable(exhaustive: bool) -> dict[str, str]:
    """What tests read that have more to do then."""
    return {"SORTIE_EXHAUSTIVE": "1"} if exhaustive else {}


def unit_step(part: str, preset: str, exhaustive: bool) -> Step:
    """The GoogleTest programs, each with a report of its own."""
    reports = {"GTEST_OUTPUT": f"xml:{REPORTS / part}/"} | exhaustive_variable(exhaustive)
    command = ["ctest", "--test-dir", str(BUILD / preset), "-L", "unit", "-j", str(os.cpu_count()),
               "--output-on-failure", "--no-tests=error", "--progress"]
    return Step(command, reports=True, environment=reports)


def matrix_steps(part: str, preset: str, exhaustive: bool) -> Iterator[Step]:
    """Exact products of every width, epilogue and chip: all formats are compiled; the test of one
    of them runs, another one after each commit, since all of them take too long for CI."""
    tests = json.loads(output_of(["ctest", "--test-dir", str(BUILD / preset), "-C", "matrix", "-L",
                                  "matrix", "--show-only=json-v1"]))["tests"]
    programs = [test["name"] for test in tests]
    if not exhaustive:
        commits = output_of(["git", "-c", "safe.directory=*", "rev-list", "--count", "HEAD"])
        programs = [programs[int(commits) % len(programs)]]
    report = {"GTEST_OUTPUT": f"xml:{REPORTS / part}/"}
    yield Step(["cmake", "--build", "--preset", preset, "--target", "exact_matrix_syntax",
                *programs])
    for program in programs:
        yield Step([str(BUILD / preset / "bin" / "unit" / program)], reports=True,
                   environment=report)


def lit_step(part: str, preset: str) -> Step:
    options = f"-sv {shlex.quote(f'--xunit-xml-output={REPORTS / part}/lit.xml')}"
    command = ["cmake", "--build", str(BUILD / preset), "--target", "check"]
    return Step(command, reports=True, environment={"LIT_OPTS": options})


def pytest_step(part: str, preset: str, *arguments: str, exhaustive: bool = False) -> Step:
    """pytest on the tools of `preset`; the tests read the two variables."""
    environment = ({"SORTIE_BIN": str(BUILD / preset / "bin")}
                   | exhaustive_variable(exhaustive))
    report = f"--junitxml={REPORTS / part}/pytest.xml"
    command = [PYTHON, "-m", "pytest", "-q", "-n", str(os.cpu_count()), "--dist", "worksteal",
               report, *arguments, "test"]
    return Step(command, reports=True, environment=environment)


def build_steps(preset: str, target: str = "all", configure: tuple[str, ...] = ()) -> list[Step]:
    return [
        Step(["cmake", "--preset", preset, *configure]),
        Step(["cmake", "--build", "--preset", preset, "--target", target]),
    ]


def all_parts(exhaustive: bool, once: bool) -> list[Part]:
    """The parts in the order they run: cheap checks first, the longest last. `once`: a unit test
    that needs no other is built by one preset only (cmake/Sortie.cmake says which)."""
    tests = ("-DSORTIE_BUILD_TESTS=ON", f"-DSORTIE_TESTS_ONCE={'ON' if once else 'OFF'}")
    fuzz_seconds = 600 if exhaustive else 30
    tidy_seconds = 7200 if exhaustive else 180
    subset = [] if exhaustive else ["-m", "sanitizer"]
    return [
        Part("format", "clang-format, shellcheck, ruff", [Step(["scripts/check-format.sh"])]),
        Part("build", "preset release",
             build_steps("release", configure=tests)),
        Part("docs", "generated reference is current",
             [Step(["scripts/generate-docs.sh", "--check"])]),
        Part("runner", "one file for any machine", [Step(["scripts/check-runner.sh"])]),
        Part("unit", "GoogleTest",
             itertools.chain([unit_step("unit", "release", exhaustive)],
                             matrix_steps("unit", "release", exhaustive))),
        Part("lit", "FileCheck tests", [lit_step("lit", "release")]),
        Part("pytest", "references, models, end to end",
             [pytest_step("pytest", "release", exhaustive=exhaustive)]),
        Part("install", "find_package, pkg-config, a lit suite outside",
             [Step(["test/install/run.sh", "build/release"])]),
        Part("asan", "address and undefined-behaviour sanitizers",
             [*build_steps("asan", configure=tests), unit_step("asan", "asan", exhaustive),
              lit_step("asan", "asan"),
              pytest_step("asan", "asan", *subset, exhaustive=exhaustive)]),
        Part("fuzz", f"libFuzzer, {fuzz_seconds} s a target",
             build_steps("asan", "fuzzers", (f"-DSORTIE_FUZZ_SECONDS={fuzz_seconds}",))
             + [Step(["ctest", "--test-dir", str(BUILD / "asan"), "-L", "fuzz", "-j", "2",
                      "--output-on-failure", "--no-tests=error",
                      "--output-junit", f"{REPORTS}/fuzz/fuzz.xml"], reports=True)]),
        Part("tidy", f"clang-tidy, {tidy_seconds} s at most",
             [Step(["scripts/check-tidy.sh", str(tidy_seconds)])]),
    ]


def stale_proofs() -> list[str]:
    """Warnings: kernels whose headers have changed since they were proved on a GPU."""
    lines = output_of([PYTHON, "test/gpu/proved.py", "check"]).splitlines()
    return [f"warning: not proved on a GPU: {line}" for line in lines]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/test.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--exhaustive", action="store_true",
                        help="full matrices, longer fuzzing, clang-tidy on every file")
    parser.add_argument("--only", action="append", metavar="PART",
                        help="run this part (repeatable)")
    parser.add_argument("--list", action="store_true", help="name the parts and exit")
    parser.add_argument("--setup-seconds", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    parts = all_parts(arguments.exhaustive,
                      once=not arguments.exhaustive and not arguments.only)
    if arguments.list:
        print("\n".join(f"{part.name:8} {part.what}" for part in parts))
        return 0
    unknown = set(arguments.only or []) - {part.name for part in parts}
    if unknown:
        print(f"no part named {', '.join(sorted(unknown))}; see scripts/test.sh --list")
        return 2

    os.environ["SORTIE_CACHE_DIR"] = str(BUILD / "kernel-cache")  # test/lit.cfg.py has the same
    total = Counts()
    table = [f"{'setup':8} {arguments.setup_seconds:6} s"]
    for part in parts:
        if arguments.only and part.name not in arguments.only:
            continue
        print(f"\n=== {part.name}: {part.what}", flush=True)
        start = time.monotonic()
        counts = run_part(part)
        total.add(counts)
        table.append(f"{part.name:8} {time.monotonic() - start:6.0f} s  {counts}")
    print("\n" + "\n".join([*table, *stale_proofs()]) + f"\n\n{total}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
