#!/usr/bin/env python3
"""Writes the header of a small model of one architecture, with things changed, for importer tests.

    write_gguf.py qwen3-30b-a3b -o model.gguf --drop-key expert_count --set block_count=2
        --drop-tensor blk.0.ffn_norm.weight --shape blk.0.ffn_gate_inp.weight=128x64
        --type blk.0.ffn_up_exps.weight=IQ2_XXS --rename blk.0.exp_probs_b.bias=blk.0.exp_probs_b
        --add blk.0.ffn_gate_exps.bias=128x96 --layout merged_gate_and_up

Keys are written without the architecture's prefix; a value is a bool, an int, a float, a list of
these or a string, whatever it looks like. A layout of ../../../models/layouts.py comes first.
Shapes are row-major; an added tensor is of type F32, and `--type` changes it. The file has its full
length, without data. """

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "models"))

import gguf
import numpy as np

from layouts import LAYOUTS, Tensor
from make_gguf import metadata
from presets import PRESETS, TensorSpec, layer_tensors, parse_types, scaled


def pairs(arguments: Iterable[str]) -> dict[str, str]:
    """`a=b` arguments as a dictionary."""
    return dict(argument.split("=", 1) for argument in arguments)


def parse_value(text: str) -> Any:
    """A Python literal, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def parse_shape(text: str) -> tuple[int, ...]:
    """(8, 96) from `8x96`."""
    return tuple(map(int, text.split("x")))


def laid_out(specs: Iterable[TensorSpec], layout: str) -> list[TensorSpec]:
    """The same tensors in another layout."""
    tensors = [Tensor(spec.name, spec.shape[::-1], spec.type, b"") for spec in specs]
    return [TensorSpec(tensor.name, tensor.dims[::-1], tensor.type)
            for tensor in LAYOUTS[layout](tensors)]


def changed_tensors(specs: Iterable[TensorSpec], options: argparse.Namespace) -> list[TensorSpec]:
    """The tensors to write."""
    shapes, types, names = pairs(options.shape), pairs(options.type), pairs(options.rename)
    added = [TensorSpec(name, parse_shape(shape)) for name, shape in pairs(options.add).items()]
    result = []
    for spec in [*specs, *added]:
        if spec.name in options.drop_tensor:
            continue
        if spec.name in shapes:
            spec = replace(spec, shape=parse_shape(shapes[spec.name]))
        if spec.name in types:
            spec = replace(spec, type=gguf.GGMLQuantizationType[types[spec.name]])
        result.append(replace(spec, name=names.get(spec.name, spec.name)))
    return result


def write(options: argparse.Namespace) -> None:
    preset = scaled(PRESETS[options.preset], layers=options.layers, divisor=options.divide)
    arch = options.arch or preset.arch
    changes = {f"{preset.arch}.{key}": parse_value(value)
               for key, value in pairs(options.set).items()}
    writer = gguf.GGUFWriter(options.output, arch)
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32,
           str: writer.add_string, list: writer.add_array}
    for key, value in (metadata(preset) | changes).items():
        if key not in [f"{preset.arch}.{dropped}" for dropped in options.drop_key]:
            add[type(value)](key, value)
    specs = (spec for layer in range(options.layers)
             for spec in layer_tensors(preset, layer, parse_types(options.types)))
    if options.layout:
        specs = laid_out(specs, options.layout)
    size = 0
    for spec in changed_tensors(specs, options):
        elements, block_bytes = gguf.GGML_QUANT_SIZES[spec.type]
        shape = (*spec.shape[:-1], spec.shape[-1] // elements * block_bytes)
        count = int(np.prod(shape))
        writer.add_tensor_info(spec.name, shape, np.dtype(np.uint8), count, spec.type)
        size += gguf.GGUFWriter.ggml_pad(count, writer.data_alignment)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    file = writer.fout[0]
    file.truncate(gguf.GGUFWriter.ggml_pad(file.tell(), writer.data_alignment) + size)
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--arch", help="another general.architecture")
    parser.add_argument("--types", default="q4_0")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--layout", choices=LAYOUTS)
    parser.add_argument("--divide", type=int, default=8)
    for option in ("--drop-key", "--set", "--drop-tensor", "--shape", "--type", "--rename",
                   "--add"):
        parser.add_argument(option, action="append", default=[])
    write(parser.parse_args())


if __name__ == "__main__":
    main()
