"""A roofline picture of a benchmark: a panel a layer, the bound beside each point."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Sequence

from .points import Ceilings, Point

MARKERS = "osD^vP*X"


def is_available() -> bool:
    """Whether matplotlib is here."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def _draw_roof(axes: Any, ceilings: Ceilings, intensities: Sequence[float]) -> None:
    """The roof over the intensities (operations a byte) that points have."""
    ridge = ceilings.tera_operations_per_s / ceilings.read_tb_per_s
    xs = sorted([min(intensities) / 2, ridge, max([*intensities, ridge]) * 2])
    ys = [min(x * ceilings.read_tb_per_s, ceilings.tera_operations_per_s) for x in xs]
    axes.plot(xs, ys, color="black", linewidth=1)
    axes.text(xs[-1], ys[-1], f"{ceilings.tera_operations_per_s:g} TOP/s", ha="right", va="bottom",
              fontsize=7)
    axes.text(xs[0], ys[0], f"{ceilings.read_tb_per_s:g} TB/s", ha="left", va="bottom", fontsize=7)


def _label(point: Point, ceilings: Ceilings | None) -> str:
    if not ceilings:
        return str(point.tokens)
    name, us = ceilings.bound(point)
    return f"{point.tokens}: {100 * us / point.us:.0f}% {name}"


def _draw_panel(axes: Any, layer: str, points: Sequence[Point], ceilings: Ceilings | None) -> None:
    groups: dict[tuple[str, str, str], list[Point]] = {}
    for point in points:
        groups.setdefault((point.types, point.activations, point.routing), []).append(point)
    for index, (key, group) in enumerate(groups.items()):
        xs = [point.operations / point.bytes for point in group]
        ys = [point.tops for point in group]
        axes.plot(xs, ys, MARKERS[index % len(MARKERS)], color=f"C{index}", markersize=4,
                  label=", ".join(key))
        for x, y, point in zip(xs, ys, group):
            axes.annotate(_label(point, ceilings), (x, y), xytext=(4, -4), fontsize=5,
                          textcoords="offset points", color=f"C{index}")
    if ceilings:
        _draw_roof(axes, ceilings, [point.operations / point.bytes for point in points])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(layer, fontsize=9)
    axes.set_xlabel("operations a byte of the experts in use")
    axes.set_ylabel("TOP/s")
    axes.grid(True, which="major", linewidth=0.3)
    axes.legend(fontsize=6, loc="lower right")


def draw(points: Sequence[Point], ceilings: Ceilings | None, path: Path) -> list[Path]:
    """Writes `path` with the endings .png and .svg; returns both. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    layers = list(dict.fromkeys(point.layer for point in points))
    columns = min(2, len(layers))
    rows = math.ceil(len(layers) / columns)
    figure, panels = plt.subplots(rows, columns, figsize=(8 * columns, 6 * rows), squeeze=False)
    for axes, layer in zip(panels.flat, layers):
        _draw_panel(axes, layer, [point for point in points if point.layer == layer], ceilings)
    for axes in list(panels.flat)[len(layers):]:
        axes.set_visible(False)
    figure.suptitle(f"Routed experts of one layer, {points[0].device}: each point against its "
                    "bound" if ceilings else f"Routed experts of one layer, {points[0].device}")
    figure.tight_layout()
    files = [path.with_suffix(ending) for ending in (".png", ".svg")]
    for file in files:
        figure.savefig(file, dpi=130)
    plt.close(figure)
    return files
