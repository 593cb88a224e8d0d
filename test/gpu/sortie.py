"""Calls sortie-run on the programs of the archive."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from package import Model
from suite import Failure

REPOSITORY = Path(__file__).resolve().parents[2]
_numbers = itertools.count()
#: No run of a small model takes longer, not even under a sanitizer.
TIMEOUT_SECONDS = 300


def call(command: Sequence[object]) -> str:
    """Standard output; Failure with what the command said when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{' '.join(words)}: no end after {error.timeout} s") from error
    except OSError as error:
        raise Failure(f"{words[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = (done.stderr + done.stdout)[-2000:]
        raise Failure(f"{' '.join(words)}: exit code {done.returncode}\n{said}")
    return done.stdout


@dataclass(frozen=True)
class Sortie:
    """sortie-run of an unpacked archive, for a GPU `device` (cuda, cuda:1); `scratch` is for
    files."""

    folder: Path
    device: str
    scratch: Path

    def hidden(self, model: Model) -> np.ndarray:
        """The activations [512, hidden] of a model."""
        return np.load(self.folder / "inputs" / model.input)

    def command(self, model: Model, kind: str, function: str, x: Path,
                *arguments: object) -> list[object]:
        """The command line of one run of the program of that kind."""
        device = "cpu" if kind.startswith("cpu") else self.device
        weights = (model.weights if model.weights.startswith("random:")
                   else REPOSITORY / model.weights)
        return [self.folder / "bin" / "sortie-run", self.folder / "programs" / model.programs[kind],
                "--device", device, "--weights", weights, "--function", function, "--input",
                f"hidden={x}", *arguments]

    def file(self, name: str) -> Path:
        """A file name that no other check has."""
        return self.scratch / f"{next(_numbers)}-{name}"

    def save(self, values: np.ndarray) -> Path:
        path = self.file("x.npy")
        np.save(path, values)
        return path

    def checksums(self, model: Model, kind: str, function: str, x: np.ndarray,
                  *arguments: object) -> str:
        """What --checksums prints."""
        path = self.save(x)
        try:
            return call(self.command(model, kind, function, path, "--checksums", *arguments))
        finally:
            path.unlink()

    def output(self, model: Model, kind: str, function: str, x: np.ndarray,
               *arguments: object) -> np.ndarray:
        """The function's result."""
        inputs, outputs = self.save(x), self.file("y.npy")
        try:
            call(self.command(model, kind, function, inputs, f"--output={outputs}", *arguments))
            return np.load(outputs)
        finally:
            inputs.unlink()
            outputs.unlink(missing_ok=True)

    def compare(self, first: str, second: str) -> str:
        """What --compare-checksums says of two outputs of --checksums; Failure if they differ or if
        nothing was compared."""
        paths = [self.file("checksums") for _ in range(2)]
        for path, text in zip(paths, (first, second)):
            path.write_text(text)
        try:
            said = call([self.folder / "bin" / "sortie-run", "--compare-checksums", *paths])
        finally:
            for path in paths:
                path.unlink()
        counts = said.splitlines()[-1]
        if counts.startswith("0 values"):
            raise Failure(f"nothing was compared: {counts}")
        return counts
