"""The reference against recorded outputs, and against a second, plainer implementation."""

import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

import ffn
import make_gguf
from ffn import Layer, rms_norm, swiglu_clamped
from gguf_model import Model
from presets import PRESETS, parse_types, scaled

TINY = Path(__file__).resolve().parents[1] / "models" / "tiny-qwen3moe"


@pytest.mark.parametrize("layer", range(4))
def test_reproduces_the_recorded_outputs(layer: int) -> None:
    """Outputs that were computed apart from this implementation, for real inputs."""
    model = Model(TINY / "tiny-qwen3moe-q4_0.gguf")
    hidden = np.load(TINY / f"q4_0.ffn_in_{layer}.npy")
    expected = np.load(TINY / f"q4_0.ffn_out_{layer}.npy")
    result = Layer(model, layer).run(hidden)
    np.testing.assert_allclose(result.output, expected, rtol=0, atol=2e-12)
    np.testing.assert_array_equal(result.output, hidden + result.contribution)
    assert result.routing is not None and result.routing.margin.min() > 2e-5


# --- a second implementation ----------------------------------------------------------------------
# One token, one expert at a time, with Python scalars where decisions are made; written from the
# published model definitions, with their constants spelled out and not read from the file.


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def top(scores: list[float], count: int) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]


def select(name: str, logits: list[float], bias: list[float]) -> list[tuple[int, float]]:
    """(expert, weight) pairs as the model `name` chooses them."""
    exponentials = [math.exp(x - max(logits)) for x in logits]
    probabilities = [e / sum(exponentials) for e in exponentials]
    if name in ("qwen3-30b-a3b", "mixtral-8x7b"):
        chosen = top(probabilities, 8 if name.startswith("qwen") else 2)
        total = sum(probabilities[i] for i in chosen)
        return [(i, probabilities[i] / total) for i in chosen]
    if name in ("olmoe-1b-7b", "deepseek-v2-lite", "qwen1.5-moe-a2.7b"):
        count = {"o": 8, "d": 6, "q": 4}[name[0]]
        return [(i, probabilities[i]) for i in top(probabilities, count)]
    if name == "deepseek-v2":
        size = len(logits) // 8
        kept = top([max(probabilities[g * size : (g + 1) * size]) for g in range(8)], 3)
        masked = [p if i // size in kept else 0.0 for i, p in enumerate(probabilities)]
        return [(i, 16.0 * probabilities[i]) for i in top(masked, 6)]
    if name == "gpt-oss-20b":
        chosen = top(logits, 4)
        total = sum(math.exp(logits[i]) for i in chosen)
        return [(i, math.exp(logits[i]) / total) for i in chosen]
    scores = [1 / (1 + math.exp(-x)) for x in logits]
    biased = [s + b for s, b in zip(scores, bias)]
    if name == "glm-4.5-air":
        chosen = top(biased, 8)
        total = sum(scores[i] for i in chosen)
        return [(i, scores[i] / total) for i in chosen]
    assert name == "deepseek-v3"
    size = len(logits) // 8
    groups = [sum(sorted(biased[g * size : (g + 1) * size])[-2:]) for g in range(8)]
    kept = top(groups, 4)
    masked = [b if i // size in kept else -math.inf for i, b in enumerate(biased)]
    chosen = top(masked, 8)
    total = sum(scores[i] for i in chosen)
    return [(i, 2.5 * scores[i] / total) for i in chosen]


def plain_output(name: str, path: Path, layer: int, hidden: np.ndarray) -> np.ndarray:
    """The layer's output, token by token."""
    weights = {
        tensor.name.removeprefix(f"blk.{layer}."): gguf.quants.dequantize(
            tensor.data, tensor.tensor_type).astype(np.float64)
        for tensor in gguf.GGUFReader(path).tensors if tensor.name.startswith(f"blk.{layer}.")
    }
    norm = weights.get("ffn_norm.weight", weights.get("post_attention_norm.weight"))
    epsilon = 1e-6 if name.startswith(("qwen", "deepseek")) else 1e-5

    def feed_forward(x: np.ndarray, suffix: str, index: Any = ()) -> np.ndarray:
        def bias(part: str) -> np.ndarray | float:
            name = f"ffn_{part}{suffix}.bias"
            return weights[name][index] if name in weights else 0.0

        gate = weights[f"ffn_gate{suffix}.weight"][index] @ x + bias("gate")
        up = weights[f"ffn_up{suffix}.weight"][index] @ x + bias("up")
        if name == "gpt-oss-20b":
            gate, up = np.minimum(gate, 7), np.maximum(np.minimum(up, 7), -7)
            inner = gate / (1 + np.exp(-1.702 * gate)) * (up + 1)
        else:
            inner = silu(gate) * up
        return weights[f"ffn_down{suffix}.weight"][index] @ inner + bias("down")

    output = hidden.astype(np.float64)
    for row in output:
        x = row / math.sqrt(sum(row * row) / len(row) + epsilon) * norm
        if "ffn_gate.weight" in weights:
            row += feed_forward(x, "")
            continue
        logits = weights["ffn_gate_inp.weight"] @ x + weights.get("ffn_gate_inp.bias", 0)
        bias = weights.get("exp_probs_b.bias", np.zeros(len(logits)))
        addition = np.zeros_like(row)
        for expert, weight in select(name, logits.tolist(), bias.tolist()):
            addition += weight * feed_forward(x, "_exps", expert)
        if "ffn_up_shexp.weight" in weights:
            shared = feed_forward(x, "_shexp")
            if name == "qwen1.5-moe-a2.7b":
                shared /= 1 + math.exp(-float(weights["ffn_gate_inp_shexp.weight"] @ x))
            addition += shared
        row += addition
    return output


def small(name: str, layers: int = 1) -> Any:
    """A preset small enough for many tests, with as many experts as its routing needs."""
    divisor = 28 if name == "deepseek-v3" else 16
    return scaled(PRESETS[name], layers=layers, divisor=divisor, experts=max(
        8, 2 * PRESETS[name].used, 32 if PRESETS[name].groups > 1 else 0))


def write(path: Path, name: str, types: str, **options: Any) -> tuple[Path, np.ndarray]:
    """A small model and an input for it."""
    preset = small(name, options.pop("layers", 1))
    outliers = options.pop("outliers", False)
    parts = make_gguf.write_model(path / "model.gguf", preset, parse_types(types), 5, **options)
    return parts[-1], make_gguf.activations(5, 24, preset.hidden, outliers)


@pytest.mark.parametrize("name, types", [
    ("qwen3-30b-a3b", "q4_k_m"), ("olmoe-1b-7b", "q6_k"), ("mixtral-8x7b", "q4_0"),
    ("deepseek-v2-lite", "q4_k_m"), ("deepseek-v3", "iq4_xs"), ("gpt-oss-20b", "mxfp4"),
    ("qwen3-30b-a3b", "bf16"), ("deepseek-v2-lite", "q2_k"), ("gpt-oss-20b", "f16"),
    ("qwen1.5-moe-a2.7b", "q4_0"), ("deepseek-v2", "q8_0"),
])
@pytest.mark.parametrize("outliers", [False, True])
def test_every_preset(name: str, types: str, outliers: bool, tmp_path: Path) -> None:
    path, hidden = write(tmp_path, name, types, outliers=outliers)
    result = Layer(Model(path), 0).run(hidden)
    expected = plain_output(name, path, 0, hidden)
    np.testing.assert_allclose(result.output, expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert result.contribution.std() > 0.05


@pytest.mark.parametrize("name", ["deepseek-v2-lite", "deepseek-v2", "deepseek-v3"])
def test_dense_layer(name: str, tmp_path: Path) -> None:
    path, hidden = write(tmp_path, name, "q5_0", layers=2)
    result = Layer(Model(path), 0).run(hidden)
    assert result.routing is None
    np.testing.assert_allclose(result.output, plain_output(name, path, 0, hidden), atol=1e-11)
    assert Layer(Model(path), 0).is_dense and not Layer(Model(path), 1).is_dense


def test_clamped_swiglu_by_hand() -> None:
    # The gate is clamped from above only, the other factor on both sides.
    gate = np.array([9.0, -9.0, 1.0, 1.0])
    up = np.array([0.0, 0.0, 9.0, -9.0])
    expected = [7 / (1 + math.exp(-1.702 * 7)), -9 / (1 + math.exp(1.702 * 9)),
                8 / (1 + math.exp(-1.702)), -6 / (1 + math.exp(-1.702))]
    np.testing.assert_allclose(swiglu_clamped(gate, up), expected)


def test_clamp_is_exercised(tmp_path: Path) -> None:
    """The test model of gpt-oss reaches the limit, or its clamps would be untested."""
    path, hidden = write(tmp_path, "gpt-oss-20b", "mxfp4")
    model = Model(path)
    x = rms_norm(hidden.astype(np.float64), model.tensor("blk.0.post_attention_norm.weight"), 1e-5)
    for part in ("gate", "up"):
        y = x @ model.tensor(f"blk.0.ffn_{part}_exps.weight", 0).T
        assert 0.001 < np.mean(np.abs(y) > 7) < 0.2


def test_norm_by_hand() -> None:
    x = np.array([[3.0, 4.0]])
    np.testing.assert_allclose(rms_norm(x, np.array([1.0, 2.0]), 12.5), [[3 / 5, 8 / 5]])


def test_split_model_is_one_model(tmp_path: Path) -> None:
    whole, hidden = write(tmp_path / "whole", "deepseek-v3", "q4_0")
    last, _ = write(tmp_path / "parts", "deepseek-v3", "q4_0", parts=3)
    assert last.name == "model-00003-of-00003.gguf"
    np.testing.assert_array_equal(Layer(Model(last), 0).run(hidden).output,
                                  Layer(Model(whole), 0).run(hidden).output)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("skew", [0.0, 0.2, 1.0])
def test_router_skew(name: str, skew: float, tmp_path: Path) -> None:
    preset = small(name)
    (path,) = make_gguf.write_model(tmp_path / "model.gguf", preset, parse_types("q4_0"), seed=9,
                                    skew=skew, random_raw=True)
    hidden = make_gguf.activations(9, 256, preset.hidden, outliers=False)
    layer = Layer(Model(path), 0)
    routing = layer.route(layer.normalize(hidden))
    tokens = np.bincount(routing.ids.ravel(), minlength=preset.experts)
    hot = tokens[make_gguf.hot_expert(9, preset.experts)]
    even = 256 * preset.used / preset.experts
    if skew == 0:
        assert tokens.max() < 2.5 * even and tokens.min() > 0
    else:
        assert hot == tokens.max() and hot > (1.4 * even if skew < 1 else 250)


def test_no_tokens(tmp_path: Path) -> None:
    path, hidden = write(tmp_path, "qwen3-30b-a3b", "q4_0")
    result = Layer(Model(path), 0).run(hidden[:0])
    assert result.output.shape == hidden[:0].shape


def test_command_line(tmp_path: Path) -> None:
    path, hidden = write(tmp_path, "deepseek-v2-lite", "q8_0", layers=2)
    np.save(tmp_path / "x.npy", hidden)
    arguments = [str(path), "--input", str(tmp_path / "x.npy"), "--output"]
    assert ffn.main([*arguments, str(tmp_path / "dense.npz")]) == 0
    assert sorted(np.load(tmp_path / "dense.npz")) == ["contribution", "output"]
    assert ffn.main([*arguments, str(tmp_path / "moe.npz"), "--layer", "1"]) == 0
    moe = np.load(tmp_path / "moe.npz")
    assert sorted(moe) == ["contribution", "ids", "margin", "output", "weights"]
    assert moe["ids"].shape == (24, 6)

    other = np.roll(moe["ids"], 1, axis=0)
    np.save(tmp_path / "ids.npy", other)
    following = ["--layer", "1", "--follow", str(tmp_path / "ids.npy"), "--follow-below"]
    assert ffn.main([*arguments, str(tmp_path / "f.npz"), *following, "100"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "f.npz")["ids"], other)
    assert ffn.main([*arguments, str(tmp_path / "f.npz"), *following, "0"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "f.npz")["output"], moe["output"])


@pytest.mark.parametrize("options, message", [
    (["--layer", "2"], "layer 2: the model has 1 layers"),
    (["--input", "narrow.npy"], r"the layer takes [T, 256]"),
    (["--input", "absent.npy"], "No such file"),
    (["--follow", "narrow.npy"], "need [24, 8]"),
])
def test_errors(options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    path, hidden = write(tmp_path, "qwen3-30b-a3b", "q4_0")
    np.save("x.npy", hidden)
    np.save("narrow.npy", hidden[:, :32])
    assert ffn.main([str(path), "--input", "x.npy", "--output", "y.npz", *options]) == 1
    assert message in capsys.readouterr().err
    assert not Path("y.npz").exists()


def test_unknown_gating(tmp_path: Path) -> None:
    path, hidden = write(tmp_path, "deepseek-v3", "q4_0", header_only=True)
    model = Model(path)
    read = model.value
    model.value = lambda key, default=None: (  # type: ignore[method-assign]
        7 if key == "expert_gating_func" else read(key, default))
    with pytest.raises(ValueError, match="no reference for expert_gating_func 7"):
        Layer(model, 0).run(hidden)


def test_unknown_architecture(tmp_path: Path) -> None:
    path, hidden = write(tmp_path, "qwen3-30b-a3b", "q4_0")
    model = Model(path)
    model.arch = "mamba"
    model.value = {"block_count": 1, "expert_used_count": 1,  # type: ignore[method-assign]
                   "attention.layer_norm_rms_epsilon": 0.0}.get
    with pytest.raises(ValueError, match="no reference for architecture 'mamba'"):
        Layer(model, 0).run(hidden)
