"""The table of a benchmark, and its ratios against baselines."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from .layers import DATA
from .points import Ceilings, Point


@dataclass(frozen=True)
class Baselines:
    """Published or measured times of others: `us[layer][column][tokens]`, for uniform routing."""

    source: str
    date: str
    machine: str
    device: str
    columns: dict[str, str]
    us: dict[str, dict[str, dict[int, float]]]

    def of(self, point: Point) -> dict[str, float]:
        """column -> microseconds for what `point` measured."""
        if point.routing != "uniform":
            return {}
        columns = self.us.get(point.layer, {})
        return {name: times[point.tokens] for name, times in columns.items()
                if point.tokens in times}


def read_baselines(path: Path) -> Baselines:
    data = json.loads(path.read_text())
    us = {
        layer: {name: dict(zip(columns["tokens"], times)) for name, times in columns.items()
                if name != "tokens"}
        for layer, columns in data["layers"].items()
    }
    return Baselines(data["source"], data["date"], data["machine"], data["device"],
                     data["columns"], us)


def baselines_for(device: str) -> list[Baselines]:
    """Those of test/benchmarks that were measured on such a device."""
    files = sorted(DATA.glob("baselines-*.json"))
    return [found for found in map(read_baselines, files) if found.device in device]


def others(point: Point, baselines: Iterable[Baselines]) -> dict[str, float]:
    """Microseconds of everything there is to compare a point with; `*` marks what was measured in
    the same run."""
    times: dict[str, float] = {}
    for known in baselines:
        times |= known.of(point)
    return times | {f"{name} *": us for name, us in point.baselines.items()}


def _format_table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths))
                     for row in rows)


def _row(point: Point, columns: Sequence[str], times: dict[str, float],
         ceilings: Ceilings | None) -> list[str]:
    cells = [str(point.tokens), f"{point.us:.1f}", f"{point.tb_per_s:.3f}", f"{point.tops:.2f}"]
    if ceilings:
        name, us = ceilings.bound(point)
        cells.append(f"{100 * us / point.us:.0f}% {name}")
    return cells + [f"{times[name] / point.us:.2f}" if name in times else "-" for name in columns]


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _summary(points: Sequence[Point], times: Sequence[dict[str, float]]) -> list[str]:
    """For each column, the mean and the least ratio over all points."""
    lines = []
    for name in dict.fromkeys(name for columns in times for name in columns):
        ratios = [(columns[name] / point.us, point) for point, columns in zip(points, times)
                  if name in columns]
        least, where = min(ratios, key=lambda pair: pair[0])
        mean = geometric_mean([ratio for ratio, _ in ratios])
        lines.append(f"{name}: {mean:.2f} times as fast in the geometric mean of {len(ratios)} "
                     f"points, least {least:.2f} ({where.layer}, {where.types}, "
                     f"{where.tokens} tokens)")
    return lines


def print_report(points: Sequence[Point], baselines: Sequence[Baselines],
                 ceilings: Ceilings | None, out: TextIO) -> None:
    """A table for each layer, type and routing; then the ratios against each baseline, for each
    kind of points that were measured."""
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        key = (point.source, point.layer, point.types, point.activations, point.routing)
        groups.setdefault(key, []).append(point)
    for (source, layer, types, activations, routing), group in groups.items():
        times = [others(point, baselines) for point in group]
        columns = list(dict.fromkeys(name for known in times for name in known))
        print(f"\n{layer}, {types}, {activations} activations, {routing} routing, "
              f"{group[0].device}, {source}", file=out)
        header = ["tokens", "us", "TB/s", "TOP/s"] + (["of the bound"] if ceilings else [])
        rows = [_row(point, columns, known, ceilings) for point, known in zip(group, times)]
        print(_format_table([header + columns] + rows), file=out)
    _print_notes(points, baselines, ceilings, out)


def _print_notes(points: Sequence[Point], baselines: Sequence[Baselines],
                 ceilings: Ceilings | None, out: TextIO) -> None:
    print("\nus: one layer, median. TB/s: bytes of the different experts in use, read once. "
          "TOP/s: 2 M N K of the products.", file=out)
    if ceilings:
        print(f"The bound: {ceilings.read_tb_per_s:g} TB/s or "
              f"{ceilings.tera_operations_per_s:g} TOP/s, whichever takes longer "
              f"({ceilings.source}).", file=out)
    for known in baselines:
        print(f"Columns at the right: their time over ours. {known.machine}, {known.date}. "
              f"{known.source}", file=out)
    if any(point.baselines for point in points):
        print("* measured in this run", file=out)
    kinds: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        kinds.setdefault((point.source, point.types, point.activations), []).append(point)
    for (source, types, activations), group in kinds.items():
        lines = _summary(group, [others(point, baselines) for point in group])
        if lines:
            print(f"\n{source}, {types}, {activations}:", file=out)
            print("\n".join(f"  {line}" for line in lines), file=out)
