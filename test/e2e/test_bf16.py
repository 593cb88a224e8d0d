"""bf16 arithmetic from a model file to outputs, on the CPU and on the emulated GPU.

Each device keeps {run, batch} to the bit. The two are not equal: their sums have different orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from compare import contribution_error, routing_differences
from ffn import Layer
from gguf_model import Model
from tools import DIVISORS, ToolError, Tools, with_variables

#: Normalised mean squared error of a layer's contribution with activations and weights in bf16.
LIMIT = 5e-5
#: The same between the devices, which round the same operands.
ORDER_LIMIT = 1e-9

TOKENS = 40

#: Preset and types: three formats of weights, biases and odd widths, shared experts.
MODELS = [("olmoe-1b-7b", "bf16"), ("gpt-oss-20b", "f16"), ("deepseek-v2-lite", "f32"),
          ("qwen3-30b-a3b", "q4_0:bf16")]
OPTIONS = {"contract": "run,batch", "unquantized": "bf16", "max_tokens": "64"}
TARGETS = {"cpu": {"target": "cpu"}, "cuda": {"target": "cuda", "chip": "sm_80"}}


@dataclass(frozen=True)
class Compiled:
    """A model's routed layer in bf16 arithmetic; the last output is the expert ids."""

    model: object
    function: str
    programs: dict[str, Path]

    def run(self, tools: Tools, target: str, hidden: np.ndarray,
            *arguments: str) -> tuple[np.ndarray, np.ndarray]:
        return tools.run(self.programs[target], self.model.path, self.function, hidden, *arguments,
                         ids=True)


@pytest.fixture(scope="module", params=MODELS, ids=lambda parameter: "-".join(parameter))
def compiled(request: pytest.FixtureRequest, emulated: Tools, make_model: Callable) -> Compiled:
    preset, types = request.param
    model = make_model(preset, types, DIVISORS[preset],
                       layers=2 if preset.startswith("deepseek") else 1)
    function = model.function(model.routed)
    programs = {target: emulated.compile(model.path, with_ids=function, **OPTIONS, **options)
                for target, options in TARGETS.items()}
    return Compiled(model, function, programs)


def nmse(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.square(actual - expected).sum() / np.square(expected).sum())


@pytest.mark.parametrize("target", TARGETS)
def test_error_against_float64(compiled: Compiled, target: str, emulated: Tools) -> None:
    hidden = compiled.model.input(TOKENS)
    actual, ids = compiled.run(emulated, target, hidden)
    reference = Layer(Model(compiled.model.path), compiled.model.routed).run(hidden, follow=ids)
    different = routing_differences(reference.routing.ids, ids, reference.routing.margin)
    assert not len(different), "the router is not bf16"
    error = contribution_error(hidden, reference.output, actual)
    print(f"nmse {error.nmse:.2e}")
    assert 1e-7 < error.nmse <= LIMIT


def test_devices_differ_by_the_order_of_sums_alone(compiled: Compiled, emulated: Tools) -> None:
    hidden = compiled.model.input(TOKENS)
    cpu, cuda = (compiled.run(emulated, target, hidden)[0] - hidden for target in TARGETS)
    print(f"nmse {nmse(cuda, cpu):.2e}")
    assert nmse(cuda, cpu) <= ORDER_LIMIT


@pytest.mark.parametrize("target", TARGETS)
def test_a_token_does_not_see_its_batch(compiled: Compiled, target: str, emulated: Tools) -> None:
    hidden = compiled.model.input(TOKENS)
    expected, _ = compiled.run(emulated, target, hidden)
    for batch in (1, 2, 9, 33):
        first = TOKENS // 2 - batch // 2
        device = with_variables(emulated, seed=batch)
        actual, _ = compiled.run(device, target, hidden[first : first + batch])
        assert actual.tobytes() == expected[first : first + batch].tobytes(), f"{batch} tokens"
    order = np.random.default_rng(1).permutation(TOKENS)
    actual, _ = compiled.run(emulated, target, hidden[order])
    assert actual.tobytes() == expected[order].tobytes(), "permuted tokens"


def test_runs_are_equal(compiled: Compiled, emulated: Tools) -> None:
    hidden = compiled.model.input(TOKENS)
    expected, _ = compiled.run(emulated, "cpu", hidden, "--threads=1", "--cpu-isa=portable")
    assert compiled.run(emulated, "cpu", hidden, "--threads=2")[0].tobytes() == expected.tobytes()
    expected, _ = compiled.run(emulated, "cuda", hidden)
    actual, _ = compiled.run(with_variables(emulated, seed=3), "cuda", hidden, "--eager")
    assert actual.tobytes() == expected.tobytes()


def test_the_default_contract_refuses_it(tools: Tools, make_model: Callable) -> None:
    model = make_model("olmoe-1b-7b", "bf16", DIVISORS["olmoe-1b-7b"])
    with pytest.raises(ToolError, match="does not keep the module's contract"):
        tools.compile(model.path, unquantized="bf16")


def test_cublas_does_shared_experts(emulated: Tools, make_model: Callable) -> None:
    """Under {run} alone; it differs from kernels by the order of sums, as devices do."""
    preset = "deepseek-v2-lite"
    model = make_model(preset, "f32", DIVISORS[preset], layers=2)
    function = model.function(model.routed)
    hidden = model.input(TOKENS)
    options = OPTIONS | {"contract": "run"} | TARGETS["cuda"]
    kernels = emulated.compile(model.path, **options)
    library = emulated.compile(model.path, **options, cublas="true")
    assert emulated.call("sortie-opt", library).count("moert.cublas_matmul") >= 3
    expected, = emulated.run(kernels, model.path, function, hidden)
    actual, = emulated.run(library, model.path, function, hidden)
    assert nmse(actual - hidden, expected - hidden) <= ORDER_LIMIT
    eager, = emulated.run(library, model.path, function, hidden, "--eager")
    assert eager.tobytes() == actual.tobytes()
    with pytest.raises(ToolError, match="the option cublas is refused"):
        emulated.compile(model.path, **OPTIONS, **TARGETS["cuda"], cublas="true")
