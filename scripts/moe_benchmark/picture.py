"""Pictures of a benchmark, a panel a layer: a roofline with the bound beside each point, and the
time over the tokens with the baselines beside ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .points import Ceilings, Point
from .report import Baselines, others

MARKERS = "osD^vP*X"
DASHES = ((4, 2), (1, 1), (6, 2, 1, 2), (2, 2), (8, 3), (3, 1, 1, 1))
#: Where a label may stand beside its point: offset in typographic points, alignment.
PLACES = (((4, 0), "left", "center"), ((-4, 0), "right", "center"), ((0, 4), "center", "bottom"),
          ((0, -4), "center", "top"), ((4, 4), "left", "bottom"), ((4, -4), "left", "top"),
          ((-4, 4), "right", "bottom"), ((-4, -4), "right", "top"))


def is_available() -> bool:
    """Whether matplotlib is here."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


@dataclass(frozen=True)
class Series:
    """What was measured of one layer with the same program: a line of points over tokens."""

    name: str
    points: list[Point]


def series_of(points: Iterable[Point]) -> list[Series]:
    groups: dict[tuple[str, ...], list[Point]] = {}
    for point in points:
        key = (point.source, point.types, point.activations, point.routing)
        groups.setdefault(key, []).append(point)
    return [Series(", ".join(key), sorted(group, key=lambda point: point.tokens))
            for key, group in groups.items()]


# --- labels ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Label:
    """A text that belongs to a place of a panel, in the panel's data coordinates."""

    text: str
    place: tuple[float, float]
    color: str
    places: tuple[Any, ...] = PLACES  # to be tried in this order


def by_importance(points: Sequence[Any]) -> list[Any]:
    """The ends, then the middle, then the middles of the halves, and so on: what a reader wants to
    see labelled first."""
    ordered = [points[0], points[-1]] if len(points) > 1 else list(points)
    parts = [(0, len(points) - 1)]
    while parts:
        first, last = parts.pop(0)
        middle = (first + last) // 2
        if first < middle < last:
            ordered.append(points[middle])
            parts += [(first, middle), (middle, last)]
    return ordered


def place_labels(axes: Any, labels: Iterable[Label]) -> None:
    """Writes each label where it covers no marker, no text and no legend, and no line if that can
    be; one that finds no such place is left out. The layout of the figure must be final."""
    from matplotlib.transforms import Bbox

    renderer = axes.figure.canvas.get_renderer()
    panel = axes.get_window_extent(renderer)
    taken = [text.get_window_extent(renderer) for text in axes.texts]
    if axes.get_legend():
        taken.append(axes.get_legend().get_window_extent(renderer))
    for line in axes.lines:
        if line.get_marker() in (None, "None", ""):
            continue
        reach = line.get_markersize() / 2 * axes.figure.dpi / 72
        taken += [Bbox([[x - reach, y - reach], [x + reach, y + reach]])
                  for x, y in axes.transData.transform(line.get_xydata())]
    lines = [line.get_path().transformed(axes.transData) for line in axes.lines]
    for label in labels:
        candidates = []
        for offset, horizontal, vertical in label.places:
            note = axes.annotate(label.text, label.place, xytext=offset, fontsize=6,
                                 textcoords="offset points", color=label.color, ha=horizontal,
                                 va=vertical)
            box = note.get_window_extent(renderer)
            note.set_visible(False)
            inside = panel.x0 <= box.x0 and box.x1 <= panel.x1 and (
                panel.y0 <= box.y0 and box.y1 <= panel.y1)
            if inside and not any(box.overlaps(other) for other in taken):
                crossed = sum(line.intersects_bbox(box, filled=False) for line in lines)
                candidates.append((crossed, note, box))
            else:
                note.remove()
        candidates.sort(key=lambda candidate: candidate[0])
        for _, note, box in candidates[:1]:
            note.set_visible(True)
            taken.append(box)
        for _, note, _ in candidates[1:]:
            note.remove()


# --- panels ---------------------------------------------------------------------------------------


def _draw_roof(axes: Any, ceilings: Ceilings, intensities: Sequence[float]) -> None:
    """The roof over the intensities (operations a byte) that points have."""
    ridge = ceilings.tera_operations_per_s / ceilings.read_tb_per_s
    xs = sorted([min(intensities) / 2, ridge, max([*intensities, ridge]) * 2])
    ys = [min(x * ceilings.read_tb_per_s, ceilings.tera_operations_per_s) for x in xs]
    axes.plot(xs, ys, color="black", linewidth=1)
    axes.text(xs[-1], ys[-1], f"{ceilings.tera_operations_per_s:g} TOP/s", ha="right", va="bottom",
              fontsize=7)
    axes.text(xs[0], ys[0], f"{ceilings.read_tb_per_s:g} TB/s", ha="left", va="top", fontsize=7)


def _bound_label(point: Point, ceilings: Ceilings | None) -> str:
    if not ceilings:
        return str(point.tokens)
    name, us = ceilings.bound(point)
    return f"{point.tokens}: {100 * us / point.us:.0f}% {name}"


