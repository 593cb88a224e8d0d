"""The NumPy reference of whole models against transformers' results and by hand."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attention
import ffn
import whole_model
from attention import Rotation, attend, rotation_of
from gguf_model import Model
from whole_model import WholeModel, run_all

MODELS = Path(__file__).parents[1] / "models"
REFERENCES = sorted(path.parent.name for path in MODELS.glob("references/*/reference.npz"))
TRAINED = MODELS / "tiny-qwen3moe"


def path_of(name: str) -> Path:
    return MODELS / "references" / name / "model.gguf"


@cache
def reference(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(path_of(name).with_name("reference.npz")))


def nmse(values: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sum(np.square(values - expected)) / np.sum(np.square(expected)))


@pytest.mark.parametrize("name", REFERENCES)
def test_logits_and_routing(name: str) -> None:
    expected = reference(name)
    arrays = run_all(WholeModel(Model(path_of(name))), expected["tokens"])
    # A step in float32 on either side would make this 1e-14.
    assert nmse(arrays["logits"], expected["logits"]) < 1e-26
    assert ("ids" in arrays) == ("ids" in expected)
    if "ids" in expected:
        np.testing.assert_array_equal(np.sort(arrays["ids"]), np.sort(expected["ids"]))
        np.testing.assert_allclose(arrays["margins"], expected["margins"], atol=1e-13)


@pytest.mark.parametrize("name", REFERENCES)
def test_generation(name: str) -> None:
    expected = reference(name)
    prompt, generated = expected["prompt"], expected["generated"]
    tokens = np.concatenate([prompt, generated])[:-1]
    result = WholeModel(Model(path_of(name))).run(tokens)
    logits = result.logits[len(prompt) - 1 :]
    np.testing.assert_array_equal(logits.argmax(axis=-1), generated)
    best = np.sort(logits)[:, -2:]
    np.testing.assert_allclose(best[:, 1] - best[:, 0], expected["generated_margins"], atol=1e-11)
    if result.routings:
        margins = np.min([routing.margin for routing in result.routings], axis=0)
        np.testing.assert_allclose(margins, expected["generated_routing_margins"], atol=1e-13)


def test_trained_model() -> None:
    """Logits and likelihoods that transformers computed in float32."""
    expected = np.load(TRAINED / "q4_0.logits.npz")
    logits = run_all(WholeModel(Model(TRAINED / "tiny-qwen3moe-q4_0.gguf")),
                     expected["tokens"])["logits"]
    assert nmse(logits[:, -1], expected["last"]) < 1e-12
    assert nmse(logits[:, 63], expected["middle"]) < 1e-12
    chosen = np.take_along_axis(logits[:, :-1], expected["tokens"][:, 1:, None], axis=-1)[..., 0]
    loss = np.log(np.exp(logits[:, :-1]).sum(axis=-1)) - chosen
    np.testing.assert_allclose(loss, expected["nll"], atol=3e-5)
    assert np.exp(loss.mean()) == pytest.approx(23.2529, abs=1e-4)


# --- mistakes are found ---------------------------------------------------------------------------


class Altered(Model):
    """A model one of whose keys is another than in the file, or one of whose tensors is absent or
    has the numbers of each row in reverse."""

    keys: dict[str, Any] = {}
    absent = reversed = ""

    def has(self, name: str) -> bool:
        return super().has(name) and name != self.absent

    def optional(self, name: str, expert: int | None = None) -> np.ndarray | None:
        return self.tensor(name, expert) if self.has(name) else None

    def tensor(self, name: str, expert: int | None = None) -> np.ndarray:
        values = super().tensor(name, expert)
        return values[..., ::-1] if name == self.reversed else values

    def value(self, key: str, default: Any = None) -> Any:
        return self.keys.get(key, super().value(key, default))


def change(name: str, model: Model) -> float:
    """How far the first sequence's logits are from those of the reference."""
    expected = reference(name)
    return nmse(WholeModel(model).run(expected["tokens"][0]).logits, expected["logits"][0])


@pytest.mark.parametrize("name", REFERENCES)
def test_every_tensor_matters(name: str) -> None:
    model = Altered(path_of(name))
    changes = {}
    for tensor in model.names():
        model.reversed = tensor
        changes[tensor] = change(name, model)
    assert len(changes) > 20
    assert min(changes.values()) > 1e-3, sorted(changes.items(), key=lambda item: item[1])[:5]


@pytest.mark.parametrize("name, tensor", [
    ("llama", "rope_freqs.weight"), ("qwen2", "blk.1.attn_k.bias"),
    ("qwen3moe", "blk.0.attn_k_norm.weight"), ("gpt-oss", "blk.1.attn_sinks.weight"),
    ("gpt-oss", "blk.1.attn_output.bias"), ("deepseek-v3", "blk.2.exp_probs_b.bias"),
    ("ernie4_5-moe", "blk.1.exp_probs_b.bias"), ("minimax-m2", "blk.1.exp_probs_b.bias"),
])
def test_no_tensor_can_be_forgotten(name: str, tensor: str) -> None:
    model = Altered(path_of(name))
    model.absent = tensor
    assert change(name, model) > 1e-3


