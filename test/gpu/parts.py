"""Parts 1 to 3: which checks there are."""

from __future__ import annotations

import shutil
from typing import Callable, Iterator

import numpy as np

from package import Model
from sortie import Sortie, call
from suite import Check, Failure

BATCHES = (1, 2, 7, 8, 9, 33, 512)
REPETITIONS = 100
SANITIZERS = ("memcheck", "racecheck", "synccheck")


# --- part 1 ---------------------------------------------------------------------------------------


def checksum_checks(sortie: Sortie, models: list[Model]) -> Iterator[Check]:
    """Each function of each model, fused and with every value stored: the GPU's checksums equal the
    CPU's, operation by operation."""
    for model in models:
        for function in model.functions:
            for suffix in ("", "-all"):
                yield Check(model.name, f"{function}{suffix}",
                            _same_as_cpu(sortie, model, function, suffix))


def _same_as_cpu(sortie: Sortie, model: Model, function: str, suffix: str) -> Callable[[], str]:
    def check() -> str:
        x = sortie.hidden(model)[:33]
        expected = sortie.checksums(model, f"cpu{suffix}", function, x)
        return sortie.compare(expected, sortie.checksums(model, f"cuda{suffix}", function, x))

    return check


# --- part 2 ---------------------------------------------------------------------------------------


def stability_checks(sortie: Sortie, models: list[Model]) -> Iterator[Check]:
    """Repetitions, batches, order, graphs and images of the models that have other images."""
    for model in models:
        others = [kind for kind in model.programs if kind.startswith("cuda-sm")]
        if not others:
            continue
        study = _Study(sortie, model)
        for number in range(REPETITIONS):
            yield Check(f"{model.name}, again", str(number), lambda study=study: study.again())
        yield Check(f"{model.name}, again", "after 100 replays", study.after_replays)
        for tokens in BATCHES:
            yield Check(f"{model.name}, batches", str(tokens),
                        lambda study=study, tokens=tokens: study.batch(tokens))
            yield Check(f"{model.name}, eager", str(tokens),
                        lambda study=study, tokens=tokens: study.eager(tokens))
        yield Check(f"{model.name}, batches", "permuted", study.permuted)
        for kind in others:
            yield Check(f"{model.name}, images", kind,
                        lambda study=study, kind=kind: study.image(kind))


class _Study:
    """The routed layer of one model on the GPU. References are made when first needed, by whichever
    check that is; two checks that make one at the same time make the same."""

    def __init__(self, sortie: Sortie, model: Model) -> None:
        self.sortie = sortie
        self.model = model
        self.function = model.functions[-1]
        self.known_output: np.ndarray | None = None
        self.known_checksums: dict[int, str] = {}

    def x(self, tokens: int) -> np.ndarray:
        return self.sortie.hidden(self.model)[:tokens]

    def output(self, x: np.ndarray) -> np.ndarray:
        return self.sortie.output(self.model, "cuda", self.function, x)

    def all_rows(self) -> np.ndarray:
        if self.known_output is None:
            self.known_output = self.output(self.sortie.hidden(self.model))
        return self.known_output

    def checksums(self, kind: str, tokens: int, *arguments: object) -> str:
        return self.sortie.checksums(self.model, kind, self.function, self.x(tokens), *arguments)

    def reference(self, tokens: int) -> str:
        """The checksums of the CPU."""
        if tokens not in self.known_checksums:
            self.known_checksums[tokens] = self.checksums("cpu", tokens)
        return self.known_checksums[tokens]

    def again(self) -> str:
        return self.sortie.compare(self.reference(512), self.checksums("cuda", 512))

    def after_replays(self) -> str:
        """One process that has replayed its graph often; the benchmark's table precedes."""
        text = self.checksums("cuda", 512, "--benchmark", f"--benchmark-runs={REPETITIONS}")
        names = {line.split()[0] for line in self.reference(512).splitlines()}
        lines = [line for line in text.splitlines() if line and line.split()[0] in names
                 and len(line.split()) == 2]
        return self.sortie.compare(self.reference(512), "\n".join(lines) + "\n")

    def batch(self, tokens: int) -> str:
        expected, x = self.all_rows(), self.sortie.hidden(self.model)
        for start in {0, len(x) // 2 - tokens // 2, len(x) - tokens} - {-1}:
            rows = slice(start, start + tokens)
            _expect_same(self.output(x[rows]), expected[rows], f"{tokens} tokens from {start}")
        return ""

    def permuted(self) -> str:
        order = np.random.default_rng(1).permutation(len(self.all_rows()))
        actual = self.output(self.sortie.hidden(self.model)[order])
        _expect_same(actual, self.all_rows()[order], "permuted tokens")
        return ""

    def eager(self, tokens: int) -> str:
        return self.sortie.compare(self.checksums("cuda", tokens),
                                   self.checksums("cuda", tokens, "--eager"))

    def image(self, kind: str) -> str:
        return self.sortie.compare(self.checksums("cuda", 512), self.checksums(kind, 512))


def _expect_same(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    if actual.tobytes() == expected.tobytes():
        return
    differs = (actual.view(np.int32) != expected.view(np.int32)).any(axis=1)
    raise Failure(f"{what}: {differs.sum()} of {len(differs)} rows differ, first row "
                  f"{int(np.argmax(differs))}")


# --- part 3 ---------------------------------------------------------------------------------------


def sanitizer_checks(sortie: Sortie, models: list[Model]) -> Iterator[Check]:
    """Each tool of compute-sanitizer on each model's layers, nine tokens: models with other images
    first, because they differ most."""
    tool = shutil.which("compute-sanitizer")
    for model in sorted(models, key=lambda model: len(model.programs), reverse=True):
        for function in model.functions:
            for sanitizer in SANITIZERS:
                yield Check(sanitizer, f"{model.name} {function}",
                            _sanitized(sortie, model, function, sanitizer, tool))


def _sanitized(sortie: Sortie, model: Model, function: str, sanitizer: str,
               tool: str | None) -> Callable[[], str]:
    def check() -> str:
        if tool is None:
            raise Failure("compute-sanitizer is not installed (CUDA toolkit)")
        x = sortie.save(sortie.hidden(model)[:9])
        output = sortie.file("y.npy")
        run = sortie.command(model, "cuda", function, x, f"--output={output}")
        try:
            return call([tool, "--tool", sanitizer, "--error-exitcode", 9, *run])
        finally:
            x.unlink()
            output.unlink(missing_ok=True)

    return check
