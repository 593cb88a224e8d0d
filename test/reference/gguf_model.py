"""Reads a GGUF model, whole or split, with the `gguf` package: metadata and dequantized tensors."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

import ik_types
from quantizers import dequantize, row_bytes

_PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def part_paths(path: Path) -> list[Path]:
    """All files of the model that `path` belongs to, in order."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    count = int(match["count"])
    return [path.with_name(f"{match['stem']}-{i + 1:05d}-of-{count:05d}.gguf")
            for i in range(count)]


class Model:
    """Metadata and tensors of one model. Tensors stay mapped; they are dequantized on demand."""

    def __init__(self, path: Path | str) -> None:
        self._readers = [gguf.GGUFReader(part) for part in part_paths(Path(path))]
        self._tensors = {tensor.name: tensor for reader in self._readers
                         for tensor in reader.tensors}
        self._files = {tensor.name: reader.data for reader in self._readers
                       for tensor in reader.tensors}
        self.arch: str = self._readers[0].fields["general.architecture"].contents()

    def value(self, key: str, default: Any = None) -> Any:
        """Value of `<arch>.<key>`, or `default` where the file does not have it."""
        field = self._readers[0].fields.get(f"{self.arch}.{key}")
        return default if field is None else field.contents()

    def names(self) -> list[str]:
        """Names of all tensors, in the order of the files."""
        return list(self._tensors)

    def has(self, name: str) -> bool:
        return name in self._tensors

    def type(self, name: str) -> Type:
        return self._tensors[name].tensor_type

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape in NumPy's order: the innermost dimension last."""
        return tuple(int(extent) for extent in reversed(self._tensors[name].shape))

    def tensor(self, name: str, expert: int | None = None) -> np.ndarray:
        """The tensor, or one expert's part of it, dequantized, as float64."""
        stored = self._tensors[name]
        shape = self.shape(name)[0 if expert is None else 1 :]
        if stored.tensor_type in ik_types.TYPES:
            values = dequantize(self._rows(name, expert), stored.tensor_type)
        else:
            data = np.asarray(stored.data)  # a plain array: views of a memmap are slow to make
            data = data if expert is None else data[expert]
            # As one row: the package works through its rows in small groups.
            values = gguf.quants.dequantize(data.reshape(1, -1), stored.tensor_type)
        return values.reshape(shape).astype(np.float64)

    def offset(self, name: str) -> int:
        """Where the tensor's data begins in its file, in bytes."""
        return int(self._tensors[name].data_offset)

    def _rows(self, name: str, expert: int | None) -> np.ndarray:
        """The bytes of the rows, or of one expert's, of a type that the package does not know:
        [rows, bytes of one]."""
        shape = self.shape(name)
        size = row_bytes(self.type(name), shape[-1])
        first = self.offset(name)
        end = first + int(np.prod(shape[:-1])) * size
        rows = np.asarray(self._files[name][first:end])
        return (rows if expert is None else rows.reshape(shape[0], -1)[expert]).reshape(-1, size)

    def optional(self, name: str, expert: int | None = None) -> np.ndarray | None:
        """Like `tensor`, but None where the model has no such tensor."""
        return self.tensor(name, expert) if self.has(name) else None