@pytest.mark.parametrize("name, key, value", [
    *((name, "rope.freq_base", 9000.0) for name in REFERENCES),
    *((name, "attention.layer_norm_rms_epsilon", 1e-2) for name in REFERENCES),
    ("gpt-oss", "attention.sliding_window", 11), ("gpt-oss", "attention.sliding_window", 13),
    ("gpt-oss", "rope.scaling.type", "none"), ("gpt-oss", "rope.scaling.factor", 28.0),
    ("gpt-oss", "rope.scaling.original_context_length", 900),
    ("gpt-oss", "rope.scaling.yarn_beta_fast", 24.0),
    ("gpt-oss", "rope.scaling.yarn_beta_slow", 2.0),
    ("gpt-oss", "rope.scaling.yarn_attn_factor", 1.25),
    ("deepseek-v2", "rope.scaling.yarn_log_multiplier", 0.1),
    ("deepseek-v2", "expert_group_used_count", 3), ("deepseek-v2", "expert_weights_scale", 1.0),
    ("deepseek-v3", "expert_gating_func", 1), ("deepseek-v3", "expert_weights_norm", False),
    *(("granite", key, 0.1875) for key in ("attention.scale", "residual_scale")),
    ("granite", "embedding_scale", 10.0), ("granite", "logit_scale", 1.0),
    ("granitemoe", "residual_scale", 1.0),
    ("glm4moe", "rope.dimension_count", 32), ("glm4moe", "expert_weights_scale", 1.0),
    ("bailingmoe2", "rope.dimension_count", 32), ("bailingmoe2", "expert_group_used_count", 3),
    ("minimax-m2", "rope.dimension_count", 64), ("minimax-m2", "expert_gating_func", 1),
    ("dots1", "expert_weights_norm", False), ("dots1", "expert_gating_func", 1),
])
def test_every_key_matters(name: str, key: str, value: Any) -> None:
    model = Altered(path_of(name))
    model.keys = {key: value}
    assert change(name, model) > 1e-5


def test_experts_can_be_forced() -> None:
    """To the model's own, which changes nothing, and to others; margins are those of its choice."""
    model, tokens = WholeModel(Model(path_of("deepseek-v3"))), np.arange(9)
    own = model.run(tokens)
    ids = [routing.ids for routing in own.routings]
    np.testing.assert_array_equal(model.run(tokens, experts=ids).logits, own.logits)
    ids[0] = (ids[0] + 1) % 4
    forced = model.run(tokens, experts=ids)
    np.testing.assert_array_equal(forced.routings[0].ids, ids[0])
    np.testing.assert_array_equal(forced.routings[0].margin, own.routings[0].margin)
    assert np.square(forced.logits - own.logits).sum() > 1e-3


@pytest.mark.parametrize("name", REFERENCES)
def test_order_of_rotation_matters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(path_of(name))
    others = () if model.arch in attention.NEIGHBOURS else (model.arch,)
    monkeypatch.setattr(attention, "NEIGHBOURS", others)
    assert change(name, model) > 1e-3


def test_order_of_norm_and_rotation_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "NORM_AFTER_ROTATION", ())
    assert change("hunyuan-moe", Model(path_of("hunyuan-moe"))) > 1e-3


def test_ends_of_yarn_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "RAMPS_BETWEEN_PAIRS", ())
    assert change("gpt-oss", Model(path_of("gpt-oss"))) > 1e-5


