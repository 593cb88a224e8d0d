"""Runs checks side by side within a time limit and remembers those that are done."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence


class Failure(Exception):
    """What a check found to be wrong."""


@dataclass(frozen=True)
class Check:
    """One line of the count. `group` and `name` name it; `run` raises Failure or returns a note."""

    group: str
    name: str
    run: Callable[[], None]

    @property
    def key(self) -> str:
        return f"{self.group}: {self.name}"


class Results:
    """Outcomes by key, in a file that grows by a line for each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.outcomes: dict[str, str] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self.outcomes.update(json.loads(line))

    def passed(self, check: Check) -> bool:
        """Failed checks are run again."""
        return self.outcomes.get(check.key) == ""

    def add(self, check: Check, failure: str) -> None:
        self.outcomes[check.key] = failure
        with self.path.open("a") as out:
            out.write(json.dumps({check.key: failure}) + "\n")


def _outcome(check: Check) -> str:
    """What is wrong; empty if nothing is."""
    try:
        check.run()
    except Failure as failure:
        return str(failure) or "failed"
    return ""


def _table(checks: Sequence[Check], results: Results) -> str:
    """Counts for each group."""
    groups = dict.fromkeys(check.group for check in checks)
    width = max(len(group) for group in groups)
    lines = [f"{'':{width}}  passed  failed  left"]
    for group in groups:
        outcomes = [results.outcomes.get(check.key) for check in checks if check.group == group]
        failed = sum(1 for outcome in outcomes if outcome)
        lines.append(f"{group:{width}}  {outcomes.count(''):6}  {failed:6}  {outcomes.count(None):4}")
    return "\n".join(lines)


def run_checks(checks: Sequence[Check], results: Results, seconds: float, workers: int) -> int:
    """Runs the checks that have not passed, starting none when the time is over; prints failures
    as they come, a table, and the counts of all. Returns the exit status."""
    end = time.monotonic() + seconds
    todo = [check for check in checks if not results.passed(check)]

    def attempt(check: Check) -> tuple[Check, str | None]:
        return check, _outcome(check) if time.monotonic() < end else None

    with ThreadPoolExecutor(workers) as pool:
        for check, failure in pool.map(attempt, todo):
            if failure is None:
                continue
            results.add(check, failure)
            if failure:
                print(f"FAILED {check.key}\n  " + failure.replace("\n", "\n  "), flush=True)
    print(_table(checks, results))
    outcomes = [results.outcomes.get(check.key) for check in checks]
    failed = sum(1 for outcome in outcomes if outcome)
    left = outcomes.count(None)
    if left:
        print(f"{left} are left: run this part again with the same --results")
    print(f"{outcomes.count('')} passed, {failed} failed")
    return 1 if failed or left else 0
