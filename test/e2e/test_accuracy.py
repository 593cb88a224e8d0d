"""Every preset in its usual types against the float64 reference.

By default a pairwise part of the matrix runs: every preset in every way of being special, every
type, both widths of activations, with and without outlier channels. SORTIE_EXHAUSTIVE=1
(`scripts/test.sh --exhaustive`) runs all of it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from compare import contribution_error, routing_differences
from ffn import Layer
from gguf_model import Model
from presets import PRESETS, USUAL_TYPES
from tools import DIVISORS, Tools

#: Normalised mean squared error of a layer's contribution.
INT16_LIMIT = 1e-6
INT8_LIMIT = 5e-4
#: int8 has no promise for inputs with channels 30 times as large as the others; an error above this
#: is a bug all the same.
INT8_OUTLIERS_LIMIT = 5e-3

TOKENS = 40

#: Types that are no public file's, and mixes that real files have layer by layer.
FURTHER_TYPES = {
    "qwen3-30b-a3b": ("f32", "f16", "q4_1", "q5_0", "q5_1", "q3_k", "q5_k", "mxfp4",
                      "q4_k:q5_k:q6_k", "q4_0:bf16", "iq2_xxs", "iq4_ks", "q4_k_r4"),
}


@dataclass(frozen=True)
class Case:
    preset: str
    types: str
    activations: str
    outliers: bool

    @property
    def limit(self) -> float:
        if self.activations == "int16" or self.types in ("f32", "f16", "bf16"):
            return INT16_LIMIT
        return INT8_OUTLIERS_LIMIT if self.outliers else INT8_LIMIT

    def __str__(self) -> str:
        return f"{self.preset}-{self.types}-{self.activations}" + "-outliers" * self.outliers


def all_cases() -> Iterator[Case]:
    for preset in PRESETS:
        for types in USUAL_TYPES[preset] + FURTHER_TYPES.get(preset, ()):
            for activations, outliers in itertools.product(("int16", "int8"), (False, True)):
                yield Case(preset, types, activations, outliers)


def pairwise(cases: list[Case]) -> list[Case]:
    """Cases, first come first taken, until every pair of preset, type, width and outliers that a
    case has is in one that was taken; preset and type count as a pair for types seen the first
    time only."""

    def pairs(case: Case) -> set[tuple]:
        setting = (case.activations, case.outliers)
        return {("type", case.types, case.activations), ("type", case.types, case.outliers),
                ("preset", case.preset, *setting)}

    taken, covered = [], set()
    for case in sorted(cases, key=lambda case: case.activations == "int8" and case.outliers):
        if pairs(case) - covered:
            taken.append(case)
            covered |= pairs(case)
    return taken


def selected_cases() -> list[Case]:
    cases = list(all_cases())
    return cases if os.environ.get("SORTIE_EXHAUSTIVE") else pairwise(cases)


@pytest.mark.parametrize("case", selected_cases(), ids=str)
def test_error_against_float64(case: Case, tools: Tools, make_model: Callable,
                               record_property: Callable) -> None:
    dense_first = PRESETS[case.preset].dense_layers > 0
    model = make_model(case.preset, case.types, DIVISORS[case.preset],
                       layers=2 if dense_first else 1)
    function = model.function(model.routed)
    program = tools.compile(model.path, with_ids=function, activations=case.activations)
    hidden = model.input(TOKENS, case.outliers)
    actual, ids = tools.run(program, model.path, function, hidden, ids=True)

    reference = Layer(Model(model.path), model.routed).run(hidden, follow=ids)
    different = routing_differences(reference.routing.ids, ids, reference.routing.margin)
    assert not len(different), f"tokens {different} are routed to other experts"
    error = contribution_error(hidden, reference.output, actual)
    record_property("nmse", error.nmse)
    print(f"nmse {error.nmse:.2e}")
    assert error.nmse <= case.limit


@pytest.mark.parametrize("preset", [name for name, preset in PRESETS.items()
                                    if preset.dense_layers])
@pytest.mark.parametrize("activations", ["int16", "int8"])
def test_dense_layer(preset: str, activations: str, tools: Tools, make_model: Callable) -> None:
    """The leading layers of DeepSeek models have no router."""
    model = make_model(preset, "q4_k_m", DIVISORS[preset], layers=2)
    program = tools.compile(model.path, activations=activations)
    hidden = model.input(TOKENS)
    actual, = tools.run(program, model.path, model.function(0), hidden)
    reference = Layer(Model(model.path), 0).run(hidden)
    assert reference.routing is None
    error = contribution_error(hidden, reference.output, actual)
    assert error.nmse <= (INT16_LIMIT if activations == "int16" else INT8_LIMIT)


def test_pairwise_covers_every_preset_and_type() -> None:
    """The default part of the matrix leaves out combinations, never a preset or a type."""
    cases = list(all_cases())
    taken = pairwise(cases)
    assert {case.preset for case in taken} == {case.preset for case in cases}
    assert {(case.types, case.activations) for case in taken} == {
        (case.types, case.activations) for case in cases}
    assert np.mean([case.outliers for case in taken]) > 0.2
