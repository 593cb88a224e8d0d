"""scripts/benchmark.py: its data, its routings, its graph, its report; no GPU is needed."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

import benchmark
from moe_benchmark import layers, picture, report
from moe_benchmark.graph import module_text, needs_rotation, steps_of
from moe_benchmark.layers import BLOCKS, Layer, load_layers, parse_types
from moe_benchmark.points import Ceilings, Point, known_ceilings, read_points
from moe_benchmark.routing import make_routing
from moe_benchmark.runner import call, write_inputs
from presets import FALLBACK, PRESETS
from quantizers import type_name

BIN = Path(os.environ.get("SORTIE_BIN",
                          layers.DATA.parents[1] / "build" / "release" / "bin")).absolute()
TINY = {"hidden": 512, "width": 256, "experts": 16, "used": 2, "types": ["q4_K"], "source": "none",
        "biases": True, "activation": "kind(swiglu_clamped) alpha(1.702) limit(7.0)"}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layer:
    """Lets the benchmark know one small layer instead of the public ones."""
    for file in layers.DATA.glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "layers.json").write_text(json.dumps({"tiny": TINY}))
    for module in (layers, report):
        monkeypatch.setattr(module, "DATA", tmp_path)
    return load_layers()["tiny"]


def point(**changes: object) -> Point:
    """A point of qwen3-30b-a3b on an H100."""
    values = dict(layer="qwen3-30b-a3b", types="q4_K", activations="int16", routing="uniform",
                  tokens=1, steps=13, experts=8.0, expert_bytes=2_654_208, operations=75_497_472,
                  device="cuda:0 (NVIDIA H100)", us=13.0, p10_us=12.0, p90_us=14.0, runs=10)
    return Point(**values | changes)


# --- data -----------------------------------------------------------------------------------------


def test_blocks_and_fallbacks_are_those_of_gguf() -> None:
    sizes = {type_name(key): tuple(value) for key, value in gguf.GGML_QUANT_SIZES.items()}
    assert BLOCKS == {name: sizes[name] for name in BLOCKS}
    assert layers.FALLBACK == {type_name(wanted): type_name(taken)
                               for wanted, taken in FALLBACK.items()
                               if type_name(wanted) in BLOCKS}


def test_layers_are_those_of_the_models() -> None:
    known = load_layers()
    assert list(known) == ["qwen3-30b-a3b", "deepseek-v2-lite", "deepseek-v3", "mixtral-8x7b",
                           "gpt-oss-120b", "kimi-k2"]
    for layer in known.values():
        assert layer.types and all(parse_types(types, layer) for types in layer.types)
        if layer.name in PRESETS:
            preset = PRESETS[layer.name]
            assert (layer.hidden, layer.width, layer.experts, layer.used) == (
                preset.hidden, preset.expert_width, preset.experts, preset.used)


def test_types_fall_back_where_rows_do_not_fit() -> None:
    lite = load_layers()["deepseek-v2-lite"]
    types = parse_types("Q4_k_M", lite)
    assert (types.name, types.gate, types.down) == ("q4_K_m", "q4_K", "q8_0")
    expected = 2 * 1408 * 2048 // 256 * 144 + 2048 * 1408 // 32 * 34
    assert types.expert_bytes(lite) == expected
    for text in ("q9_K", "q4_K:q4_K_m", "q4_K:q6_K:q6_K", ""):
        with pytest.raises(ValueError, match="unknown type"):
            parse_types(text, lite)


def test_baselines_are_complete() -> None:
    known = report.read_baselines(layers.DATA / "baselines-h100.json")
    assert set(known.us) == {"qwen3-30b-a3b", "mixtral-8x7b", "deepseek-v3"}
    for columns in known.us.values():
        assert set(columns) <= set(known.columns)
        assert all(list(times) == benchmark.TOKENS for times in columns.values())
    assert known.us["deepseek-v3"]["ggml q4_K"][8192] == 50954
    assert [found.date for found in report.baselines_for("cuda:0 (NVIDIA H100 80GB HBM3)")] == [
        "2026-11-24"]
    assert report.baselines_for("cpu") == []


# --- routing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["uniform", "zipf"])
def test_routing_has_distinct_experts(kind: str) -> None:
    layer = load_layers()["qwen3-30b-a3b"]
    routing = make_routing(layer, 64, kind, 3)
    assert routing.ids.shape == routing.weights.shape == (3, 64, 8)
    assert routing.ids.dtype == np.int32 and routing.weights.dtype == np.float32
    ordered = np.sort(routing.ids, axis=-1)
    assert (ordered[..., 1:] > ordered[..., :-1]).all()
    assert ordered.min() >= 0 and ordered.max() < layer.experts
    assert np.allclose(routing.weights.sum(axis=-1), 1)
    assert np.array_equal(routing.ids, make_routing(layer, 64, kind, 3).ids)


def test_expected_experts_are_what_is_drawn() -> None:
    layer = load_layers()["qwen3-30b-a3b"]
    routing = make_routing(layer, 16, "uniform", 50)
    drawn = np.mean([len(np.unique(ids)) for ids in routing.ids])
    assert routing.experts == pytest.approx(128 * (1 - (120 / 128) ** 16))
    assert drawn == pytest.approx(routing.experts, rel=0.02)


def test_zipf_is_skewed() -> None:
    layer = load_layers()["qwen3-30b-a3b"]
    most = {kind: np.bincount(make_routing(layer, 512, kind, 1).ids.ravel()).max()
            for kind in ("uniform", "zipf")}
    assert most["zipf"] > 5 * most["uniform"]


def test_an_expert_comes_back_as_late_as_possible() -> None:
    layer = load_layers()["qwen3-30b-a3b"]
    ids = make_routing(layer, 1, "uniform", 16).ids
    assert len(np.unique(ids)) == 128, "16 steps of 8 experts use all 128"


def test_rotation_is_past_the_cache() -> None:
    for layer in load_layers().values():
        for name in layer.types:
            types = parse_types(name, layer)
            steps = steps_of(layer, types)
            read = min(layer.experts, steps * layer.used) * types.expert_bytes(layer)
            assert read >= 2 * 60 << 20, "twice the largest L2 (H200)"
            assert not needs_rotation(layer, types, layer.experts)


# --- graph ----------------------------------------------------------------------------------------


def test_a_step_of_rotated_is_once(tiny: Layer, tmp_path: Path) -> None:
    """Every output of `rotated` has the bits of `once` on the same inputs."""
    types = parse_types("q4_K", tiny)
    steps = steps_of(tiny, types)
    assert steps == 8
    text, program = tmp_path / "a.mlir", tmp_path / "a.mlirbc"
    text.write_text(module_text(tiny, types))
    call([BIN / "sortie-opt", text, "--sortie-compile=target=cpu", "--emit-bytecode", "-o",
          program])
    routing = make_routing(tiny, 5, "uniform", steps)
    random_x = [f"--input=x{step}=" for step in range(steps)]
    inputs = [argument for argument in write_inputs(tmp_path, 5, routing, 1)
              if not argument.startswith(tuple(random_x))]
    rng = np.random.default_rng(1)
    for step in range(steps):
        np.save(tmp_path / f"x{step}.npy", rng.standard_normal((5, tiny.hidden), dtype=np.float32))
        inputs += [f"{random_x[step]}{tmp_path}/x{step}.npy",
                   f"--output=y{step}={tmp_path}/y{step}.npy"]
    run = [BIN / "sortie-run", program, "--weights", "random:seed=1"]
    call([*run, "--function", "rotated", *inputs])
    for step in range(steps):
        files = [f"--input={name}0={tmp_path}/{name}{step}.npy" for name in ("x", "ids", "weights")]
        call([*run, "--function", "once", *files, f"--output={tmp_path}/y.npy"])
        expected, actual = np.load(tmp_path / "y.npy"), np.load(tmp_path / f"y{step}.npy")
        assert np.abs(expected).max() > 0
        assert np.array_equal(actual, expected), f"step {step}"


# --- running --------------------------------------------------------------------------------------


def test_end_to_end(tiny: Layer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compile, run and report on the CPU; a second run measures nothing again."""
    programs, results = tmp_path / "programs", tmp_path / "out.json"
    common = ["--bin", str(BIN), "--types", "q4_K,q8_0:bf16", "--activations", "int16,int8"]
    assert benchmark.main([*common, "--compile-only", str(programs)]) == 0
    assert len(list(programs.iterdir())) == 4
    arguments = [*common, "--run-only", str(programs), "--tokens", "1,40", "--json", str(results),
                 "--resume", "--routing", "uniform,zipf", "--ceilings", "0.01,0.1",
                 "--run-argument=--benchmark-runs=2", "--picture", str(tmp_path / "roof")]
    assert benchmark.main(arguments) == 0
    first = read_points(results)
    assert len(first) == 16 and all(found.us > 0 for found in first)
    assert {found.steps for found in first} == {8}
    table = capsys.readouterr().out
    assert "tiny, q8_0:bf16, int8 activations, zipf routing, cpu, sortie-run" in table
    assert all(name in (tmp_path / "roof.svg").read_text() for name in ("memory", "40: "))
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")
    assert benchmark.main(arguments) == 0
    assert read_points(results) == first


