"""`sortie-translate --hash-weights` and `sortie-run --verify-weights[=full]`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from layouts import LAYOUTS, write_in_layout
from make_gguf import write_model
from model_hashes import tensor_hash
from presets import PRESETS, parse_types, scaled
from rewrite_gguf import rewrite_model
from tools import ToolError, Tools

GATE, DOWN = "blk.0.ffn_gate_exps.weight", "blk.0.ffn_down_exps.weight"
HALF_NAN, HALF_INFINITY = b"\x00\x7e", b"\x00\xfc"


@pytest.fixture(scope="module")
def model(make_model: Callable) -> Path:
    return make_model("qwen3-30b-a3b", "q4_k_m", experts=8).path


def compiled(tools: Tools, model: Path, folder: Path, *options: str) -> Path:
    """The program of a model, by default with hashes."""
    module, program = folder / "program.mlir", folder / "program.mlirbc"
    tools.call("sortie-translate", "--import-gguf", "--what=ffn", model,
               *(options or ["--hash-weights"]), "-o", module)
    tools.call("sortie-opt", module, "--sortie-compile", "--emit-bytecode", "-o", program)
    return program


def verify(tools: Tools, program: Path, model: Path, *options: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = subprocess.run([tools.bin / "sortie-run", program, f"--weights={model}",
                           *(options or ["--verify-weights"])],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def findings(tools: Tools, program: Path, model: Path, mode: str = "") -> list[dict]:
    option = f"--verify-weights={mode}" if mode else "--verify-weights"
    code, out, _ = verify(tools, program, model, option, "--verify-format=json")
    report = json.loads(out)
    assert code == (1 if report["findings"] else 0)
    assert report["checks_values"] == bool(mode)
    return report["findings"]


def changed(model: Path, target: Path, tensor: str, changes: dict[int, bytes]) -> Path:
    """A copy of the model with bytes of a tensor replaced, by their offset in it."""
    found = next(t for t in gguf.GGUFReader(model).tensors if t.name == tensor)
    shutil.copy(model, target)
    with target.open("r+b") as file:
        for offset, value in changes.items():
            file.seek(int(found.data_offset) + offset)
            file.write(value)
    return target


def test_hashes_are_what_the_documentation_states(tools: Tools, model: Path) -> None:
    module = tools.call("sortie-translate", "--import-gguf", "--what=ffn", model, "--hash-weights")
    recorded = dict(re.findall(r'(blk\.0\.[\w.]+) = "([0-9a-f]{32})"', module))
    named = set(re.findall(r'moe\.weight "([^"]*)"', module))
    assert set(recorded) == named and GATE in named
    data = {t.name: t.data.tobytes() for t in gguf.GGUFReader(model).tensors}
    assert recorded == {name: tensor_hash(data[name]) for name in named}
    assert len(data[GATE]) > 1 << 18


def test_hashes_are_sealed_in_the_program(tools: Tools, model: Path, tmp_path: Path) -> None:
    program = compiled(tools, model, tmp_path)
    code, out, err = verify(tools, program, model)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"5 tensors, [\d.]+ GB, read in [\d.]+ s: 5 compared with recorded hashes; "
                        r"nothing is wrong\n", out)
    assert "hashes of 5 tensors" in tools.call("sortie-run", program, "--describe")
    for thread in ("1", "3"):
        assert verify(tools, program, model, "--verify-weights", f"--threads={thread}")[0] == 0


def test_a_flipped_bit_is_found(tools: Tools, model: Path, tmp_path: Path) -> None:
    """In the middle of a block in the middle of an expert: nothing else would notice."""
    program = compiled(tools, model, tmp_path)
    size = next(t for t in gguf.GGUFReader(model).tensors if t.name == DOWN).n_bytes
    at = int(size) // 3
    original = next(t for t in gguf.GGUFReader(model).tensors if t.name == DOWN).data.tobytes()
    damaged = changed(model, tmp_path / "damaged.gguf", DOWN, {at: bytes([original[at] ^ 16])})
    x = np.zeros((1, 256), np.float32)
    tools.run(program, damaged, "blk_0_ffn", x)  # the fingerprint does not see it
    found = findings(tools, program, damaged)
    assert [(f["kind"], f["tensor"]) for f in found] == [("hash", DOWN)]
    assert tensor_hash(original) in found[0]["message"]
    code, out, err = verify(tools, program, damaged)
    assert code == 1 and out.startswith(f"{DOWN}: its bytes hash to ")
    assert f"tensors at fault: {DOWN}. Download or convert the model again" in err


def test_all_tensors_that_differ_are_listed(tools: Tools, model: Path, tmp_path: Path) -> None:
    program = compiled(tools, model, tmp_path)
    damaged = changed(model, tmp_path / "damaged.gguf", DOWN, {0: b"\1\2\3\4"})
    damaged = changed(damaged, tmp_path / "more.gguf", GATE, {5000: b"\1\2\3\4"})
    found = findings(tools, program, damaged)
    assert [(f["kind"], f.get("tensor")) for f in found] == [
        ("fingerprint", None), ("hash", DOWN), ("hash", GATE)]


def test_other_tensors_are_findings(tools: Tools, model: Path, make_model: Callable,
                                    tmp_path: Path) -> None:
    program = compiled(tools, model, tmp_path)
    other = make_model("qwen3-30b-a3b", "q8_0", experts=8).path
    kinds = {f.get("tensor"): f["kind"] for f in findings(tools, program, other)}
    assert kinds[None] == "fingerprint" and kinds[GATE] == "tensor"
    assert "blk.0.ffn_norm.weight" not in kinds


def test_without_hashes(tools: Tools, model: Path, tmp_path: Path) -> None:
    program = compiled(tools, model, tmp_path, "--layers=0")
    code, out, err = verify(tools, program, model)
    assert (code, out) == (1, "")
    assert "records no hashes of its weights. Import the model with sortie-translate " \
           "--hash-weights" in err
    assert findings(tools, program, model, "full") == []
    code, out, _ = verify(tools, program, model, "--verify-weights=full")
    assert code == 0 and ": 0 compared with recorded hashes, all scales" in out


def test_values_that_are_not_finite(tools: Tools, model: Path, tmp_path: Path) -> None:
    """Q4_K: 144 bytes a block of 256, the scale at 0 and the minimum at 2."""
    program = compiled(tools, model, tmp_path)
    rows = int(next(t for t in gguf.GGUFReader(model).tensors if t.name == GATE).shape[1])
    damaged = changed(model, tmp_path / "damaged.gguf", GATE,
                      {144 * (3 * rows + 17): HALF_NAN, 144 * (5 * rows + 2) + 2: HALF_INFINITY})
    found = findings(tools, program, damaged, "full")
    assert [f["kind"] for f in found] == ["hash", "value", "value"]
    assert [(f["tensor"], f["expert"], f["row"], f["count"], f["message"]) for f in found[1:]] == [
        (GATE, 3, 17, 2, "expert 3, row 17, columns 0 to 255: the scale is NaN"),
        (GATE, 5, 2, 2, "expert 5, row 2, columns 0 to 255: the minimum is infinite")]
    assert [f["kind"] for f in findings(tools, program, damaged)] == ["hash"]
    code, out, _ = verify(tools, program, damaged, "--verify-weights=full")
    assert code == 1
    assert f"{GATE}: 2 scales, minimums or weights are not finite, among them:\n" \
           "  expert 3, row 17, columns 0 to 255: the scale is NaN\n" in out


def test_weights_that_are_not_finite(tools: Tools, model: Path, tmp_path: Path) -> None:
    router = "blk.0.ffn_gate_inp.weight"
    damaged = changed(model, tmp_path / "damaged.gguf", router,
                      {4 * (256 * 2 + i): b"\0\0\xc0\x7f" for i in range(9)})
    program = compiled(tools, model, tmp_path, "--layers=0")
    found = [f for f in findings(tools, program, damaged, "full") if f["kind"] == "value"]
    assert len(found) == 5
    assert all((f["tensor"], f["row"], f["count"]) == (router, 2, 9) and "expert" not in f
               for f in found)
    assert found[4]["message"] == "row 2, column 4: the weight is NaN"


def test_the_scale_of_mxfp4_that_is_no_number(tools: Tools, make_model: Callable,
                                              tmp_path: Path) -> None:
    model = make_model("gpt-oss-20b", "mxfp4", divide=7).path
    program = compiled(tools, model, tmp_path)
    assert findings(tools, program, model, "full") == []
    # Level code 6 stands for 8 halves, and 4 x 2^127 is past the largest float.
    damaged = changed(model, tmp_path / "damaged.gguf", GATE,
                      {17 * 14: b"\xff", 17 * 16: b"\xfd" + b"\x66" * 16})
    found = findings(tools, program, damaged, "full")
    assert [f["message"] for f in found if f["kind"] == "value"] == [
        "expert 0, row 1, columns 32 to 63: the scale is 255, a NaN",
        "expert 0, row 1, columns 96 to 127: the scale is so large that a weight is infinite"]


def test_split_models_and_functions(tools: Tools, tmp_path: Path) -> None:
    shape = scaled(PRESETS["qwen3-30b-a3b"], layers=2, divisor=8, experts=8)
    whole = write_model(tmp_path / "whole.gguf", shape, parse_types("q4_0"), seed=7)[0]
    program = compiled(tools, whole, tmp_path)
    parts = rewrite_model(whole, tmp_path / "split.gguf", parts=3)
    assert findings(tools, program, parts[0], "full") == []
    last = "blk.1.ffn_up_exps.weight"
    holder = next(p for p in parts if last in [t.name for t in gguf.GGUFReader(p).tensors])
    damaged = changed(holder, tmp_path / "part.gguf", last, {1000: b"\x55"})
    damaged.replace(holder)
    assert [f["tensor"] for f in findings(tools, program, parts[0])] == [last]
    # Only what a function reads.
    for function, code in (("blk_0_ffn", 0), ("blk_1_ffn", 1)):
        assert verify(tools, program, parts[0], "--verify-weights",
                      f"--function={function}")[0] == code


@pytest.mark.parametrize("layout, damaged", [
    ("merged_gate_and_up", "blk.0.ffn_gate_up_exps.weight"),
    ("one_tensor_an_expert", "blk.0.ffn_up.5.weight"),
])
def test_weights_that_are_no_whole_tensors(layout: str, damaged: str, tools: Tools,
                                           tmp_path: Path) -> None:
    """Two weights of one tensor, and one weight of several: each tensor is hashed once, whole."""
    shape = scaled(PRESETS["mixtral-8x7b"], layers=1, divisor=16, experts=8)
    plain = write_model(tmp_path / "plain.gguf", shape, parse_types("q4_0"), seed=7)[0]
    model = tmp_path / "model.gguf"
    write_in_layout(plain, model, LAYOUTS[layout])
    program = compiled(tools, model, tmp_path)
    code, out, _ = verify(tools, program, model, "--verify-weights=full")
    tensors = {t.name: t for t in gguf.GGUFReader(model).tensors}
    assert code == 0 and out.startswith(f"{len(tensors)} tensors, ")
    assert f": {len(tensors)} compared with recorded hashes" in out
    # The scale of the first block of the second row of blocks of 18 bytes.
    row = int(tensors[damaged].shape[0]) // 32 * 18
    other = changed(model, tmp_path / "other.gguf", damaged, {row: HALF_INFINITY})
    found = findings(tools, program, other, "full")
    assert [(f["kind"], f["tensor"]) for f in found if f["kind"] != "fingerprint"] == [
        ("hash", damaged), ("value", damaged)]
    assert found[-1]["row"] == 1 and found[-1].get("expert") == (
        0 if layout == "merged_gate_and_up" else None)


def test_sources_without_files_and_options_without_meaning(tools: Tools, model: Path,
                                                           tmp_path: Path) -> None:
    program = compiled(tools, model, tmp_path)
    for weights, options, message in (
            ("random:seed=1", [], "weights that come from no file cannot be verified; give a GGUF"),
            ("", [], "--verify-weights: give the model with --weights model.gguf"),
            (model, ["--output=y.npy", "--eager", "--benchmark-format=json", "--input=x=x.npy"],
             "--verify-weights runs nothing; "
             "leave --benchmark-format, --eager, --input, --output out"),
            (model, ["--describe"], "--verify-weights runs nothing; leave --describe out"),
            (model, ["--function=none"], "has no function 'none'"),
            (tmp_path / "none.gguf", [], "cannot read the model")):
        code, out, err = verify(tools, program, weights, "--verify-weights", *options)
        assert (code, out) == (1, "") and message in err


def test_values_alone_do_not_make_a_model_another_one(tools: Tools, model: Path,
                                                      tmp_path: Path) -> None:
    """A model that was imported with a NaN is what the program was compiled for."""
    with_nan = changed(model, tmp_path / "nan.gguf", GATE, {144 * 17: HALF_NAN})
    program = compiled(tools, with_nan, tmp_path)
    assert findings(tools, program, with_nan) == []
    assert [f["kind"] for f in findings(tools, program, with_nan, "full")] == ["value"]
    code, out, err = verify(tools, program, with_nan, "--verify-weights=full")
    assert code == 1 and "the scale is NaN" in out
    assert f"are not finite; tensors at fault: {GATE}. Its bytes are those that" in err
    assert "damaged" not in err and "Download" not in err


def test_findings_that_cannot_be_written(tools: Tools, model: Path, tmp_path: Path) -> None:
    program = compiled(tools, model, tmp_path)
    damaged = changed(model, tmp_path / "damaged.gguf", DOWN, {0: b"\1\2\3\4"})
    with open("/dev/full", "wb") as full:
        done = subprocess.run([tools.bin / "sortie-run", program, f"--weights={damaged}",
                               "--verify-weights"], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)
    assert done.returncode == 1 and "or is damaged; tensors at fault" in done.stderr
    assert "cannot write to standard output: No space left on device" in done.stderr


def test_hashing_needs_the_data(tools: Tools, tmp_path: Path) -> None:
    shape = scaled(PRESETS["qwen3-30b-a3b"], layers=1, divisor=8, experts=8)
    model = write_model(tmp_path / "model.gguf", shape, parse_types("q4_0"))[0]
    header = gguf.GGUFReader(model).data_offset
    model.write_bytes(model.read_bytes()[:header])
    tools.call("sortie-translate", "--import-gguf", "--what=ffn", model)
    with pytest.raises(ToolError, match="it is truncated"):
        tools.call("sortie-translate", "--import-gguf", "--what=ffn", model, "--hash-weights")
