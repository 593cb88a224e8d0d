"""Parts 1 to 3: which checks there are."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from package import CONTRACT, CUBLAS, Model
from sortie import Sortie, call
from suite import Check, Failure, Skip

BATCHES = (1, 2, 7, 8, 9, 33, 512)
REPETITIONS = 100
#: Into how many runs all tokens are split; they are on their way together.
SUBMITTED = (2, 33)
OTHER_IMAGES = ("cuda-sm_80", "cuda-sm_90")
#: A normalised mean squared error for another order of fp32 sums. They differ by some 1e-6, which
#: rounds a few in 10,000 activations to the other bf16, 2**-8 away: 2e-8 was seen. The error of
#: bf16 itself is 1e-5.
ORDER_LIMIT = 1e-7
SANITIZERS = ("memcheck", "racecheck", "synccheck")
#: Tokens of a run under a sanitizer: narrow tiles, and wide ones in every type (mixtral and dense
#: layers have more than 16 rows).
SANITIZED = (9, 129)


# --- part 1 ---------------------------------------------------------------------------------------


def checksum_checks(sortie: Sortie, models: list[Model]) -> Iterator[Check]:
    """Each function of each model, fused and with every value stored: the GPU's checksums equal the
    CPU's, operation by operation. Where the contract is without `device`, the result is close to
    the CPU's, and the checksums of both programs for the GPU are equal."""
    for model in models:
        for function in model.functions:
            if model.contract == CONTRACT:
                for suffix in ("", "-all"):
                    yield Check(model.name, f"{function}{suffix}",
                                partial(_same_as_cpu, sortie, model, function, suffix))
            else:
                yield Check(model.name, function, partial(_close_to_cpu, sortie, model, function))
                yield Check(model.name, f"{function}-all",
                            partial(_same_as_stored, sortie, model, function))


def _same_as_cpu(sortie: Sortie, model: Model, function: str, suffix: str) -> None:
    x = sortie.hidden(model)[:33]
    expected = sortie.checksums(model, f"cpu{suffix}", function, x)
    sortie.compare(expected, sortie.checksums(model, f"cuda{suffix}", function, x))


def _close_to_cpu(sortie: Sortie, model: Model, function: str) -> None:
    x = sortie.hidden(model)[:33]
    expect_close(sortie.output(model, "cuda", function, x) - x,
                 sortie.output(model, "cpu", function, x) - x)


def expect_close(actual: np.ndarray, expected: np.ndarray) -> None:
    """Two devices' sums for a layer, without its input, by the normalised mean squared error: they
    round the same operands and add in another order."""
    error = float(np.square(actual - expected).sum() / np.square(expected).sum())
    if not error <= ORDER_LIMIT:
        raise Failure(f"the GPU's result is far from the CPU's: {error:.1e}")


def _same_as_stored(sortie: Sortie, model: Model, function: str) -> None:
    x = sortie.hidden(model)[:33]
    sortie.compare(sortie.checksums(model, "cuda", function, x),
                   sortie.checksums(model, "cuda-all", function, x))


# --- part 2 ---------------------------------------------------------------------------------------


def stability_checks(sortie: Sortie, models: list[Model], batches: Sequence[int] = BATCHES,
                     repetitions: int = REPETITIONS) -> Iterator[Check]:
    """Images, graphs, batches, order and repetitions of the models that have other images, and the
    products that cuBLAS does; the repetitions, which take longest, come last. The largest batch is
    the reference. Runs without checksums are those of graphs."""
    studies = [_Study(sortie, model, max(batches), repetitions) for model in models
               if any(kind in model.programs for kind in OTHER_IMAGES)]
    for study in studies:
        name = study.model.name
        for kind in OTHER_IMAGES:
            yield Check(f"{name}, images", kind, partial(study.image, kind))
        for tokens in batches:
            yield Check(f"{name}, eager", str(tokens), partial(study.eager, tokens))
            yield Check(f"{name}, batches", str(tokens), partial(study.batch, tokens))
        yield Check(f"{name}, batches", "permuted", study.permuted)
        for number in SUBMITTED:
            for mode in ("graph", "eager"):
                yield Check(f"{name}, submitted", f"{number} runs, {mode}",
                            partial(study.submitted, number, mode))
        yield Check(f"{name}, again", f"after {repetitions} replays", study.after_replays)
    for model in models:
        if CUBLAS in model.programs:
            yield from cublas_checks(sortie, model, max(batches), repetitions)
    for study in studies:
        for number in range(repetitions):
            yield Check(f"{study.model.name}, again", str(number), study.again)


