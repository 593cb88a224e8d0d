#!/usr/bin/env python3
"""Writes the header of a small model of one architecture, with things changed, for importer tests.

    write_gguf.py qwen3-30b-a3b -o model.gguf --drop-key expert_count --set block_count=2
        --drop-tensor blk.0.ffn_norm.weight --shape blk.0.ffn_gate_inp.weight=128x64
        --type blk.0.ffn_up_exps.weight=IQ2_XXS --rename blk.0.exp_probs_b.bias=blk.0.exp_probs_b
        --add blk.0.ffn_gate_exps.bias=128x96 --layout merged_gate_and_up
    write_gguf.py mixtral-8x7b -o model.gguf --whole --dense
    write_gguf.py references/granite -o model.gguf --set residual_scale=0.0

Keys are written without the architecture's prefix; a value is a bool, an int, a float, a list of
these or a string, whatever it looks like. A layout of ../../../models/layouts.py comes first.
Shapes are row-major; an added tensor is of type F32, and `--type` changes it. `--whole` adds the
attention halves, embedding and output: 4 heads of 16, 2 of them for keys, 512 tokens, 640
positions; of DeepSeek 4 heads with keys of 32 + 8 and values of 32, made of latents of 64.
`--dense` has feed-forward networks of width 96 in place of experts. Of a reference, all keys of
its architecture and all tensors are there. The file has its full length, without data."""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "models"))

import gguf
import numpy as np

from layouts import LAYOUTS, Tensor
from make_gguf import metadata
from presets import PRESETS, Preset, TensorSpec, layer_tensors, parse_types, scaled

MODELS = Path(__file__).resolve().parents[3] / "models"


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


HEADS, KEY_HEADS, HEAD, TOKENS, INNER = 4, 2, 16, 512, 96

WHOLE_KEYS = {"attention.head_count": HEADS, "attention.head_count_kv": KEY_HEADS,
              "attention.key_length": HEAD, "attention.value_length": HEAD, "context_length": 640,
              "vocab_size": TOKENS, "rope.dimension_count": HEAD}


#: Of keys the part that is made of the latent, and the part that turns.
LATENT, PLAIN, TURNED, VALUE, LOW_QUERY = 64, 32, 8, 32, 32

LATENT_KEYS = {"attention.head_count_kv": 1, "attention.key_length": LATENT + TURNED,
               "attention.value_length": LATENT, "attention.key_length_mla": PLAIN + TURNED,
               "attention.value_length_mla": VALUE, "attention.kv_lora_rank": LATENT,
               "rope.dimension_count": TURNED}


def whole_keys(preset: str, arch: str) -> dict[str, int]:
    """The keys of an attention half."""
    if arch != "deepseek2":
        return WHOLE_KEYS
    queries = {} if "lite" in preset else {"attention.q_lora_rank": LOW_QUERY}
    return WHOLE_KEYS | LATENT_KEYS | queries


def latent_tensors(preset: str, hidden: int, layer: int) -> list[TensorSpec]:
    """The attention half of a layer of DeepSeek."""
    queries = HEADS * (PLAIN + TURNED)
    shapes: dict[str, tuple[int, ...]] = {
        "attn_norm": (hidden,), "attn_kv_a_mqa": (LATENT + TURNED, hidden),
        "attn_kv_a_norm": (LATENT,), "attn_k_b": (HEADS, LATENT, PLAIN),
        "attn_v_b": (HEADS, VALUE, LATENT), "attn_output": (hidden, HEADS * VALUE)}
    if "lite" in preset:
        shapes["attn_q"] = (queries, hidden)
    else:
        shapes |= {"attn_q_a": (LOW_QUERY, hidden), "attn_q_a_norm": (LOW_QUERY,),
                   "attn_q_b": (queries, LOW_QUERY)}
    return [TensorSpec(f"blk.{layer}.{name}.weight", shape) for name, shape in shapes.items()]


