"""One measured point: what was run, how long it took, and what that amounts to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .layers import DATA


@dataclass
class Point:
    """A layer, its inputs and the time that one layer took. Times are microseconds."""

    layer: str
    types: str
    activations: str
    routing: str
    tokens: int
    steps: int  # layers a run, each with other experts
    experts: float  # different ones a layer used
    expert_bytes: int  # of one expert
    operations: int
    device: str
    us: float
    p10_us: float
    p90_us: float
    runs: int
    kernels: dict[str, float] = field(default_factory=dict)  # operation -> us a layer
    baselines: dict[str, float] = field(default_factory=dict)  # name -> us, measured beside
    source: str = "sortie-run"

    @property
    def bytes(self) -> float:
        """Of the experts in use: the least that must be read."""
        return self.experts * self.expert_bytes

    @property
    def tb_per_s(self) -> float:
        return self.bytes / self.us * 1e-6

    @property
    def tops(self) -> float:
        return self.operations / self.us * 1e-6

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.source, self.layer, self.types, self.activations, self.routing, self.tokens)


@dataclass(frozen=True)
class Ceilings:
    """What a device can do at most, and who says so."""

    read_tb_per_s: float
    tera_operations_per_s: float
    source: str

    def bound(self, point: Point) -> tuple[str, float]:
        """The name of the bound that holds, and the time in microseconds that it allows."""
        memory = point.bytes / self.read_tb_per_s * 1e-6
        arithmetic = point.operations / self.tera_operations_per_s * 1e-6
        return ("memory", memory) if memory >= arithmetic else ("arithmetic", arithmetic)


def known_ceilings(device: str) -> Ceilings | None:
    """Those of test/benchmarks/ceilings.json whose name is part of the device's."""
    data = json.loads((DATA / "ceilings.json").read_text())
    return next((Ceilings(**fields) for name, fields in data.items() if name in device), None)


def point_json(point: Point, ceilings: Ceilings | None) -> dict[str, Any]:
    """The point with what follows from it."""
    values = asdict(point) | {"bytes": point.bytes, "tb_per_s": point.tb_per_s, "tops": point.tops}
    if ceilings:
        values["bound"], values["bound_us"] = ceilings.bound(point)
    return values


def read_points(path: Path) -> list[Point]:
    """The points of a file that write_points() wrote; none if there is no file."""
    if not path.exists():
        return []
    names = set(Point.__dataclass_fields__)
    return [Point(**{name: value for name, value in values.items() if name in names})
            for values in json.loads(path.read_text())["points"]]


def write_points(path: Path, points: list[Point], ceilings: Ceilings | None,
                 failures: list[str], left: int) -> None:
    """All points as JSON, what failed, and how many were not measured for lack of time; the file
    appears whole or not at all."""
    out = {"ceilings": asdict(ceilings) if ceilings else None, "failures": failures, "left": left,
           "points": [point_json(point, ceilings) for point in points]}
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(json.dumps(out, indent=1) + "\n")
    scratch.replace(path)
