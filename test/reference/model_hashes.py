"""What docs/runtime.md says of fingerprints and hashes of tensors, from a model's files alone."""

from __future__ import annotations

import fnmatch
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf

from blake3 import blake3

#: Numbers of the tensor types whose bytes are sampled.
SAMPLED_TYPES = {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23, 30, 39}
SAMPLE = 256

_TYPE_NAMES = {
    gguf.GGUFValueType.UINT8: "u8", gguf.GGUFValueType.INT8: "i8",
    gguf.GGUFValueType.UINT16: "u16", gguf.GGUFValueType.INT16: "i16",
    gguf.GGUFValueType.UINT32: "u32", gguf.GGUFValueType.INT32: "i32",
    gguf.GGUFValueType.FLOAT32: "f32", gguf.GGUFValueType.BOOL: "bool",
    gguf.GGUFValueType.STRING: "string", gguf.GGUFValueType.UINT64: "u64",
    gguf.GGUFValueType.INT64: "i64", gguf.GGUFValueType.FLOAT64: "f64",
}


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


def string(value: bytes) -> bytes:
    return number(len(value)) + value


def encoded_value(field: Any) -> tuple[str, bytes]:
    """The type of a metadata field, and its bytes as the file has them: strings on their own
    without their length."""
    if field.types[0] == gguf.GGUFValueType.STRING:
        return "string", field.parts[field.data[0]].tobytes()
    if field.types[0] != gguf.GGUFValueType.ARRAY:
        return _TYPE_NAMES[field.types[0]], field.parts[field.data[0]].tobytes()
    # Parts: length and bytes of the key, the type, type and count of the elements, the elements.
    elements = b"".join(part.tobytes() for part in field.parts[5:])
    return f"array of {len(field.data)} {_TYPE_NAMES[field.types[1]]}", elements


def samples(data: bytes) -> bytes:
    if len(data) <= 3 * SAMPLE:
        return string(data)
    middle = len(data) // 2
    return (string(data[:SAMPLE]) + string(data[middle:middle + SAMPLE]) + string(data[-SAMPLE:]))


def fingerprint(files: Sequence[Path], keys: Sequence[str]) -> str:
    """The fingerprint by rule 2 of the model in these files, the first part first."""
    readers = [gguf.GGUFReader(file) for file in files]
    text = b""
    covered = {key for key in keys if "*" not in key} | {
        field for field in readers[0].fields for pattern in keys
        if "*" in pattern and fnmatch.fnmatchcase(field.lower(), pattern.lower())}
    for key in sorted(covered, key=str.encode):
        field = readers[0].fields.get(key)
        kind, value = encoded_value(field) if field else ("absent", None)
        text += string(key.encode()) + string(kind.encode())
        text += string(value) if field else b""
    tensors = [tensor for reader in readers for tensor in reader.tensors]
    for tensor in sorted(tensors, key=lambda tensor: tensor.name.encode()):
        extents = [int(extent) for extent in tensor.shape if extent != 1]
        text += string(tensor.name.encode()) + number(int(tensor.tensor_type))
        text += b"".join(map(number, [len(extents), *extents]))
        sampled = int(tensor.tensor_type) in SAMPLED_TYPES
        text += samples(tensor.data.tobytes() if sampled else b"")
    return f"2:{int.from_bytes(blake3(text)[:8], 'little'):016x}"


SLAB = 1 << 20


def tensor_hash(data: bytes) -> str:
    """The hash of a tensor, which `sortie-translate --hash-weights` records."""
    slabs = b"".join(blake3(data[begin:begin + SLAB]) for begin in range(0, len(data), SLAB))
    return blake3(number(len(data)) + slabs)[:16].hex()
