"""Checks that events of a trace follow each other, those of a function's steps inside of the
function, and prints their names: trace.py TRACE.json."""

import json
import sys

with open(sys.argv[1]) as file:
    events = json.load(file)["traceEvents"]
ROUNDING = 1e-3  # microseconds: times are printed in them, from nanoseconds


def follow(events: list[dict], start: float) -> float:
    """The end of the last event; each begins when the one before has ended, the first from `start`
    on."""
    for event in events:
        assert event["ph"] == "X" and event["dur"] > 0, event
        assert event["ts"] >= start - ROUNDING, f"{event} begins before {start}"
        start = event["ts"] + event["dur"]
    return start


names = [event["name"] for event in events]
function = events[names.index("load weights") + 1]
steps = events[events.index(function) + 1:]
end = follow(events[: events.index(function) + 1], 0)
assert follow(steps, function["ts"]) <= end + ROUNDING, "a step ends after its function"
print(names)
print(steps[-2]["args"])
