#!/usr/bin/env python3
"""Writes GGUF v3 files in the shapes of public Mixture-of-Experts models: the feed-forward halves
of their layers, or whole models.

Metadata keys, tensor names and shapes are those of the real files; the weights are random, drawn
from `--seed` alone. See README.md in this folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

import whole_models
from presets import (
    DENSE_PRESETS,
    PRESETS,
    USUAL_TYPES,
    VALID_TYPES,
    Preset,
    TensorSpec,
    TypeChoice,
    layer_tensors,
    parse_types,
    scaled,
)
from quantizers import quantize, raw_blocks, row_bytes, type_name

#: Activations have this mean, times the signs of `mean_direction`, in every channel.
ACTIVATION_MEAN = 0.5
OUTLIER_CHANNELS = 16
OUTLIER_FACTOR = 30.0
#: Tensors of more elements are written as random blocks, where these are asked for.
LARGE = 1 << 20
#: At full skew, the hot expert's logit lies this many spreads of the router above the others' mean.
HOT_EXPERT_SPREADS = 6.0
#: At full skew, what the hot expert's selection bias gets, where the model has one.
HOT_EXPERT_BIAS = 0.5


def generator(seed: int, name: str) -> np.random.Generator:
    """A stream of its own for each tensor: a layer is the same in every file that has it."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


# --- contents -------------------------------------------------------------------------------------


def mean_direction(seed: int, hidden: int) -> np.ndarray:
    """Signs of the channel means of the activations: what a router can tell a hot expert by."""
    return generator(seed, "mean_direction").choice(np.float32([-1, 1]), hidden)


def hot_expert(seed: int, experts: int) -> int:
    """The expert that `--router-skew` favours."""
    return int(generator(seed, "hot_expert").integers(experts))


def activations(seed: int, tokens: int, hidden: int, outliers: bool) -> np.ndarray:
    """Inputs [tokens, hidden] f32 of a layer; with outliers, 16 channels are 30 times as large."""
    rng = generator(seed, "activations")
    x = rng.standard_normal((tokens, hidden), dtype=np.float32)
    x += np.float32(ACTIVATION_MEAN) * mean_direction(seed, hidden)
    if outliers:
        channels = generator(seed, "outliers").choice(hidden, OUTLIER_CHANNELS, replace=False)
        x[:, channels] *= np.float32(OUTLIER_FACTOR)
    return x


def _set_popularity(values: np.ndarray, spec: TensorSpec, preset: Preset, skew: float,
                    seed: int) -> None:
    """Makes the hot expert's scores higher for the activations that `activations` draws.

    Scores are linear in the normalised activations, whose mean along `mean_direction` is
    ACTIVATION_MEAN over their root mean square: a row orthogonal to that direction has scores of
    mean zero, as all have without skew, and a row along it scores of positive mean.
    """
    if not preset.experts:
        return
    hot = hot_expert(seed, preset.experts)
    if "router" in spec.tags:
        direction = mean_direction(seed, preset.hidden)
        values -= np.outer(values @ direction, direction / np.float32(preset.hidden))
        normalised_mean = ACTIVATION_MEAN / np.sqrt(1 + ACTIVATION_MEAN**2)
        rise = skew * HOT_EXPERT_SPREADS * preset.router_spread
        values[hot] += np.float32(rise / normalised_mean / preset.hidden) * direction
    if "selection_bias" in spec.tags:
        values[hot] += np.float32(skew * HOT_EXPERT_BIAS)


def byte_shape(spec: TensorSpec) -> tuple[int, ...]:
    """Shape of the tensor's raw bytes."""
    return (*spec.shape[:-1], row_bytes(spec.type, spec.shape[-1]))


def tensor_bytes(spec: TensorSpec, preset: Preset, seed: int, skew: float,
                 random_raw: bool) -> np.ndarray:
    """The tensor's contents as rows of bytes; made expert by expert to bound the memory."""
    rng = generator(seed, spec.name)
    if random_raw and np.prod(spec.shape) > LARGE and len(spec.shape) < 3:
        return raw_blocks(rng, spec.shape, spec.type, spec.deviation)
    if len(spec.shape) < 3:
        values = rng.standard_normal(spec.shape, dtype=np.float32)
        values = values * np.float32(spec.deviation) + np.float32(spec.mean)
        _set_popularity(values, spec, preset, skew, seed)
        return quantize(values, spec.type)
    out = np.empty(byte_shape(spec), dtype=np.uint8)
    for expert in range(spec.shape[0]):
        if random_raw:
            out[expert] = raw_blocks(rng, spec.shape[1:], spec.type, spec.deviation)
        else:
            values = rng.standard_normal(spec.shape[1:], dtype=np.float32)
            out[expert] = quantize(values * np.float32(spec.deviation), spec.type)
    return out