def attention_tensors(arch: str, hidden: int, layer: int) -> list[TensorSpec]:
    """The attention half of a layer."""
    rows = {"attn_q": HEADS * HEAD, "attn_k": KEY_HEADS * HEAD, "attn_v": KEY_HEADS * HEAD,
            "attn_output": hidden}
    shapes: dict[str, tuple[int, ...]] = {"attn_norm.weight": (hidden,)}
    shapes |= {f"{name}.weight": (count, HEADS * HEAD if name == "attn_output" else hidden)
               for name, count in rows.items()}
    if arch in ("qwen2moe", "gpt-oss"):
        shapes |= {f"{name}.bias": (count,) for name, count in rows.items()
                   if arch == "gpt-oss" or name != "attn_output"}
    if arch in ("qwen3moe", "olmoe"):
        shapes |= {f"{name}_norm.weight": (HEAD if arch == "qwen3moe" else rows[name],)
                   for name in ("attn_q", "attn_k")}
    if arch == "gpt-oss":
        shapes["attn_sinks.weight"] = (HEADS,)
    return [TensorSpec(f"blk.{layer}.{name}", shape) for name, shape in shapes.items()]


def dense_tensors(hidden: int, layer: int) -> list[TensorSpec]:
    """The feed-forward half of a layer of a dense model."""
    shapes = {"ffn_norm": (hidden,), "ffn_gate": (INNER, hidden), "ffn_up": (INNER, hidden),
              "ffn_down": (hidden, INNER)}
    return [TensorSpec(f"blk.{layer}.{name}.weight", shape) for name, shape in shapes.items()]


def model_tensors(preset: Preset, options: argparse.Namespace) -> list[TensorSpec]:
    """All tensors, before any change."""
    specs = []
    if options.whole:
        specs += [TensorSpec("token_embd.weight", (TOKENS, preset.hidden)),
                  TensorSpec("output_norm.weight", (preset.hidden,)),
                  TensorSpec("output.weight", (TOKENS, preset.hidden))]
    for layer in range(options.layers):
        if options.whole:
            specs += (latent_tensors(options.preset, preset.hidden, layer)
                      if preset.arch == "deepseek2"
                      else attention_tensors(preset.arch, preset.hidden, layer))
        specs += (dense_tensors(preset.hidden, layer) if options.dense
                  else layer_tensors(preset, layer, parse_types(options.types)))
    return specs


def model_metadata(preset: Preset, options: argparse.Namespace) -> dict[str, Any]:
    """All keys, before any change."""
    keys = metadata(preset)
    if options.dense:
        keys = {key: value for key, value in keys.items() if ".expert_" not in key}
        keys[f"{preset.arch}.feed_forward_length"] = INNER
    if options.whole:
        keys |= {f"{preset.arch}.{key}": value for key, value in
                 whole_keys(options.preset, preset.arch).items()}
    return keys


@dataclass(frozen=True)
class Header:
    """What a file says, before any change."""

    arch: str
    keys: dict[str, Any]
    specs: list[TensorSpec]


def header_of_preset(options: argparse.Namespace) -> Header:
    preset = scaled(PRESETS[options.preset], layers=options.layers, divisor=options.divide)
    return Header(preset.arch, model_metadata(preset, options), model_tensors(preset, options))


def header_of_reference(name: str) -> Header:
    reader = gguf.GGUFReader(MODELS / name / "model.gguf")
    arch = reader.fields["general.architecture"].contents()
    keys = {key: field.contents() for key, field in reader.fields.items()
            if key.startswith(f"{arch}.")}
    return Header(arch, keys, [TensorSpec(tensor.name, tuple(map(int, reversed(tensor.shape))),
                                          tensor.tensor_type) for tensor in reader.tensors])


def write(options: argparse.Namespace) -> None:
    header = (header_of_preset(options) if options.preset in PRESETS
              else header_of_reference(options.preset))
    changes = {f"{header.arch}.{key}": parse_value(value)
               for key, value in pairs(options.set).items()}
    writer = gguf.GGUFWriter(options.output, options.arch or header.arch)
    add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32,
           str: writer.add_string, list: writer.add_array}
    for key, value in (header.keys | changes).items():
        if key not in [f"{header.arch}.{dropped}" for dropped in options.drop_key]:
            add[type(value)](key, value)
    specs = header.specs
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
    references = [f"references/{path.parent.name}" for path in MODELS.glob("references/*/*.gguf")]
    parser.add_argument("preset", choices=[*PRESETS, *references])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--arch", help="another general.architecture")
    parser.add_argument("--types", default="q4_0")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--layout", choices=LAYOUTS)
    parser.add_argument("--divide", type=int, default=8)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--dense", action="store_true")
    for option in ("--drop-key", "--set", "--drop-tensor", "--shape", "--type", "--rename",
                   "--add"):
        parser.add_argument(option, action="append", default=[])
    write(parser.parse_args())


if __name__ == "__main__":
    main()