def test_tools_of_the_current_folder(tiny: Layer, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """`--bin .` is that folder, not PATH."""
    monkeypatch.chdir(BIN)
    arguments = ["--bin", ".", "--tokens", "1", "--run-argument=--benchmark-runs=2"]
    assert benchmark.main(arguments) == 0


def fake_command(folder: Path, script: str) -> str:
    path = folder / "fake.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_external_command_and_failures(tiny: Layer, tmp_path: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    """What does not work is named, counted and tried again; the rest is kept."""
    command = fake_command(tmp_path, '[ "$1" = 2 ] && { echo "no memory" >&2; exit 3; }\n'
                           'echo "{\\"device\\": \\"abacus\\", \\"median_ns\\": ${1}000, '
                           '\\"p10_ns\\": 1, \\"p90_ns\\": 2, \\"runs\\": 7}"')
    results = tmp_path / "out.json"
    arguments = ["--run-only", str(tmp_path), "--tokens", "1,2,4", "--json", str(results),
                 "--external", f"fake={command} {{tokens}} {{hidden}}"]
    assert benchmark.main(arguments) == 1
    assert [(found.source, found.tokens, found.us) for found in read_points(results)] == [
        ("fake", 1, 1.0), ("fake", 4, 4.0)]
    failures = json.loads(results.read_text())["failures"]
    assert len(failures) == 4 and sum("no memory" in failure for failure in failures) == 1
    assert "make it with --compile-only" in capsys.readouterr().out
    assert benchmark.main([*arguments, "--seconds", "1e-9"]) == 1
    assert json.loads(results.read_text())["left"] == 6


def test_output_that_is_no_result(tiny: Layer, tmp_path: Path,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    command = fake_command(tmp_path, "echo '{\"median_ns\": 3}'")
    arguments = ["--run-only", str(tmp_path), "--tokens", "1", "--external", f"fake={command}"]
    assert benchmark.main(arguments) == 1
    assert "printed no JSON with device, runs" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, message", [
    (["--layer", "qwen4"], "--layer: unknown qwen4; known are qwen3-30b-a3b"),
    (["--tokens", "1,many"], "--tokens takes numbers"),
    (["--tokens", "9000"], "--tokens must be 1 to 8192"),
    (["--resume"], "--resume needs --json"),
    (["--compile-only", "a", "--run-only", "a"], "exclude each other"),
    (["--external", "x"], "give NAME=COMMAND"),
])
def test_wrong_arguments(arguments: list[str], message: str,
                         capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(arguments)
    assert message in capsys.readouterr().err


# --- report ---------------------------------------------------------------------------------------


def test_numbers_of_a_point() -> None:
    one = point()
    assert one.tb_per_s == pytest.approx(8 * 2_654_208 / 13e-6 * 1e-12)
    assert one.tops == pytest.approx(75_497_472 / 13e-6 * 1e-12)
    ceilings = Ceilings(3.0, 800.0, "somebody")
    assert ceilings.bound(one) == ("memory", pytest.approx(7.0779, rel=1e-4))
    assert ceilings.bound(point(operations=10**10))[0] == "arithmetic"
    assert known_ceilings("cuda:0 (NVIDIA H100 80GB HBM3)").read_tb_per_s == 3.02
    assert known_ceilings("cpu") is None


def test_report_has_ratios_means_and_the_worst() -> None:
    points = [point(), point(tokens=2, us=57.0, baselines={"grouped_mm": 28.5}),
              point(tokens=2, us=1.0, routing="zipf")]
    baselines = report.baselines_for(points[0].device)
    out = io.StringIO()
    report.print_report(points, baselines, None, out)
    text = out.getvalue()
    first = next(line for line in text.splitlines() if line.split()[:1] == ["1"])
    assert first.split()[4:6] == ["2.00", "2.00"], "26 us of ggml over 13 us"
    assert ("ggml q4_0: 1.41 times as fast in the geometric mean of 2 points, least 1.00 "
            "(qwen3-30b-a3b, q4_K, 2 tokens)") in text, "zipf points are not compared"
    assert "grouped_mm *: 0.50 times as fast in the geometric mean of 1 points" in text


# --- pictures -------------------------------------------------------------------------------------


def crowd() -> list[Point]:
    """Five programs whose points lie almost on each other: no place for all of their labels."""
    return [point(tokens=tokens, types=types, experts=min(8.0 * tokens, 128.0),
                  operations=75_497_472 * tokens, us=(13.0 + tokens) * (1 + shift / 50))
            for shift, types in enumerate(["q4_K", "q4_0", "q5_K", "q4_K_m", "mxfp4"])
            for tokens in benchmark.TOKENS]


def boxes(axes: Any) -> list[Any]:
    """Where the texts of a panel are, in pixels."""
    return [text.get_window_extent() for text in axes.texts]


def test_pictures_name_the_bounds_and_the_baselines(tmp_path: Path) -> None:
    points = [point(), point(tokens=8192, operations=618_475_290_624, us=2000.0, experts=128.0,
                             baselines={"grouped_mm": 1500.0})]
    files = picture.draw(points, report.baselines_for(points[0].device),
                         Ceilings(3.02, 800.0, "somebody"), tmp_path / "v1.5")
    assert [file.name for file in files] == ["v1.5.png", "v1.5.svg", "v1.5-times.png",
                                             "v1.5-times.svg"]
    roof, times = files[1].read_text(), files[3].read_text()
    assert "1: 54% memory" in roof and "8192: 39% arithmetic" in roof
    assert all(name in times for name in ("ggml q4_K", "marlin int4", "grouped_mm *", "2026-11-24",
                                          "sortie-run, q4_K, int16, uniform"))


def test_times_are_those_that_were_recorded() -> None:
    points = [point(tokens=tokens, us=10.0 * tokens) for tokens in (4, 1, 2)]
    baselines = report.baselines_for(points[0].device)
    lines = {line.get_label(): list(map(tuple, line.get_xydata()))
             for line in picture.times(points, baselines).axes[0].lines}
    assert lines["sortie-run, q4_K, int16, uniform"] == [(1, 10), (2, 20), (4, 40)]
    assert lines["ggml q4_K"] == [(1, 26), (2, 59), (4, 108)]
    zipf = [point(routing="zipf")]
    assert len(picture.times(zipf, baselines).axes[0].lines) == 1, "baselines are uniform"


def test_labels_cover_nothing() -> None:
    ceilings = Ceilings(3.02, 800.0, "somebody")
    points = crowd()
    for figure in (picture.roofline(points, ceilings),
                   picture.times(points, report.baselines_for(points[0].device))):
        axes = figure.axes[0]
        legend = axes.get_legend().get_window_extent()
        found = boxes(axes)
        assert len(found) >= 4
        for index, box in enumerate(found):
            assert not any(box.overlaps(other) for other in [legend, *found[:index]])
        markers = [place for line in axes.lines if line.get_marker() not in ("None", None)
                   for place in axes.transData.transform(line.get_xydata())]
        labels = [box for box, text in zip(found, axes.texts) if text.get_fontsize() == 6]
        assert not any(box.contains(*place) for box in labels for place in markers)


def test_the_ends_are_labelled_first() -> None:
    assert picture.by_importance([1]) == [1]
    assert picture.by_importance(list(range(5))) == [0, 4, 2, 1, 3]
    assert sorted(picture.by_importance(list(range(14)))) == list(range(14))
    texts = [text.get_text() for text in
             picture.roofline([one for one in crowd() if one.types == "q4_K"],
                              Ceilings(3.02, 800.0, "somebody")).axes[0].texts]
    assert any(text.startswith("1: ") for text in texts)
    assert any(text.startswith("8192: ") for text in texts)
