"""The written files, as the gguf package reads them."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

import make_gguf
from presets import PRESETS, USUAL_TYPES, VALID_TYPES, layer_tensors, parse_types, scaled
from quantizers import block_size

each_preset = pytest.mark.parametrize("name", PRESETS)


def write(folder: Path, name: str, types: str = "q4_0", **options: Any) -> list[Path]:
    """Writes a small model of the preset."""
    shape = {"layers": 2, "divisor": 32, "experts": 16}
    shape |= {key: options.pop(key) for key in list(options) if key in shape}
    preset = scaled(PRESETS[name], **shape)
    return make_gguf.write_model(folder / "model.gguf", preset, parse_types(types), **options)


def contents(path: Path) -> dict[str, Any]:
    return {key: field.contents() for key, field in gguf.GGUFReader(path).fields.items()}


def tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def known_keys() -> set[str]:
    """All keys of the gguf package, `{arch}` in place of the architecture."""
    groups = [group for group in vars(gguf.Keys).values() if isinstance(group, type)]
    return {key for group in groups for key in vars(group).values() if isinstance(key, str)}


@each_preset
def test_keys_are_those_of_the_format(name: str, tmp_path: Path) -> None:
    (path,) = write(tmp_path, name)
    arch = PRESETS[name].arch
    keys = [key.replace(f"{arch}.", "{arch}.", 1) for key in contents(path)
            if not key.startswith("GGUF.")]
    assert set(keys) <= known_keys()
    assert "{arch}.embedding_length" in keys


@each_preset
def test_tensor_names_are_those_of_the_architecture(name: str, tmp_path: Path) -> None:
    archs = {arch_name: arch for arch, arch_name in gguf.MODEL_ARCH_NAMES.items()}
    known = gguf.MODEL_TENSORS[archs[PRESETS[name].arch]]
    allowed = {gguf.TENSOR_NAMES[tensor] for tensor in known}
    (path,) = write(tmp_path, name)
    for tensor in tensors(path):
        stem, suffix = tensor.rsplit(".", 1)
        number = stem.split(".")[1]
        assert stem.replace(f"blk.{number}.", "blk.{bid}.") in allowed
        assert suffix in ("weight", "bias")


#: Of layer 1 (3 for deepseek-v3) of the real models, in NumPy's order.
REAL_SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "qwen3-30b-a3b": {
        "ffn_norm.weight": (2048,), "ffn_gate_inp.weight": (128, 2048),
        "ffn_gate_exps.weight": (128, 768, 2048), "ffn_up_exps.weight": (128, 768, 2048),
        "ffn_down_exps.weight": (128, 2048, 768),
    },
    "qwen1.5-moe-a2.7b": {
        "ffn_norm.weight": (2048,), "ffn_gate_inp.weight": (60, 2048),
        "ffn_gate_exps.weight": (60, 1408, 2048), "ffn_up_exps.weight": (60, 1408, 2048),
        "ffn_down_exps.weight": (60, 2048, 1408), "ffn_gate_inp_shexp.weight": (2048,),
        "ffn_gate_shexp.weight": (5632, 2048), "ffn_up_shexp.weight": (5632, 2048),
        "ffn_down_shexp.weight": (2048, 5632),
    },
    "olmoe-1b-7b": {
        "ffn_norm.weight": (2048,), "ffn_gate_inp.weight": (64, 2048),
        "ffn_gate_exps.weight": (64, 1024, 2048), "ffn_up_exps.weight": (64, 1024, 2048),
        "ffn_down_exps.weight": (64, 2048, 1024),
    },
    "mixtral-8x7b": {
        "ffn_norm.weight": (4096,), "ffn_gate_inp.weight": (8, 4096),
        "ffn_gate_exps.weight": (8, 14336, 4096), "ffn_up_exps.weight": (8, 14336, 4096),
        "ffn_down_exps.weight": (8, 4096, 14336),
    },
    "deepseek-v2-lite": {
        "ffn_norm.weight": (2048,), "ffn_gate_inp.weight": (64, 2048),
        "ffn_gate_exps.weight": (64, 1408, 2048), "ffn_up_exps.weight": (64, 1408, 2048),
        "ffn_down_exps.weight": (64, 2048, 1408),
        "ffn_gate_shexp.weight": (2816, 2048), "ffn_up_shexp.weight": (2816, 2048),
        "ffn_down_shexp.weight": (2048, 2816),
    },
    "deepseek-v2": {
        "ffn_norm.weight": (5120,), "ffn_gate_inp.weight": (160, 5120),
        "ffn_gate_exps.weight": (160, 1536, 5120), "ffn_up_exps.weight": (160, 1536, 5120),
        "ffn_down_exps.weight": (160, 5120, 1536),
        "ffn_gate_shexp.weight": (3072, 5120), "ffn_up_shexp.weight": (3072, 5120),
        "ffn_down_shexp.weight": (5120, 3072),
    },
    "deepseek-v3": {
        "ffn_norm.weight": (7168,), "ffn_gate_inp.weight": (256, 7168),
        "exp_probs_b.bias": (256,),
        "ffn_gate_exps.weight": (256, 2048, 7168), "ffn_up_exps.weight": (256, 2048, 7168),
        "ffn_down_exps.weight": (256, 7168, 2048),
        "ffn_gate_shexp.weight": (2048, 7168), "ffn_up_shexp.weight": (2048, 7168),
        "ffn_down_shexp.weight": (7168, 2048),
    },
    "gpt-oss-20b": {
        "post_attention_norm.weight": (2880,),
        "ffn_gate_inp.weight": (32, 2880), "ffn_gate_inp.bias": (32,),
        "ffn_gate_exps.weight": (32, 2880, 2880), "ffn_gate_exps.bias": (32, 2880),
        "ffn_up_exps.weight": (32, 2880, 2880), "ffn_up_exps.bias": (32, 2880),
        "ffn_down_exps.weight": (32, 2880, 2880), "ffn_down_exps.bias": (32, 2880),
    },
    "glm-4.5-air": {
        "post_attention_norm.weight": (4096,), "ffn_gate_inp.weight": (128, 4096),
        "exp_probs_b.bias": (128,),
        "ffn_gate_exps.weight": (128, 1408, 4096), "ffn_up_exps.weight": (128, 1408, 4096),
        "ffn_down_exps.weight": (128, 4096, 1408),
        "ffn_gate_shexp.weight": (1408, 4096), "ffn_up_shexp.weight": (1408, 4096),
        "ffn_down_shexp.weight": (4096, 1408),
    },
}


@each_preset
def test_header_only_has_the_real_shapes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    assert make_gguf.main([name, "--header-only", "--layers", "4", "-o", str(path)]) == 0
    layer = 3
    found = {tensor.name.removeprefix(f"blk.{layer}."): tuple(int(n) for n in tensor.shape[::-1])
             for tensor in tensors(path).values() if tensor.name.startswith(f"blk.{layer}.")}
    assert found == REAL_SHAPES[name]
    assert path.stat().st_blocks * 512 < 1 << 20 < path.stat().st_size


def test_real_values_of_deepseek_v3(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    assert make_gguf.main(["deepseek-v3", "--header-only", "--layers", "0", "-o", str(path)]) == 0
    found = contents(path)
    expected = {
        "general.architecture": "deepseek2", "deepseek2.block_count": 61,
        "deepseek2.leading_dense_block_count": 3, "deepseek2.embedding_length": 7168,
        "deepseek2.feed_forward_length": 18432, "deepseek2.expert_feed_forward_length": 2048,
        "deepseek2.expert_count": 256, "deepseek2.expert_used_count": 8,
        "deepseek2.expert_shared_count": 1, "deepseek2.expert_weights_scale": 2.5,
        "deepseek2.expert_weights_norm": True, "deepseek2.expert_gating_func": 2,
        "deepseek2.expert_group_count": 8, "deepseek2.expert_group_used_count": 4,
    }
    assert {key: found[key] for key in expected} == expected
    assert tensors(path)["blk.2.ffn_down.weight"].shape.tolist() == [18432, 7168]


@each_preset
@pytest.mark.parametrize("types", ["q4_k_m", "mxfp4", "bf16"])
def test_contents(name: str, types: str, tmp_path: Path) -> None:
    """Values have the statistics the file promises; nothing is zero or not finite."""
    (path,) = write(tmp_path, name, types)
    for tensor in tensors(path).values():
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.isfinite(values).all() and values.std() > 0, tensor.name
        if "norm" in tensor.name:
            assert abs(values.mean() - 1) < 0.1, tensor.name
        elif "_exps.weight" in tensor.name:
            gain = values.std() * np.sqrt(values.shape[-1])
            assert abs(gain - (1 if "down" in tensor.name else PRESETS[name].gain)) < 0.05 * gain


def test_random_raw_matches_the_statistics(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "qwen3-30b-a3b", "q4_k_m", random_raw=True)
    for tensor in tensors(path).values():
        if "_exps" in tensor.name:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            assert abs(values.std() * np.sqrt(values.shape[-1]) - 1) < 0.15


def test_bytes_depend_on_the_seed_alone(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    (first,) = write(one, "gpt-oss-20b", "mxfp4", seed=7)
    (second,) = write(two, "gpt-oss-20b", "mxfp4", seed=7)
    (third,) = write(other, "gpt-oss-20b", "mxfp4", seed=8)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != third.read_bytes()


def test_a_layer_is_the_same_in_a_deeper_model(tmp_path: Path) -> None:
    (shallow,) = write(tmp_path / "a", "qwen3-30b-a3b", layers=1)
    (deep,) = write(tmp_path / "b", "qwen3-30b-a3b", layers=3)
    deep_tensors = tensors(deep)
    for name, tensor in tensors(shallow).items():
        np.testing.assert_array_equal(tensor.data, deep_tensors[name].data)
    first = deep_tensors["blk.0.ffn_up_exps.weight"].data
    assert not np.array_equal(first, deep_tensors["blk.1.ffn_up_exps.weight"].data)


@pytest.mark.parametrize("header_only", [False, True])
def test_split(header_only: bool, tmp_path: Path) -> None:
    (whole,) = write(tmp_path / "whole", "deepseek-v3", header_only=header_only)
    parts = write(tmp_path / "parts", "deepseek-v3", header_only=header_only, parts=4)
    assert [part.name for part in parts] == [f"model-0000{i}-of-00004.gguf" for i in (1, 2, 3, 4)]
    expected = tensors(whole)
    found: dict[str, gguf.ReaderTensor] = {}
    for number, part in enumerate(parts):
        keys = contents(part)
        assert keys["split.no"] == number and keys["split.count"] == 4
        assert keys["split.tensors.count"] == len(expected)
        assert ("deepseek2.block_count" in keys) == (number == 0)
        in_part = tensors(part)
        assert in_part
        found |= in_part
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(tensor.data, found[name].data)


def test_cannot_split_into_more_parts_than_tensors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="10 tensors cannot be split into 11 files"):
        write(tmp_path, "qwen3-30b-a3b", parts=11)
    assert not list(tmp_path.iterdir())


def test_no_file_appears_when_writing_fails(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(make_gguf, "tensor_bytes", fail)
    path = tmp_path / "model.gguf"
    arguments = ["olmoe-1b-7b", "--divide", "32", "-o", str(path)]
    assert make_gguf.main(arguments) == 1
    assert not list(tmp_path.iterdir())


@each_preset
@pytest.mark.parametrize("divisor", [1, 2, 4, 5, 8, 16, 32])
def test_divided_widths_take_the_same_types(name: str, divisor: int) -> None:
    full, small = PRESETS[name], scaled(PRESETS[name], divisor=divisor)
    for attribute in ("hidden", "expert_width", "dense_width"):
        before, after = getattr(full, attribute), getattr(small, attribute)
        assert after % 32 == 0 and (before % 256 == 0) == (after % 256 == 0)
        assert before / divisor <= after <= before / divisor + 256
        assert divisor > 1 or after == before


def test_awkward_widths_of_the_issue() -> None:
    assert scaled(PRESETS["deepseek-v2-lite"], divisor=4).expert_width == 352
    assert scaled(PRESETS["gpt-oss-20b"], divisor=7).hidden == 416


@pytest.mark.parametrize("name, shape, message", [
    ("deepseek-v3", {"experts": 60}, "cannot route to 8 of 60"),
    ("deepseek-v3", {"experts": 8}, "cannot route to 8 of 8"),
    ("mixtral-8x7b", {"experts": 1}, "cannot route to 2 of 1"),
    ("mixtral-8x7b", {"dense_layers": 1}, "cannot have 1 of 32 layers dense"),
    ("mixtral-8x7b", {"divisor": 0}, "must be at least 1"),
    ("mixtral-8x7b", {"layers": -1}, "must be at least 1"),
])
def test_impossible_shapes(name: str, shape: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scaled(PRESETS[name], **shape)


@pytest.mark.parametrize("layers, dense", [(1, 0), (2, 1), (4, 3), (61, 3)])
def test_one_layer_has_experts(layers: int, dense: int) -> None:
    assert scaled(PRESETS["deepseek-v3"], layers=layers).dense_layers == dense


@each_preset
def test_valid_types_fit_their_rows(name: str) -> None:
    preset = PRESETS[name]
    assert set(USUAL_TYPES[name]) <= set(VALID_TYPES[name])
    for text in VALID_TYPES[name]:
        for layer in (0, preset.dense_layers):
            for spec in layer_tensors(preset, layer, parse_types(text)):
                assert spec.shape[-1] % block_size(spec.type) == 0


def test_types_of_256_do_not_fit_gpt_oss() -> None:
    assert not {"q4_k", "q4_k_m", "q6_k", "iq4_xs"} & set(VALID_TYPES["gpt-oss-20b"])
    assert {"q4_k", "iq4_xs", "q4_k_m", "mxfp4"} <= set(VALID_TYPES["deepseek-v2-lite"])


@pytest.mark.parametrize("text, name, expected", [
    ("q4_k_m", "qwen3-30b-a3b", (Type.Q4_K, Type.Q4_K, Type.Q6_K)),
    ("q4_k_m", "deepseek-v2-lite", (Type.Q4_K, Type.Q4_K, Type.Q8_0)),
    ("iq4_xs", "deepseek-v2-lite", (Type.IQ4_XS, Type.IQ4_XS, Type.IQ4_NL)),
    ("q4_k:q5_k", "mixtral-8x7b", (Type.Q4_K, Type.Q4_K, Type.Q5_K)),
    ("Q8_0:Q4_0:F16", "mixtral-8x7b", (Type.Q8_0, Type.Q4_0, Type.F16)),
])
def test_type_of_each_matrix(text: str, name: str, expected: tuple[Type, ...]) -> None:
    specs = layer_tensors(PRESETS[name], PRESETS[name].dense_layers, parse_types(text))
    assert tuple(spec.type for spec in specs if "_exps.weight" in spec.name) == expected


def test_mxfp4_is_for_routed_experts() -> None:
    specs = layer_tensors(PRESETS["deepseek-v3"], 3, parse_types("mxfp4"))
    types = {spec.name: spec.type for spec in specs}
    assert types["blk.3.ffn_up_exps.weight"] == Type.MXFP4
    assert types["blk.3.ffn_up_shexp.weight"] == Type.Q8_0


@pytest.mark.parametrize("text", ["q9_0", "q4_0:", "q4_0:q4_0:q4_0:q4_0", "iq2_xs", ""])
def test_unknown_type(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.gguf"
    assert make_gguf.main(["olmoe-1b-7b", "--type", text, "-o", str(path)]) == 1
    assert f"unknown type '{text}'; known are f32" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_activations(tmp_path: Path) -> None:
    arguments = ["gpt-oss-20b", "--divide", "8", "--tokens", "200", "--seed", "4"]
    plain, outliers = tmp_path / "plain.npy", tmp_path / "outliers.npy"
    assert make_gguf.main([*arguments, "--activations", str(plain)]) == 0
    assert make_gguf.main([*arguments, "--outliers", "--activations", str(outliers)]) == 0
    x, y = np.load(plain), np.load(outliers)
    assert x.shape == y.shape == (200, 384) and x.dtype == y.dtype == np.float32
    ratio = np.sqrt(np.mean(y**2, axis=0) / np.mean(x**2, axis=0))
    assert np.sum(np.abs(ratio - 30) < 1e-3) == 16
    assert np.sum(ratio == 1) == 384 - 16


def test_no_tokens(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    assert make_gguf.main(["olmoe-1b-7b", "--tokens", "0", "--activations", str(path)]) == 0
    assert np.load(path).shape == (0, 2048)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_gguf.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + sum(len(names) for names in VALID_TYPES.values())
    assert "deepseek-v2-lite  q4_k_m   yes    q4_K      q8_0    q6_K         q8_0" in lines


@pytest.mark.parametrize("arguments", [
    [], ["olmoe-1b-7b"], ["no-such-model", "-o", "x.gguf"],
    ["olmoe-1b-7b", "-o", "x.gguf", "--router-skew", "1.5"],
    ["olmoe-1b-7b", "-o", "x.gguf", "--tokens", "-1"],
])
def test_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        make_gguf.main(arguments)
    assert error.value.code == 2
