"""The record of what was proved on a GPU: which changes of headers make it stale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import proved

HEADER = """// Rows.
#ifndef SORTIE_ROWS_H
#define SORTIE_ROWS_H

#include "codegen/kernels/Lanes.h"

// Adds them.
int add(int a, int b) { return a + b; } // "wraps"

#endif // SORTIE_ROWS_H
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with the family Rows.h, which includes Lanes.h, and the family Route.h."""
    for path, text in {"codegen/hardware/sortie_hardware.h": "int hardware;",
                       "codegen/kernels/Rows.h": HEADER,
                       "codegen/kernels/Lanes.h": "#include <sortie_hardware.h>\nint lanes;",
                       "codegen/kernels/Route.h": 'const char *kName = "// no comment";'}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def proof_of(root: Path, **members: object) -> dict:
    return {"families": sorted(proved.families(root)), "commit": "abc", "device": "GPU",
            "driver": "1", "date": "2026-01-02", "parts": {"1": "9 passed, 0 failed"},
            "code": proved.hashes_of(root)} | members


def test_families(root: Path) -> None:
    assert {name: sorted(headers) for name, headers in proved.families(root).items()} == {
        "Route.h": ["codegen/hardware/sortie_hardware.h", "codegen/kernels/Route.h"],
        "Rows.h": ["codegen/hardware/sortie_hardware.h", "codegen/kernels/Lanes.h",
                   "codegen/kernels/Rows.h"]}


def test_comments_and_places_do_not_count(root: Path) -> None:
    proof = proof_of(root)
    (root / "codegen/kernels/rows").mkdir()
    (root / "codegen/kernels/Lanes.h").rename(root / "codegen/kernels/rows/Lanes.h")
    text = HEADER.replace("SORTIE_ROWS_H", "SORTIE_ROWS_ROWS_H").replace("Adds them", "Sums")
    (root / "codegen/kernels/Rows.h").write_text(text.replace("/Lanes.h", "/rows/Lanes.h"))
    assert list(proved.stale(root, [proof])) == []


def test_pieces_may_move_to_another_header(root: Path) -> None:
    rows, lanes = root / "codegen/kernels/Rows.h", root / "codegen/kernels/Lanes.h"
    text = "namespace sortie {\n\nint one();\n\nint two() {\n  one();\n\n  return 2;\n}\n\n}\n"
    rows.write_text(rows.read_text() + text)
    proof = proof_of(root)
    rows.write_text(rows.read_text().replace("int one();\n", "}\n\nnamespace sortie::more {\n"))
    lanes.write_text(lanes.read_text() + "\n\nint one();\n")
    assert list(proved.stale(root, [proof])) == []
    rows.write_text(rows.read_text().replace("one();\n\n  return 2;", "return 2;\n\n  one();"))
    line, = proved.stale(root, [proof])
    assert line.endswith("changed since: codegen/kernels/Rows.h")


def test_code_counts(root: Path) -> None:
    proof = proof_of(root)
    (root / "codegen/kernels/Rows.h").write_text(HEADER.replace("a + b", "a - b"))
    (root / "codegen/kernels/Route.h").write_text('const char *kName = "// a comment";')
    assert list(proved.stale(root, [proof])) == [
        "Route.h: proved on GPU (abc, 2026-01-02), changed since: codegen/kernels/Route.h",
        "Rows.h: proved on GPU (abc, 2026-01-02), changed since: codegen/kernels/Rows.h"]


def test_the_nearest_proof_is_named(root: Path) -> None:
    old = proof_of(root, commit="old")
    (root / "codegen/kernels/Lanes.h").write_text("int lanes = 32;")
    new = proof_of(root, commit="new", families=["Rows.h"])
    assert list(proved.stale(root, [old, new])) == []
    (root / "codegen/kernels/Rows.h").write_text(HEADER.replace("a + b", "b + a"))
    line, = proved.stale(root, [old, new])
    assert line.startswith("Rows.h: proved on GPU (new,") and line.endswith("kernels/Rows.h")
    assert list(proved.stale(root, [])) == ["Route.h: never proved on a GPU",
                                            "Rows.h: never proved on a GPU"]


def test_results_become_a_record(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proved, "ROOT", root)
    monkeypatch.setattr(proved, "RECORD", root / "proved.json")
    monkeypatch.setattr(proved, "_gpu", lambda: ("GPU", "1"))
    counts = {"passed": 3, "failed": 0, "skipped": 1, "left": 0}
    proved.write_headers(root, root, "")
    proved.remember(root, root, "", 1, counts)
    proved.remember(root, root, "", 3, counts | {"left": 2})
    proved.record(root, [])
    proof, = json.loads(proved.RECORD.read_text())
    assert proof["parts"] == {"1": "3 passed, 0 failed, 1 skipped",
                              "3": "3 passed, 0 failed, 1 skipped, 2 left"}
    assert list(proved.stale(root, [proof])) == []

    proved.remember(root, root, "mixtral", 1, counts)
    with pytest.raises(SystemExit, match="only some models were run; say with --families"):
        proved.record(root, [])
    with pytest.raises(SystemExit, match="no family Norm.h; there are Route.h, Rows.h"):
        proved.record(root, ["Norm.h"])
    proved.record(root, ["Rows.h"])
    assert json.loads(proved.RECORD.read_text())[1]["families"] == ["Rows.h"]


def test_the_record_can_be_read() -> None:
    assert all(set(proof["families"]) and proof["parts"] and proof["code"]
               for proof in json.loads(proved.RECORD.read_text()))