class _Study:
    """The routed layer of one model on the GPU. References are made when first needed."""

    def __init__(self, sortie: Sortie, model: Model, tokens: int, repetitions: int) -> None:
        self.sortie = sortie
        self.model = model
        self.tokens = tokens
        self.repetitions = repetitions
        self.function = model.functions[-1]
        self.lock = threading.Lock()
        self.known_output: np.ndarray | None = None
        self.known_checksums: str | None = None

    def x(self, tokens: int) -> np.ndarray:
        return self.sortie.hidden(self.model)[:tokens]

    def output(self, x: np.ndarray, *arguments: object) -> np.ndarray:
        return self.sortie.output(self.model, "cuda", self.function, x, *arguments)

    def all_rows(self) -> np.ndarray:
        with self.lock:
            if self.known_output is None:
                self.known_output = self.output(self.x(self.tokens))
            return self.known_output

    def checksums(self, kind: str, tokens: int) -> str:
        return self.sortie.checksums(self.model, kind, self.function, self.x(tokens))

    def reference(self) -> str:
        """The checksums of the CPU for all tokens; those of the GPU's first run, if they may
        differ."""
        with self.lock:
            if self.known_checksums is None:
                kind = "cpu" if self.model.contract == CONTRACT else "cuda"
                self.known_checksums = self.checksums(kind, self.tokens)
            return self.known_checksums

    def again(self) -> None:
        self.sortie.compare(self.reference(), self.checksums("cuda", self.tokens))

    def cpu_rows(self) -> np.ndarray:
        """All rows of the CPU; those of the GPU's first run, if they may differ."""
        if self.model.contract != CONTRACT:
            return self.all_rows()
        return self.sortie.output(self.model, "cpu", self.function, self.x(self.tokens))

    def after_replays(self) -> None:
        """One process that has replayed its graph often."""
        actual = self.output(self.x(self.tokens), "--benchmark",
                             f"--benchmark-runs={self.repetitions}")
        expect_same(actual, self.cpu_rows(), "after replays")

    def submitted(self, number: int, mode: str) -> None:
        """Runs of some tokens each, all submitted before the first is waited for."""
        arguments = [f"--batches={number}", *(["--eager"] if mode == "eager" else [])]
        expect_same(self.output(self.x(self.tokens), *arguments), self.cpu_rows(),
                    f"{number} submitted runs")

    def batch(self, tokens: int) -> None:
        expected = self.all_rows()
        x = self.x(self.tokens)
        for start in {0, (len(x) - tokens) // 2, len(x) - tokens}:
            rows = slice(start, start + tokens)
            expect_same(self.output(x[rows]), expected[rows], f"{tokens} tokens from {start}")

    def permuted(self) -> None:
        order = np.random.default_rng(1).permutation(self.tokens)
        actual = self.output(self.x(self.tokens)[order])
        expect_same(actual, self.all_rows()[order], "permuted tokens")

    def eager(self, tokens: int) -> None:
        x = self.x(tokens)
        expect_same(self.output(x, "--eager"), self.output(x), f"{tokens} tokens, eager")

    def image(self, kind: str) -> None:
        self.sortie.compare(self.checksums("cuda", self.tokens),
                            self.checksums(kind, self.tokens))


def cublas_checks(sortie: Sortie, model: Model, tokens: int, repetitions: int) -> Iterator[Check]:
    """Layers whose dense products the library does: close to the CPU, the same run to run."""
    x = sortie.hidden(model)[:tokens]

    def output(function: str, *arguments: object) -> np.ndarray:
        try:
            return sortie.output(model, CUBLAS, function, x, *arguments)
        except Failure as failure:
            if "products for cuBLAS, which cannot be loaded" in str(failure):
                raise Skip("libcublas cannot be loaded") from failure
            raise

    def close(function: str) -> None:
        actual = output(function)
        expect_close(actual - x, sortie.output(model, "cpu", function, x) - x)

    def same(function: str, *arguments: object) -> None:
        expect_same(output(function, *arguments), output(function), " ".join(map(str, arguments)))

    for function in model.functions:
        group = f"{model.name}, cublas"
        yield Check(group, f"{function}, close to the CPU", partial(close, function))
        yield Check(group, f"{function}, again", partial(same, function))
        yield Check(group, f"{function}, eager", partial(same, function, "--eager"))
        yield Check(group, f"{function}, after {repetitions} replays",
                    partial(same, function, "--benchmark", f"--benchmark-runs={repetitions}"))


def expect_same(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    if actual.tobytes() == expected.tobytes():
        return
    differs = (actual.view(np.int32) != expected.view(np.int32)).any(axis=1)
    raise Failure(f"{what}: {differs.sum()} of {len(differs)} rows differ, first row "
                  f"{int(np.argmax(differs))}")


# --- part 3 ---------------------------------------------------------------------------------------


def sanitizer_checks(sortie: Sortie, models: list[Model]) -> Iterator[Check]:
    """Each tool of compute-sanitizer on each model's layers, with few tokens and with many: models
    with other images first, because they differ most."""
    tool = shutil.which("compute-sanitizer")
    for model in sorted(models, key=lambda model: len(model.programs), reverse=True):
        for function in model.functions:
            for tokens in SANITIZED:
                for sanitizer in SANITIZERS:
                    yield Check(sanitizer, f"{model.name} {function}, {tokens} tokens",
                                partial(_sanitized, sortie, model, function, tokens, sanitizer,
                                        tool))


def _sanitized(sortie: Sortie, model: Model, function: str, tokens: int, sanitizer: str,
               tool: str | None) -> None:
    if tool is None:
        raise Failure("compute-sanitizer is not installed (CUDA toolkit)")
    x, y = sortie.save(sortie.hidden(model)[:tokens]), sortie.file("y.npy")
    try:
        call([tool, "--tool", sanitizer, "--error-exitcode", 9,
              *sortie.command(model, "cuda", function, x, f"--output={y}")])
    finally:
        x.unlink()
        y.unlink(missing_ok=True)
