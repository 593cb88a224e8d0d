"""The archive of the proof on a GPU: what is packed comes back, and nothing lands outside."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from package import pack, unpack


def test_files_come_back_with_folders_and_modes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "manifest.json").write_text("[]")
    (source / "bin" / "tool").write_bytes(b"\x7fELF")
    (source / "bin" / "tool").chmod(0o755)
    archive = tmp_path / "archive.tar.xz"
    pack(source, archive)
    folder = unpack(archive, tmp_path / "to here")
    assert (folder / "manifest.json").read_text() == "[]"
    assert (folder / "bin" / "tool").read_bytes() == b"\x7fELF"
    assert (folder / "bin" / "tool").stat().st_mode & 0o111 == 0o111
    assert (folder / "empty").is_dir()
    kept = folder / "manifest.json"
    kept.write_text("changed")
    assert unpack(archive, folder) == folder and kept.read_text() == "changed"  # not unpacked again


@pytest.mark.parametrize("name, kind", [
    ("../outside", tarfile.REGTYPE), ("/tmp/sortie-outside", tarfile.REGTYPE),
    ("link", tarfile.SYMTYPE), ("link", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)])
def test_other_members_are_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    archive = tmp_path / "archive.tar"
    with tarfile.open(archive, "w") as out:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.linkname = "../outside"
        out.addfile(member, io.BytesIO())
    with pytest.raises(ValueError, match=f"{name} is not a file or a folder of the archive"):
        unpack(archive, tmp_path / "folder")
    assert not (tmp_path / "outside").exists()