class Contents:
    """What the tensors of a file hold. With `shared`, the experts of all layers are those of the
    first layer that has them in their type: then gigabytes take seconds."""

    def __init__(self, preset: Preset, seed: int, skew: float, random_raw: bool,
                 shared: bool) -> None:
        self._arguments = preset, seed, skew, random_raw
        self._shared = shared
        self._made: dict[tuple[str, Type, tuple[int, ...]], np.ndarray] = {}

    def of(self, spec: TensorSpec) -> np.ndarray:
        """The bytes of a tensor."""
        if not self._shared or np.prod(spec.shape) < LARGE:
            return tensor_bytes(spec, *self._arguments)
        name = spec.name.split(".", 2)[2] if spec.name.startswith("blk.") else spec.name
        key = name, spec.type, spec.shape
        if key not in self._made:
            self._made[key] = tensor_bytes(spec, *self._arguments)
        return self._made[key]


# --- files ----------------------------------------------------------------------------------------


def _add_value(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    """Adds a value in the type that the converters use for its kind."""
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        raise TypeError(f"{key}: no GGUF type for {type(value).__name__}")


def metadata(preset: Preset) -> dict[str, Any]:
    """All keys of the file but general.architecture."""
    keys: dict[str, Any] = {
        "block_count": preset.layers,
        "embedding_length": preset.hidden,
        "feed_forward_length": preset.dense_width,
        "attention.layer_norm_rms_epsilon": preset.rms_epsilon,
    }
    if preset.experts:
        keys |= {"expert_count": preset.experts, "expert_used_count": preset.used}
    if preset.experts and preset.writes_expert_width:
        keys["expert_feed_forward_length"] = preset.expert_width
    if preset.arch in ("deepseek2", "glm4moe"):
        keys["leading_dense_block_count"] = preset.dense_layers
        keys["expert_shared_count"] = preset.shared_experts
    if preset.shared_gate:
        keys["expert_shared_feed_forward_length"] = preset.shared_width
    keys |= preset.metadata
    return {
        "general.type": "model",
        "general.name": f"random weights in the shape of {preset.name}",
        "general.quantization_version": gguf.GGML_QUANT_VERSION,
    } | {f"{preset.arch}.{key}": value for key, value in keys.items()}


def _write_header(writer: gguf.GGUFWriter, keys: dict[str, Any], specs: Sequence[TensorSpec],
                  parts: int) -> None:
    """Everything before the data but the tokenizer; tensors are spread evenly over `parts`."""
    for key, value in keys.items():
        _add_value(writer, key, value)
    for index, spec in enumerate(specs):
        part = index * parts // len(specs)
        if part == len(writer.tensors):
            writer.tensors.append({})
        size = int(np.prod(byte_shape(spec)))
        # The shape in elements: that of bytes would not do where rows have headers.
        writer.add_tensor_info(spec.name, spec.shape, np.dtype(np.float32), size, spec.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def _extend_sparse(writer: gguf.GGUFWriter) -> None:
    """Gives each file its full length without writing data: holes read as zeros."""
    assert writer.fout is not None
    for file, tensors in zip(writer.fout, writer.tensors):
        end = gguf.GGUFWriter.ggml_pad(file.tell(), writer.data_alignment)
        for info in tensors.values():
            end += gguf.GGUFWriter.ggml_pad(info.nbytes, writer.data_alignment)
        file.flush()
        file.truncate(end)


def write_model(path: Path, preset: Preset, types: TypeChoice, seed: int = 0, skew: float = 0.0,
                random_raw: bool = False, header_only: bool = False, parts: int = 1,
                whole: bool = False) -> list[Path]:
    """Writes the model and returns its files: `path`, or its parts when `parts` is above one.

    Files appear under their names only when they are complete. Raises ValueError when there are
    fewer tensors than parts.
    """
    keys = metadata(preset)
    if whole:
        keys |= whole_models.metadata(preset, types)
        specs = list(whole_models.model_tensors(preset, types))
    else:
        specs = [spec for layer in range(preset.layers)
                 for spec in layer_tensors(preset, layer, types)]
    if not 1 <= parts <= len(specs):
        raise ValueError(f"{len(specs)} tensors cannot be split into {parts} files")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".make_gguf.") as folder:
        writer = gguf.GGUFWriter(Path(folder) / path.name, preset.arch)
        try:
            if whole:
                whole_models.add_tokenizer(writer, preset)
            _write_header(writer, keys, specs, parts)
            if header_only:
                _extend_sparse(writer)
            else:
                contents = Contents(preset, seed, skew, random_raw, shared=whole and random_raw)
                for spec in specs:
                    writer.write_tensor_data(contents.of(spec))
        finally:
            writer.close()
        return [part.rename(path.parent / part.name) for part in sorted(Path(folder).iterdir())]


# --- command line ---------------------------------------------------------------------------------


def print_list() -> None:
    """The valid pairs of preset and type, and what each tensor gets."""
    row = "{:18}{:9}{:7}{:10}{:8}{:13}{}"
    print(row.format("preset", "type", "usual", "gate, up", "down", "shared down", "dense down"))
    for name, type_names in VALID_TYPES.items():
        preset = PRESETS[name]
        for text in type_names:
            types = parse_types(text)
            down = {
                "exps": preset.expert_width, "shexp": preset.shared_width,
                "dense": preset.dense_width if preset.dense_layers else 0,
            }
            cells = [type_name(types.of(f"ffn_down_{suffix}", width)) if width else "-"
                     for suffix, width in down.items()]
            up = type_name(types.of("ffn_up_exps", preset.hidden))
            usual = "yes" if text in USUAL_TYPES[name] else ""
            print(row.format(name, text, usual, up, *cells))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Writes a GGUF file with the feed-forward halves of a public MoE model: true "
        "metadata, names and shapes, random weights.",
        epilog="example: make_gguf.py qwen3-30b-a3b --layers 1 --type q4_k_m -o qwen3.gguf "
        "--activations x.npy --tokens 512",
    )
    parser.add_argument("preset", nargs="?", choices=PRESETS | DENSE_PRESETS, metavar="PRESET",
                        help=f"{', '.join(PRESETS)}; with --whole also {', '.join(DENSE_PRESETS)}")
    parser.add_argument("--list", action="store_true",
                        help="print the valid pairs of preset and type, then exit")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.gguf")
    parser.add_argument("--whole", action="store_true",
                        help="the whole model: attention, embedding, output and tokenizer, too")
    parser.add_argument("--type", default="q4_k_m", metavar="TYPE",
                        help="one type (q4_0), a mix (q4_k_m), or gate:up:down or gate-and-up:down "
                        "(q4_k:q6_k); default q4_k_m")
    parser.add_argument("--layers", type=int, default=1, metavar="N",
                        help="number of layers, 0 for all of the model's; default 1")
    parser.add_argument("--dense-layers", type=int, metavar="N",
                        help="leading layers without experts (deepseek, glm); default: the "
                        "model's, but at least one layer has experts")
    parser.add_argument("--divide", type=int, default=1, metavar="D",
                        help="divide all widths, rounded up to what the types need; default 1")
    parser.add_argument("--experts", type=int, metavar="E", help="another number of experts")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--router-skew", type=float, default=0.0, metavar="X",
                        help="0: experts equally likely, 1: one expert gets nearly every token (of "
                        "the activations written with the same seed); default 0")
    parser.add_argument("--random-raw", action="store_true",
                        help="random blocks with sane scales instead of quantized weights: faster")
    parser.add_argument("--header-only", action="store_true",
                        help="no data: a sparse file of full length")
    parser.add_argument("--split", type=int, default=1, metavar="N",
                        help="write N parts, FILE-00001-of-0000N.gguf and so on")
    parser.add_argument("--activations", type=Path, metavar="X.npy",
                        help="write inputs of a layer too: f32 [tokens, hidden]")
    parser.add_argument("--tokens", type=int, default=512, metavar="T", help="default 512")
    parser.add_argument("--outliers", action="store_true",
                        help=f"{OUTLIER_CHANNELS} channels of the activations are "
                        f"{OUTLIER_FACTOR:g} times as large")
    options = parser.parse_args(arguments)
    if options.list:
        return options
    if options.preset is None or not (options.output or options.activations):
        parser.error("needs a preset and -o FILE.gguf, --activations X.npy or both; or --list")
    if options.preset in DENSE_PRESETS and not options.whole:
        parser.error(f"{options.preset} has no experts: write it with --whole")
    if not 0 <= options.router_skew <= 1:
        parser.error("--router-skew must lie between 0 and 1")
    if options.tokens < 0 or options.seed < 0:
        parser.error("--tokens and --seed must not be negative")
    return options


def run(options: argparse.Namespace) -> None:
    """Does what the parsed command line says; ValueError and OSError for what cannot be done."""
    preset = scaled((PRESETS | DENSE_PRESETS)[options.preset], options.layers or None,
                    options.divide, options.experts, options.dense_layers)
    if options.output:
        files = write_model(
            options.output, preset, parse_types(options.type), options.seed, options.router_skew,
            options.random_raw, options.header_only, options.split, options.whole,
        )
        for file in files:
            print(f"{file}: {file.stat().st_size} bytes")
    if options.activations:
        x = activations(options.seed, options.tokens, preset.hidden, options.outliers)
        options.activations.parent.mkdir(parents=True, exist_ok=True)
        np.save(options.activations, x)
        print(f"{options.activations}: {x.shape[0]} tokens of {x.shape[1]}")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    if options.list:
        print_list()
        return 0
    try:
        run(options)
    except (ValueError, OSError) as error:
        print(f"make_gguf.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