def test_clamps_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the limits of gpt-oss would be untested."""
    monkeypatch.setattr(ffn, "SWIGLU_LIMIT", 100.0)
    assert change("gpt-oss", Model(path_of("gpt-oss"))) > 1e-3


# --- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize("neighbours, expected", [
    (True, [[1, 2, 3, 4, 5], [-2, 1, -3, -4, 5], [-1, -2, 3, 4, 5]]),
    (False, [[1, 2, 3, 4, 5], [-3, -2, 1, -4, 5], [-1, 2, -3, 4, 5]]),
])
def test_rotation_by_hand(neighbours: bool, expected: list[list[float]]) -> None:
    """A quarter and a half of a turn for each position; the fifth element stays."""
    x = np.broadcast_to(np.arange(1.0, 6.0), (3, 1, 5))
    rotation = Rotation(np.array([np.pi / 2, np.pi]), neighbours)
    np.testing.assert_allclose(rotation.apply(x, np.arange(3))[:, 0], expected, atol=1e-14)


def test_attention_by_hand() -> None:
    """Two heads share keys: scores log 1, log 2, log 3 give weights 1, 2, 3 over their sum."""
    keys = np.log([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    values = np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    queries = np.ones((3, 2, 1)) * [[1.0], [2.0]]
    whole = attend(queries, keys, values, 1.0)[..., 0]
    np.testing.assert_allclose(whole, [[1, 1], [21 / 3, 41 / 5], [321 / 6, 941 / 14]])
    window = attend(queries, keys, values, 0.5, window=2)[..., 0]
    np.testing.assert_allclose(window[2, 1], (2 * 10 + 3 * 100) / 5)
    sinks = attend(queries, keys, values, 1.0, sinks=np.log([6.0, 14.0]))[..., 0]
    np.testing.assert_allclose(sinks[2], [321 / 12, 941 / 28])
    np.testing.assert_allclose(sinks[0], [1 / 7, 1 / 15])


class Keys(Model):
    """Metadata without a file."""

    def __init__(self, arch: str, **keys: Any) -> None:
        self.arch = arch
        self._keys = {"embedding_length": 32, "attention.head_count": 4} | {
            key.replace("__", "."): value for key, value in keys.items()}
        self._tensors = {}

    def value(self, key: str, default: Any = None) -> Any:
        return self._keys.get(key, default)


def test_frequencies() -> None:
    plain = rotation_of(Keys("qwen3", rope__freq_base=16.0))
    np.testing.assert_allclose(plain.frequencies, [1, 1 / 2, 1 / 4, 1 / 8])
    assert (plain.factor, plain.neighbours) == (1.0, False)
    linear = rotation_of(Keys("llama", rope__freq_base=16.0, rope__scaling__type="linear",
                              rope__scaling__factor=8.0, rope__dimension_count=4))
    np.testing.assert_allclose(linear.frequencies, [1 / 8, 1 / 32])
    assert linear.neighbours


def test_yarn_by_hand() -> None:
    """Pair j turns 2^(2-j) times in the original context. Fast is 4 turns (pair 0), slow 1 / 2
    (pair 3), so pairs 1 and 2 are a third and two thirds slowed down; elsewhere than in gpt-oss,
    ends between pairs go outwards."""
    keys = {"rope__freq_base": 16.0, "rope__scaling__type": "yarn", "rope__scaling__factor": 4.0,
            "rope__scaling__original_context_length": 8 * math.pi,
            "rope__scaling__yarn_beta_fast": 4.0, "rope__scaling__yarn_beta_slow": 0.5}
    expected = [1, (2 / 3 + 1 / 12) / 2, (1 / 3 + 2 / 12) / 4, 1 / 32]
    for arch in ("gpt-oss", "qwen3"):
        rotation = rotation_of(Keys(arch, **keys))
        np.testing.assert_allclose(rotation.frequencies, expected)
        assert rotation.factor == pytest.approx(1 + 0.1 * math.log(4))
    stated = rotation_of(Keys("qwen3", **keys, rope__scaling__yarn_attn_factor=1.25))
    assert stated.factor == 1.25
    keys["rope__scaling__yarn_beta_slow"] = 2**-0.5  # pair 2.5
    between = rotation_of(Keys("gpt-oss", **keys)).frequencies
    np.testing.assert_allclose(between[1:3], [(0.6 + 0.1) / 2, (0.2 + 0.2) / 4])
    np.testing.assert_allclose(rotation_of(Keys("qwen3", **keys)).frequencies, expected)


# --- command line ---------------------------------------------------------------------------------


def test_command_line(tmp_path: Path) -> None:
    expected = reference("mixtral")
    np.save(tmp_path / "tokens.npy", expected["tokens"][1])
    output = tmp_path / "ref.npz"
    arguments = ["--tokens", str(tmp_path / "tokens.npy"), "--output", str(output)]
    assert whole_model.main([str(path_of("mixtral")), *arguments]) == 0
    arrays = np.load(output)
    assert arrays["logits"].shape == (1, 32, 264)
    assert arrays["ids"].shape == (3, 1, 32, 2) and arrays["margins"].shape == (3, 1, 32)
    assert nmse(arrays["logits"][0], expected["logits"][1]) < 1e-26
    assert whole_model.main([str(path_of("qwen2")), *arguments]) == 0
    assert list(np.load(output)) == ["logits"]


@pytest.mark.parametrize("tokens, message", [
    ([0, 264], "tokens must be one row of ids below 264"),
    ([-1], "tokens must be one row of ids below 264"),
    ([[[0]]], "tokens must be one row of ids below 264"),
    ([], "there are no tokens"),
])
def test_wrong_tokens(tokens: list[Any], message: str, tmp_path: Path,
                      capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "tokens.npy", np.array(tokens, np.int32))
    assert whole_model.main([str(path_of("qwen2")), "--tokens", str(tmp_path / "tokens.npy"),
                             "--output", str(tmp_path / "ref.npz")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "ref.npz").exists()


def test_absent_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert whole_model.main([str(path_of("qwen2")), "--tokens", "absent.npy", "--output",
                             str(tmp_path / "ref.npz")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_unknown_scaling() -> None:
    with pytest.raises(ValueError, match="no reference for rope.scaling.type 'longrope'"):
        rotation_of(Keys("qwen3", rope__scaling__type="longrope"))
