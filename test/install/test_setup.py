"""scripts/setup.sh on a machine without the packages: what an ordinary user is told."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A tree with the script alone, and commands that say: nothing is installed, you are not
    root."""
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, folder / "scripts")
    (tmp_path / "bin").mkdir()
    for name, script in (("dpkg-query", "exit 1"), ("id", "echo 1000")):
        command = tmp_path / "bin" / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    return folder


@pytest.mark.parametrize("arguments, listed, unlisted", [
    ([], ["clang-22", "libgmock-dev", "libmlir-22-dev", "python3-venv"], ["clang-format-22"]),
    (["--with-tests"], ["libgmock-dev", "clang-format-22", "pkgconf"], []),
])
def test_an_ordinary_user_is_told_what_is_missing(
        checkout: Path, arguments: list[str], listed: list[str], unlisted: list[str]) -> None:
    path = f"{checkout.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run([checkout / "scripts" / "setup.sh", *arguments], capture_output=True,
                          text=True, check=False, env=os.environ | {"PATH": path})
    assert done.returncode == 1
    line = done.stderr.strip()
    start = ("setup: missing packages; as root: "
             "apt-get update && apt-get install --no-install-recommends ")
    assert line.startswith(start)
    packages = line.removeprefix(start).split()
    assert set(listed) <= set(packages) and not set(unlisted) & set(packages)
    assert not (checkout / "build").exists(), "nothing is begun"
