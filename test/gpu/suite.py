"""Runs checks side by side within a time limit and remembers those that are done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path


class Failure(Exception):
    """What a check found to be wrong."""


class Skip(Exception):
    """Why this machine cannot run a check."""


@dataclass(frozen=True)
class Check:
    """One line of the count. `group` and `name` name it; `run` raises Failure or Skip if not all is
    well."""

    group: str
    name: str
    run: Callable[[], None]

    @property
    def key(self) -> str:
        return f"{self.group}: {self.name}"


class Results:
    """Outcomes by key, in a file that grows by a line for each. Skipped checks are not in it: the
    next machine may be able to run them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.outcomes: dict[str, str] = {}
        self.skipped: set[str] = set()
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


    def counts(self, checks: Iterable[Check]) -> dict[str, int]:
        counts = dict.fromkeys(("passed", "failed", "skipped", "left"), 0)
        for check in checks:
            outcome = self.outcomes.get(check.key)
            if check.key in self.skipped:
                counts["skipped"] += 1
            elif outcome is None:
                counts["left"] += 1
            else:
                counts["failed" if outcome else "passed"] += 1
        return counts


def _outcome(check: Check) -> str | Skip:
    """What is wrong; empty if nothing is."""
    try:
        check.run()
    except Failure as failure:
        return str(failure) or "failed"
    except Skip as skip:
        return skip
    return ""


def _table(checks: Sequence[Check], results: Results) -> str:
    """Counts for each group."""
    groups = dict.fromkeys(check.group for check in checks)
    width = max(len(group) for group in groups)
    lines = [f"{'':{width}}  passed  failed  skipped  left"]
    for group in groups:
        counts = results.counts(check for check in checks if check.group == group)
        lines.append(f"{group:{width}}  {counts['passed']:6}  {counts['failed']:6}  "
                     f"{counts['skipped']:7}  {counts['left']:4}")
    return "\n".join(lines)


def run_checks(checks: Sequence[Check], results: Results, seconds: float, workers: int) -> int:
    """Runs the checks that have not passed, starting none when the time is over; prints what failed
    or was skipped as it comes, a table, and the counts of all. Returns the exit status."""
    end = time.monotonic() + seconds
    todo = [check for check in checks if not results.passed(check)]

    def attempt(check: Check) -> tuple[Check, str | Skip | None]:
        return check, _outcome(check) if time.monotonic() < end else None

    with ThreadPoolExecutor(workers) as pool:
        for check, outcome in pool.map(attempt, todo):
            if outcome is None:
                continue
            if isinstance(outcome, Skip):
                results.skipped.add(check.key)
                print(f"SKIPPED {check.key}: {outcome}", flush=True)
                continue
            results.add(check, outcome)
            if outcome:
                print(f"FAILED {check.key}\n  " + outcome.replace("\n", "\n  "), flush=True)
    print(_table(checks, results))
    counts = results.counts(checks)
    if counts["left"]:
        print(f"{counts['left']} are left: run this part again with the same --results")
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 1 if counts["failed"] or counts["left"] else 0
