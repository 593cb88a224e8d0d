"""Files that hold the same matrices in another layout give the same bits, on the CPU and on the
emulated GPU; and the float64 reference, which reads the usual layout, agrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compare import contribution_error, routing_differences
from ffn import Layer
from gguf_model import Model
from layouts import LAYOUTS, write_in_layout
from make_gguf import activations, write_model
from presets import PRESETS, parse_types, scaled
from reference_programs import path_of
from tools import DIVISORS, Tools, small

TOKENS = 24

#: preset, type, layout, and whether the emulated device runs it, too.
CASES = [
    ("mixtral-8x7b", "q4_0", "one_tensor_an_expert", True),
    ("mixtral-8x7b", "bf16", "one_tensor_an_expert", False),
    ("qwen3-30b-a3b", "q4_k", "merged_gate_and_up", False),
    ("gpt-oss-20b", "mxfp4", "merged_gate_and_up", True),  # with biases
    ("deepseek-v3", "q8_0", "with_ones", False),
    ("qwen1.5-moe-a2.7b", "q8_0", "with_ones", False),
    ("qwen1.5-moe-a2.7b", "q8_0", "without_ones", False),
]


@pytest.mark.parametrize("preset, types, layout, on_gpu", CASES)
def test_same_bits(preset: str, types: str, layout: str, on_gpu: bool, tools: Tools,
                   emulated: Tools, make_model: Callable) -> None:
    model = make_model(preset, types, DIVISORS[preset])
    other = tools.folder / f"{model.path.stem}-{layout}.gguf"
    write_in_layout(model.path, other, LAYOUTS[layout])
    function = model.function(model.routed)
    hidden = model.input(TOKENS)

    def run(path: Path, device: str) -> tuple[np.ndarray, ...]:
        used, options, arguments = tools, {}, ()
        if device == "cuda":
            used, options = emulated, {"target": "cuda", "chip": "sm_80", "max_tokens": "64"}
            arguments = ("--device=cuda:0",)
        program = used.compile(path, with_ids=function, **options)
        return used.run(program, path, function, hidden, *arguments, ids=True)

    output, ids = run(model.path, "cpu")
    for device in ("cpu", "cuda") if on_gpu else ("cpu",):
        other_output, other_ids = run(other, device)
        np.testing.assert_array_equal(other_output.view(np.uint32), output.view(np.uint32))
        np.testing.assert_array_equal(other_ids, ids)

    reference = Layer(Model(model.path), model.routed).run(hidden, follow=ids)
    assert not len(routing_differences(reference.routing.ids, ids, reference.routing.margin))
    assert contribution_error(hidden, reference.output, output).nmse <= 1e-6


def logits(tools: Tools, path: Path, device: str) -> np.ndarray:
    """Of two texts of a whole model."""
    options = {"target": "cuda", "chip": "compute_80"} if device == "cuda" else {}
    program = tools.compile_whole(path, 256, **options)
    tokens, output = tools.folder / "latent-tokens.npy", tools.folder / "latent-logits.npy"
    np.save(tokens, np.random.default_rng(3).integers(200, size=(2, 20)).astype(np.int32))
    tools.call("sortie-run", "logits", program, f"--weights={path}", f"--tokens={tokens}",
               f"--output={output}", f"--device={device}")
    return np.load(output)


@pytest.mark.parametrize("types, layout", [
    ("f32", "fused_latent_heads"), ("f16", "fused_latent_heads"), ("bf16", "fused_latent_heads"),
    ("q4_k_m", "joined_latent_heads"), ("bf16", "joined_latent_heads")])
def test_matrices_of_latents(types: str, layout: str, tools: Tools) -> None:
    """Of floats, the transposed part of `attn_kv_b` has the elements of `attn_k_b`."""
    preset = small("deepseek-v2-lite")
    preset = replace(preset, metadata=preset.metadata | {"vocab_size": 300})
    path = tools.folder / f"latent-{types}.gguf"
    write_model(path, preset, parse_types(types), whole=True)
    other = path.with_stem(f"{path.stem}-{layout}")
    write_in_layout(path, other, LAYOUTS[layout])
    np.testing.assert_array_equal(logits(tools, other, "cpu").view(np.uint32),
                                  logits(tools, path, "cpu").view(np.uint32))


def test_decoded_matrices_of_latents(emulated: Tools) -> None:
    """Blocks that are decoded and transposed are the same numbers on a GPU."""
    path = path_of("deepseek-v2-lite")
    np.testing.assert_array_equal(logits(emulated, path, "cuda").view(np.uint32),
                                  logits(emulated, path, "cpu").view(np.uint32))


def test_described_matrices_of_latents(tools: Tools) -> None:
    """Reports say which part of `attn_kv_b` a weight is, and what becomes of it."""
    described = tools.call("sortie-run", tools.compile_whole(path_of("deepseek-v2-lite"), 256),
                           "--describe")
    assert "attn_kv_b.weight rows 0 to 31 of each 80 transposed decoded to f32: q8_0 " in described
    assert "attn_kv_b.weight rows 32 to 79 of each 80: q8_0 " in described


def test_scales_of_a_file(tools: Tools) -> None:
    """`ffn_*_exps.scale`, a factor for the matrix of each expert."""
    preset = replace(scaled(PRESETS["qwen3-30b-a3b"], layers=1, divisor=8, experts=16),
                     expert_scales=True)
    path = tools.folder / "scales.gguf"
    write_model(path, preset, parse_types("q4_k_m"), seed=7)
    hidden = activations(seed=7, tokens=TOKENS, hidden=preset.hidden, outliers=False)
    program = tools.compile(path, with_ids="blk_0_ffn")
    output, ids = tools.run(program, path, "blk_0_ffn", hidden, ids=True)
    reference = Layer(Model(path), 0).run(hidden, follow=ids)
    assert contribution_error(hidden, reference.output, output).nmse <= 1e-6


def test_another_number_of_experts(tools: Tools, make_model: Callable) -> None:
    """--experts-used: the reference takes as many as the ids it follows."""
    model = make_model("deepseek-v3", "q8_0", DIVISORS["deepseek-v3"])
    used = tools.folder / "experts-used.mlir"
    tools.call("sortie-translate", "--import-gguf", "--what=ffn", model.path, "--experts-used=3",
               "-o", used)
    program = tools.folder / "experts-used.mlirbc"
    tools.call("sortie-opt", used, "--sortie-compile", "--emit-bytecode", "-o", program)
    hidden = model.input(TOKENS)
    output, = tools.run(program, model.path, model.function(model.routed), hidden)
    three = Model(model.path)
    read = three.value
    three.value = lambda key, default=None: (  # type: ignore[method-assign]
        3 if key == "expert_used_count" else read(key, default))
    reference = Layer(three, model.routed).run(hidden)
    assert reference.routing.ids.shape == (TOKENS, 3)
    assert contribution_error(hidden, reference.output, output).nmse <= 1e-6