def _finish(axes: Any, layer: str, x_label: str, y_label: str) -> None:
    axes.set_yscale("log")
    axes.set_title(layer, fontsize=9)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(True, which="major", linewidth=0.3)


def _draw_roofline(axes: Any, layer: str, points: Sequence[Point],
                   ceilings: Ceilings | None) -> list[Label]:
    """Draws the panel; returns the labels it wants, the most important first."""
    wanted = []
    for index, series in enumerate(series_of(points)):
        places = [(point.operations / point.bytes, point.tops) for point in series.points]
        axes.plot(*zip(*places), MARKERS[index % len(MARKERS)], color=f"C{index}", markersize=4,
                  linestyle="-", linewidth=0.4, label=series.name)
        wanted.append(by_importance([Label(_bound_label(point, ceilings), place, f"C{index}")
                                     for point, place in zip(series.points, places)]))
    if ceilings:
        _draw_roof(axes, ceilings, [point.operations / point.bytes for point in points])
    axes.set_xscale("log")
    _finish(axes, layer, "operations a byte of the experts in use", "TOP/s")
    axes.legend(fontsize=6, loc="lower right")
    longest = max(map(len, wanted))
    return [labels[rank] for rank in range(longest) for labels in wanted if rank < len(labels)]


def _draw_times(axes: Any, layer: str, points: Sequence[Point], baselines: Sequence[Baselines],
                names: Sequence[str]) -> list[Label]:
    """Draws the panel; `names` are the baselines of all panels, so that each looks alike in all."""
    theirs: dict[str, dict[int, float]] = {}
    for index, series in enumerate(series_of(points)):
        axes.plot([point.tokens for point in series.points], [point.us for point in series.points],
                  MARKERS[index % len(MARKERS)], color=f"C{index}", markersize=4, linestyle="-",
                  linewidth=1.2, label=series.name)
        for point in series.points:
            for name, us in others(point, baselines).items():
                theirs.setdefault(name, {})[point.tokens] = us
    wanted = []
    for name, us in theirs.items():
        index = names.index(name)
        color = f"C{9 - index % 10}"  # ours are counted from the other end
        tokens = sorted(us)
        axes.plot(tokens, [us[count] for count in tokens], color=color, linewidth=0.9,
                  dashes=DASHES[index % len(DASHES)], label=name)
        wanted.append(Label(name, (tokens[-1], us[tokens[-1]]), color, PLACES[:1]))
    axes.set_xscale("log", base=2)
    counts = sorted({point.tokens for point in points})
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.margins(x=0.15)  # room for the labels at the ends
    _finish(axes, layer, "tokens", "microseconds a layer")
    axes.legend(fontsize=6, loc="upper left")
    return wanted


def _figure(title: str, points: Sequence[Point],
            draw_panel: Callable[[Any, str, list[Point]], list[Label]]) -> Any:
    """A figure with a panel for each layer; labels are placed when the layout is final."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    layers = list(dict.fromkeys(point.layer for point in points))
    columns = min(2, len(layers))
    rows = math.ceil(len(layers) / columns)
    figure, panels = plt.subplots(rows, columns, figsize=(8 * columns, 6 * rows), squeeze=False,
                                  dpi=130)
    wanted = [(axes, draw_panel(axes, layer, [point for point in points if point.layer == layer]))
              for axes, layer in zip(panels.flat, layers)]
    for axes in list(panels.flat)[len(layers):]:
        axes.set_visible(False)
    figure.suptitle(title)
    figure.tight_layout()
    figure.canvas.draw()
    for axes, labels in wanted:
        place_labels(axes, labels)
    return figure


def roofline(points: Sequence[Point], ceilings: Ceilings | None) -> Any:
    """The figure of what is reached of a device's ceilings."""
    title = f"Routed experts of one layer, {points[0].device}"
    if ceilings:
        title += ": each point against its bound"
    return _figure(title, points,
                   lambda axes, layer, own: _draw_roofline(axes, layer, own, ceilings))


def times(points: Sequence[Point], baselines: Sequence[Baselines]) -> Any:
    """The figure of the time over the tokens; dashed lines are others', of other runs but for those
    with a `*`."""
    title = f"Time of the routed experts of one layer, {points[0].device}"
    if baselines:
        title += "\ndashed: baselines of " + ", ".join(f"{known.device}, {known.date}"
                                                       for known in baselines)
    if any(point.baselines for point in points):
        title += "; *: measured in this run"
    names = list(dict.fromkeys(name for point in points for name in others(point, baselines)))
    return _figure(title, points,
                   lambda axes, layer, own: _draw_times(axes, layer, own, baselines, names))


def draw(points: Sequence[Point], baselines: Sequence[Baselines], ceilings: Ceilings | None,
         path: Path) -> list[Path]:
    """Writes the roofline as `path`, the times as `path`-times, each with the endings .png and
    .svg; returns the four files. Needs matplotlib."""
    import matplotlib.pyplot as plt

    files = []
    for ending, figure in (("", roofline(points, ceilings)), ("-times", times(points, baselines))):
        for kind in (".png", ".svg"):
            file = path.with_name(path.name + ending + kind)
            figure.savefig(file)
            files.append(file)
        plt.close(figure)
    return files
