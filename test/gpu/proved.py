"""Which kernel headers were proved on a GPU, and whether those of today are still the same.

usage: proved.py check                                prints a line for each stale family of kernels
       proved.py record RESULTS [--families A.h,...]  adds what test/gpu/run.sh wrote to proved.json

A family is a header of codegen/kernels that no other one includes, with all that it includes. What
is compared is code, by pieces: what stands between blank lines outside of functions and classes.
Comments, includes, include guards, namespaces and white space do not count, nor does the header in
which a piece stands, so what has only moved is still proved. The C++ that writes a kernel's source
(codegen/*.cpp) is not compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).resolve().parent / "proved.json"
#: What prepare.sh writes to the archive, and run.sh to its folder of results.
HEADERS, RESULT = "headers.json", "proof.json"
KERNELS, HARDWARE = "codegen/kernels", "codegen/hardware"
#: Path of a header -> the hashes of its code.
Headers = dict[str, set[str]]

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
#: A string stays, a comment goes.
STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
GUARD = re.compile(r"#ifndef (\w+_H)\n#define \1\n(.*)#endif\s*\Z", re.DOTALL)
#: A line that opens or closes a namespace, not what is in it.
NAMESPACE = re.compile(r"^(inline )?namespace[\w: ]*\{$|^\}$")


def _pieces(text: str) -> Iterator[str]:
    """The code of a header, piece by piece."""
    code = STRING_OR_COMMENT.sub(lambda it: it[0] if it[0][0] == '"' else "", text)
    code = re.sub(r"[ \t]+\n", "\n", INCLUDE.sub("", code)).strip()
    if guarded := GUARD.match(code):
        code = guarded[2]
    piece, depth = [], 0
    for line in [*code.split("\n"), ""]:
        if depth == 0 and (not line or NAMESPACE.match(line)):
            if piece:
                yield " ".join(piece)
            piece = []
            continue
        piece += line.split()
        depth += line.count("{") - line.count("}")


def code_hashes(text: str) -> set[str]:
    """A hash of each piece of a header's code."""
    return {hashlib.sha256(piece.encode()).hexdigest()[:12] for piece in _pieces(text)}


def _closure(root: Path, header: Path, seen: Headers) -> None:
    """Adds `header` and what it includes of the project to `seen`."""
    name = str(header.relative_to(root))
    if name in seen:
        return
    text = header.read_text()
    seen[name] = code_hashes(text)
    for included in INCLUDE.findall(text):
        for path in (root / included, root / HARDWARE / included):
            if path.exists():
                _closure(root, path, seen)


def families(root: Path) -> dict[str, Headers]:
    """Name of the family's header -> its headers."""
    headers = sorted((root / KERNELS).rglob("*.h"))
    included = {name for header in headers for name in INCLUDE.findall(header.read_text())}
    found = {}
    for header in headers:
        if str(header.relative_to(root)) not in included:
            found[header.name] = {}
            _closure(root, header, found[header.name])
            # Every kernel has this one, whether or not its headers name it.
            _closure(root, root / HARDWARE / "sortie_hardware.h", found[header.name])
    return found


def hashes_of(root: Path) -> str:
    """Those of all families, in a line."""
    return " ".join(sorted({value for headers in families(root).values()
                            for values in headers.values() for value in values}))


def write_headers(root: Path, folder: Path, models: str) -> None:
    """What an archive is made from, `models` being the expression that chose its models."""
    commit = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True, check=False).stdout.strip()
    (folder / HEADERS).write_text(
        json.dumps({"commit": commit, "models": models, "code": hashes_of(root)}))


def _gpu() -> tuple[str, str]:
    """Name and driver of the first GPU."""
    try:
        line = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version",
                               "--format=csv,noheader"],
                              capture_output=True, text=True, check=True).stdout.splitlines()[0]
        name, driver = line.split(", ")
        return name, driver
    except (OSError, subprocess.CalledProcessError, IndexError, ValueError):
        return "unknown", "unknown"


def remember(folder: Path, results: Path, models: str, part: int, counts: dict[str, int]) -> None:
    """Adds the counts of a part to the file of results. `folder` is the unpacked archive."""
    made_from = json.loads((folder / HEADERS).read_text())
    path = results / RESULT
    known = json.loads(path.read_text()) if path.exists() else {}
    parts = known.get("parts", {}) if known.get("code") == made_from["code"] else {}
    parts[str(part)] = ", ".join(f"{number} {what}" for what, number in counts.items()
                                 if number or what in ("passed", "failed"))
    device, driver = _gpu()
    path.write_text(json.dumps(made_from | {
        "models": made_from["models"] or models, "device": device, "driver": driver,
        "date": date.today().isoformat(), "parts": parts}, indent=1) + "\n")


def record(results: Path, chosen: list[str]) -> None:
    """Adds a file of results to the record, for the families `chosen`, or all."""
    proof = json.loads((results / RESULT).read_text())
    if not chosen and proof.pop("models"):
        sys.exit(f"proved.py: {results / RESULT}: only some models were run; say with --families "
                 "which kernels they have")
    proof.pop("models", None)
    known = families(ROOT)
    if unknown := set(chosen) - set(known):
        sys.exit(f"proved.py: no family {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    proofs = json.loads(RECORD.read_text()) if RECORD.exists() else []
    write_record([*proofs, {"families": chosen or sorted(known)} | proof])


def write_record(proofs: list[dict]) -> None:
    RECORD.write_text(json.dumps(proofs, indent=1) + "\n")


def stale(root: Path, proofs: list[dict]) -> Iterator[str]:
    """A line for each family that no proof has as it is today. The headers named are those that
    differ from the proof to which fewest do."""
    for name, headers in families(root).items():
        differences = []
        for proof in reversed(proofs):  # of two that differ as little, the later
            if name in proof["families"]:
                proved = set(proof["code"].split())
                differences.append(([header for header, values in headers.items()
                                     if not values <= proved], proof))
        if not differences:
            yield f"{name}: never proved on a GPU"
            continue
        changed, proof = min(differences, key=lambda it: len(it[0]))
        if changed:
            yield (f"{name}: proved on {proof['device']} ({proof['commit']}, {proof['date']}), "
                   f"changed since: {', '.join(changed)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="proved.py", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check")
    recorder = commands.add_parser("record")
    recorder.add_argument("results", type=Path)
    recorder.add_argument("--families", default="", metavar="A.h,B.h")
    options = parser.parse_args()
    if options.command == "record":
        record(options.results, [name for name in options.families.split(",") if name])
        return 0
    for line in stale(ROOT, json.loads(RECORD.read_text())):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
