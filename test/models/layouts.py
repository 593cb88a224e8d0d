"""Writes a model file again with its tensors laid out otherwise, as other converters have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np

#: The most dimensions that a GGUF tensor has.
_MAX_DIMENSIONS = 4


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file has it: `dims` innermost first, `data` its bytes."""

    name: str
    dims: tuple[int, ...]
    type: gguf.GGMLQuantizationType
    data: bytes

    def matrices(self) -> list[bytes]:
        """The data of each index of the outermost dimension."""
        size = len(self.data) // self.dims[-1]
        return [self.data[i * size : (i + 1) * size] for i in range(self.dims[-1])]


Layout = Callable[[list[Tensor]], Iterator[Tensor]]


def one_tensor_an_expert(tensors: list[Tensor]) -> Iterator[Tensor]:
    """`ffn_gate.0.weight` and so on: Mixtral files of early 2024."""
    for tensor in tensors:
        if not tensor.name.endswith("_exps.weight"):
            yield tensor
            continue
        stem = tensor.name.removesuffix("_exps.weight")
        for expert, data in enumerate(tensor.matrices()):
            yield Tensor(f"{stem}.{expert}.weight", tensor.dims[:-1], tensor.type, data)


def merged_gate_and_up(tensors: list[Tensor]) -> Iterator[Tensor]:
    """`ffn_gate_up_exps`: of each expert the rows of the gate, then those of up; biases alike."""
    by_name = {tensor.name: tensor for tensor in tensors}
    for tensor in tensors:
        stem, _, suffix = tensor.name.rpartition("_exps.")
        if stem.endswith("ffn_up") and suffix in ("weight", "bias"):
            continue
        if not (stem.endswith("ffn_gate") and suffix in ("weight", "bias")):
            yield tensor
            continue
        up = by_name[tensor.name.replace("ffn_gate_", "ffn_up_")]
        assert up.type == tensor.type, "gate and up must be of one type"
        dims = list(tensor.dims)
        dims[-2] *= 2
        data = b"".join(a + b for a, b in zip(tensor.matrices(), up.matrices()))
        yield Tensor(f"{stem}_up_exps.{suffix}", tuple(dims), tensor.type, data)


def without_ones(tensors: list[Tensor]) -> Iterator[Tensor]:
    """Dimensions of one at the end are left out, as llama-quantize does."""
    for tensor in tensors:
        dims = tensor.dims
        while len(dims) > 1 and dims[-1] == 1:
            dims = dims[:-1]
        yield replace(tensor, dims=dims)


def with_ones(tensors: list[Tensor]) -> Iterator[Tensor]:
    """All four dimensions are written."""
    for tensor in tensors:
        yield replace(tensor, dims=tensor.dims + (1,) * (_MAX_DIMENSIONS - len(tensor.dims)))


def joined_latent_heads(tensors: list[Tensor]) -> Iterator[Tensor]:
    """Matrices of the heads of latent attention one below the other, as ik_llama.cpp has them."""
    for tensor in tensors:
        if tensor.name.endswith(("attn_k_b.weight", "attn_v_b.weight")):
            columns, rows, heads = tensor.dims
            tensor = replace(tensor, dims=(columns, rows * heads))
        yield tensor


def fused_latent_heads(tensors: list[Tensor]) -> Iterator[Tensor]:
    """`attn_kv_b`: of each head the rows that make keys of latents, then those that make values, as
    in files of 2024. Floats alone: the rows of keys are the columns of `attn_k_b`."""
    by_name = {tensor.name: tensor for tensor in tensors}
    for tensor in tensors:
        if tensor.name.endswith("attn_v_b.weight"):
            continue
        if not tensor.name.endswith("attn_k_b.weight"):
            yield tensor
            continue
        values = by_name[tensor.name.replace("attn_k_b", "attn_v_b")]
        assert values.type == tensor.type, "keys and values must be of one type"
        element = np.dtype(f"V{gguf.GGML_QUANT_SIZES[tensor.type][1]}")
        keys, rows = (np.frombuffer(part.data, element).reshape(part.dims[::-1])
                      for part in (tensor, values))
        heads = np.concatenate([keys.swapaxes(1, 2), rows], axis=1)
        yield Tensor(tensor.name.replace("attn_k_b", "attn_kv_b"),
                     (heads.shape[2], heads.shape[0] * heads.shape[1]), tensor.type,
                     heads.tobytes())


LAYOUTS: dict[str, Layout] = {layout.__name__: layout for layout in (
    one_tensor_an_expert, merged_gate_and_up, without_ones, with_ones, joined_latent_heads,
    fused_latent_heads)}


def _read_tensors(reader: gguf.GGUFReader) -> list[Tensor]:
    return [Tensor(tensor.name, tuple(int(n) for n in tensor.shape), tensor.tensor_type,
                   np.asarray(tensor.data).tobytes()) for tensor in reader.tensors]


def write_in_layout(source: Path, target: Path, layout: Layout) -> None:
    """Copies the model `source`, of one file, to `target` with its tensors laid out anew."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            writer.add_key_value(key, field.contents(), field.types[0],
                                 field.types[-1] if len(field.types) > 1 else None)
    tensors = list(layout(_read_tensors(reader)))
    for tensor in tensors:
        elements, block_bytes = gguf.GGML_QUANT_SIZES[tensor.type]
        shape = (*tensor.dims[:0:-1], tensor.dims[0] // elements * block_bytes)
        writer.add_tensor_info(tensor.name, shape, np.dtype(np.uint8), len(tensor.data),
                               tensor.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        writer.write_tensor_data(np.frombuffer(tensor.data, dtype=np.uint8))
    writer.close()
