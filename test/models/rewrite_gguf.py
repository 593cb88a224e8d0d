"""Writes a model file again with some metadata changed, as people's tools do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Metadata = dict[str, tuple[Any, Sequence[gguf.GGUFValueType]]]


def _metadata(reader: gguf.GGUFReader) -> Metadata:
    return {key: (field.contents(), field.types) for key, field in reader.fields.items()
            if not key.startswith("GGUF.") and key != gguf.Keys.General.ARCHITECTURE}


def rewrite_model(source: Path, target: Path, changes: dict[str, Any] | None = None,
                  remove: Sequence[str] = (), parts: int = 1) -> list[Path]:
    """Copies a model with strings, u32 and f32 of `changes` set and keys removed, and spreads its
    tensors over `parts` files. Returns the files."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields[gguf.Keys.General.ARCHITECTURE].contents()
    limit = -(-len(reader.tensors) // parts) if parts > 1 else 0
    writer = gguf.GGUFWriter(target, architecture, split_max_tensors=limit)
    metadata = _metadata(reader)
    types = {str: gguf.GGUFValueType.STRING, int: gguf.GGUFValueType.UINT32,
             float: gguf.GGUFValueType.FLOAT32}
    metadata |= {key: (value, [types[type(value)]]) for key, value in (changes or {}).items()}
    for key, (value, kinds) in metadata.items():
        if key not in remove:
            writer.add_key_value(key, value, kinds[0], kinds[-1] if len(kinds) > 1 else None)
    for tensor in reader.tensors:
        data = np.asarray(tensor.data)
        writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(path=target)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if parts == 1:
        return [target]
    return sorted(target.parent.glob(f"{target.stem}-*-of-*.gguf"))
