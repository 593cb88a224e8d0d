"""Part 5: whole models on the GPU against the CPU."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial

import numpy as np

from package import WholeModel
from parts import SANITIZERS
from sortie import REPOSITORY, Sortie, call
from suite import Check, Failure

sys.path.insert(0, str(REPOSITORY / "test" / "e2e"))
from mixed_run import mixed_run

#: Runs of `forward`: the first position and the tokens of each sequence. Few tokens, whose context
#: is split among thread blocks, and many, which share what they read; one, and a context of more
#: than one span of 512 positions.
RUNS = {"one token": [(0, 1)], "few tokens": [(0, 37), (130, 9), (700, 1)],
        "many tokens": [(0, 300), (3, 130), (510, 5)], "one text": [(0, 512)]}
#: Tokens of a run into which texts are cut, and the length of the texts.
PIECES, TEXT = (1, 7, 64, 65, 129, 512), 600
PROMPTS = ("the end of an other thing", "in the winter they sang", "er", "and then 1, 2, 3")


def whole_checks(sortie: Sortie, models: list[WholeModel], text: int = TEXT,
                 pieces: Sequence[int] = PIECES, runs: dict[str, list] | None = None,
                 generated: int = 40) -> Iterator[Check]:
    """Every named value of runs of several sequences; logits of texts however they are cut, as
    graphs and eagerly; generation of batches, of forks, and from saved sequences of both devices;
    other images."""
    for model in models:
        study = _Whole(sortie, model, text, generated)
        for name, run in (RUNS if runs is None else runs).items():
            for suffix in ("", "-all"):
                if f"cuda{suffix}" in model.programs:
                    yield Check(f"{model.name}, values", f"{name}{suffix}",
                                partial(study.values, run, f"cpu{suffix}", f"cuda{suffix}"))
            for kind in model.other_images:
                yield Check(f"{model.name}, images", f"{kind}, {name}",
                            partial(study.values, run, "cpu", kind))
        for tokens in pieces:
            yield Check(f"{model.name}, pieces", str(tokens), partial(study.pieces, tokens))
            yield Check(f"{model.name}, pieces", f"{tokens}, eager",
                        partial(study.pieces, tokens, "--eager"))
        yield Check(f"{model.name}, generate", "batch", study.batch)
        yield Check(f"{model.name}, generate", "samples", study.samples)
        yield Check(f"{model.name}, generate", "saved prompts", study.saved_prompts)
        yield Check(f"{model.name}, bench", "random weights", study.bench)


def whole_sanitizer_checks(sortie: Sortie, models: list[WholeModel]) -> Iterator[Check]:
    """Each tool of compute-sanitizer on runs of `forward` that take every kernel of attention."""
    tool = shutil.which("compute-sanitizer")
    for model in models:
        study = _Whole(sortie, model)
        for name in ("few tokens", "many tokens"):
            for sanitizer in SANITIZERS:
                yield Check(sanitizer, f"{model.name}, {name}",
                            partial(study.sanitized, RUNS[name], sanitizer, tool))


class _Whole:
    """One model on both devices."""

    def __init__(self, sortie: Sortie, model: WholeModel, text: int = TEXT,
                 generated: int = 0) -> None:
        self.sortie = sortie
        self.model = model
        self.text = text
        self.generated = generated

    def command(self, kind: str, *arguments: object, word: str | None = None,
                weights: str | None = None) -> list[object]:
        """A call of sortie-run; without a word, of the function `forward`."""
        device = "cpu" if kind.startswith("cpu") else self.sortie.device
        what = [word] if word else []
        return [self.sortie.folder / "bin" / "sortie-run", *what,
                self.sortie.folder / "programs" / self.model.programs[kind], "--weights",
                weights or REPOSITORY / self.model.weights, "--device", device,
                *([] if word else ["--function=forward"]), *arguments]

    @contextmanager
    def inputs(self, run: list[tuple[int, int]]) -> Iterator[list[str]]:
        """Options that say what `forward` runs on."""
        arrays, pages = mixed_run(run, self.model.table_pages, self.model.vocabulary)
        paths = {name: self.sortie.save(array) for name, array in arrays.items()}
        try:
            yield [f"--symbol=pages={pages}",
                   *(f"--input={name}={path}" for name, path in paths.items())]
        finally:
            for path in paths.values():
                path.unlink()

    def checksums(self, run: list[tuple[int, int]], kind: str) -> str:
        with self.inputs(run) as options:
            return call(self.command(kind, "--checksums", *options))

    def sanitized(self, run: list[tuple[int, int]], sanitizer: str, tool: str | None) -> None:
        if tool is None:
            raise Failure("compute-sanitizer is not installed (CUDA toolkit)")
        output = self.sortie.file("logits.npy")
        try:
            with self.inputs(run) as options:
                call([tool, "--tool", sanitizer, "--error-exitcode", 9,
                      *self.command("cuda", f"--output={output}", *options)])
        finally:
            output.unlink(missing_ok=True)

    def values(self, run: list[tuple[int, int]], kind: str, other: str) -> None:
        self.sortie.compare(self.checksums(run, kind), self.checksums(run, other))

    def logits(self, kind: str, *arguments: object) -> bytes:
        """Of two texts."""
        tokens = np.random.default_rng(1).integers(self.model.vocabulary, size=(2, self.text))
        ids, output = self.sortie.save(tokens.astype(np.int32)), self.sortie.file("logits.npy")
        try:
            call(self.command(kind, "--tokens", ids, "--output", output, *arguments,
                              word="logits"))
            return output.read_bytes()
        finally:
            ids.unlink()
            output.unlink(missing_ok=True)

    @cached_property
    def expected_logits(self) -> bytes:
        return self.logits("cpu")

    def pieces(self, tokens: int, *arguments: object) -> None:
        if self.logits("cuda", f"--run-tokens={tokens}", *arguments) != self.expected_logits:
            raise Failure(f"logits in runs of {tokens} tokens are not those of the CPU")

    def generate(self, kind: str, *arguments: object) -> list[dict]:
        """Texts with tokens and the logarithms of their probabilities."""
        return json.loads(call(self.command(kind, "-o=json", "--ignore-eos",
                                            f"-n={self.generated}", *arguments, word="generate")))

    def batch(self) -> None:
        """Texts of several lengths at once, and the first of them alone."""
        prompts = self.sortie.file("prompts")
        prompts.write_text("\n".join(PROMPTS))
        try:
            expected = self.generate("cpu", "--prompts", prompts)
            if self.generate("cuda", "--prompts", prompts) != expected:
                raise Failure("texts of a batch are not those of the CPU")
        finally:
            prompts.unlink()
        if self.generate("cuda", "--prompt", PROMPTS[0]) != expected[:1]:
            raise Failure("a text alone is not that of a batch")

    def samples(self) -> None:
        """Texts that are forked, within the first page of their prompt and behind it."""
        for words in (3, 60):
            options = ["--prompt", " ".join(["begat"] * words), "--samples=4", "--temp=1"]
            if self.generate("cuda", *options) != self.generate("cpu", *options):
                raise Failure(f"samples of a prompt of {words} words are not those of the CPU")

    def saved_prompts(self) -> None:
        """Both devices write the same file, and each goes on from the other's."""
        prompt = " ".join(["begat"] * 60)
        files = {kind: self.sortie.file("prompt-cache") for kind in ("cpu", "cuda")}
        try:
            expected = self.generate("cpu", "--prompt", prompt)
            for kind, file in files.items():
                if self.generate(kind, "--prompt", prompt, "--prompt-cache", file) != expected:
                    raise Failure(f"saving a sequence on {kind} changes the text")
            if files["cpu"].read_bytes() != files["cuda"].read_bytes():
                raise Failure("the saved sequences of both devices differ")
            longer = f"{prompt} and begat"
            expected = self.generate("cpu", "--prompt", longer)
            actual = self.generate("cuda", "--prompt", longer, "--prompt-cache", files["cpu"])
            if actual != expected:
                raise Failure("the text after a saved sequence is not that of the CPU")
        finally:
            for file in files.values():
                file.unlink(missing_ok=True)

    def bench(self) -> None:
        """Without a model's file."""
        table = json.loads(call(self.command("cuda", "-p=65", "-n=2", "-d=0,130", "-r=1",
                                             "-o=json", word="bench", weights="random:seed=1")))
        if len(table) != 4 or not all(line["tokens_per_second"] > 0 for line in table):
            raise Failure(f"a table of four lines was expected, got {table}")
