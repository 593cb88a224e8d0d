"""What PyTorch and cuBLAS take on the same GPU: bf16 products on rows sorted beforehand.

Only the products of gate and up (one matrix) and of down are timed, so these are ceilings for bf16
and no whole layers. Times come from events around replays of a CUDA graph.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from .layers import Layer
from .points import Ceilings
from .routing import Routing

WARM_UPS = 3
LEAST_RUNS = 10
LEAST_MS = 300.0


def cuda_torch() -> Any | None:
    """The module torch, if it is here and sees a GPU."""
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def replay_us(torch: Any, work: Callable[[], None]) -> float:
    """The median time of a graph of `work`, in microseconds."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    graph.replay()
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < LEAST_MS:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times) * 1e3


def measure_ceilings(torch: Any) -> Ceilings:
    """A copy of 2 GiB and a bf16 product of 8192 cubed."""
    source = torch.randint(0, 255, (2 << 30,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copy_us = replay_us(torch, lambda: target.copy_(source))
    a, b = (torch.randn(8192, 8192, device="cuda").bfloat16() for _ in range(2))
    product_us = replay_us(torch, lambda: torch.mm(a, b))
    return Ceilings(2 * source.nbytes / copy_us * 1e-6, 2 * 8192**3 / product_us * 1e-6,
                    "measured in this run: device copy, read plus write; bf16 product of 8192^3")


class TorchLayer:
    """The bf16 weights of one layer on the GPU."""

    def __init__(self, torch: Any, layer: Layer) -> None:
        self.torch = torch
        self.layer = layer
        self.gate_up = self._random(layer.experts, 2 * layer.width, layer.hidden)
        self.down = self._random(layer.experts, layer.hidden, layer.width)

    def _random(self, *shape: int) -> Any:
        torch = self.torch
        values = torch.empty(*shape, dtype=torch.bfloat16, device="cuda")
        return values.normal_(std=shape[-1] ** -0.5)

    def measure(self, routing: Routing) -> dict[str, float]:
        """name -> microseconds a layer, of what this version of torch has."""
        steps, tokens, used = routing.ids.shape
        x = self._random(tokens * used, self.layer.hidden)
        act = self._random(tokens * used, self.layer.width)
        counts = [np.bincount(ids.ravel(), minlength=self.layer.experts) for ids in routing.ids]

        def loop() -> None:
            for count in counts:
                self._loop(x, act, count)

        times = {"cuBLAS loop": replay_us(self.torch, loop) / steps}
        grouped = self._grouped_mm()
        if grouped:
            ends = [self.torch.tensor(np.cumsum(count), dtype=self.torch.int32, device="cuda")
                    for count in counts]

            def group() -> None:
                for end in ends:
                    grouped(x, self.gate_up.transpose(-2, -1), offs=end)
                    grouped(act, self.down.transpose(-2, -1), offs=end)

            times["grouped_mm"] = replay_us(self.torch, group) / steps
        return times

    def _grouped_mm(self) -> Callable[..., Any] | None:
        public = getattr(self.torch.nn.functional, "grouped_mm", None)
        return public or getattr(self.torch, "_grouped_mm", None)

    def _loop(self, x: Any, act: Any, count: np.ndarray) -> None:
        ends = np.cumsum(count)
        for expert in np.flatnonzero(count):
            rows = slice(int(ends[expert] - count[expert]), int(ends[expert]))
            self.torch.mm(x[rows], self.gate_up[expert].T)
            self.torch.mm(act[rows], self.down[expert].T)


class TorchBaselines:
    """Baselines of one layer after the other; each routing is measured once."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.current: TorchLayer | None = None
        self.known: dict[tuple[str, str, int], dict[str, float]] = {}

    def measure(self, layer: Layer, kind: str, tokens: int, routing: Routing) -> dict[str, float]:
        key = (layer.name, kind, tokens)
        if key not in self.known:
            if self.current is None or self.current.layer != layer:
                self.current = None
                self.torch.cuda.empty_cache()
                self.current = TorchLayer(self.torch, layer)
            self.known[key] = self.current.measure(routing)
            self.torch.cuda.empty_cache()  # the runner's process needs the memory
        return self.known[key]
