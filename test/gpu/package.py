"""What the archive holds: the contract between prepare.py and run.py. Needs numpy only."""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path

ARCHIVE = "sortie-gpu.tar.xz"
MANIFEST, WHOLE_MANIFEST = "manifest.json", "whole-models.json"
SEED = 7
CONTRACT = "run,batch,device"
#: The kind of program whose dense products are the library's.
CUBLAS = "cuda-cublas"


@dataclass(frozen=True)
class Model:
    """A model with its programs: `programs[kind]` is a file in `programs/`.

    Kinds: `cpu` and `cuda`; with `-all` every named value is stored; `cuda-sm_80` and `cuda-sm_90`
    have a cubin for that chip alone, so another one runs their PTX; `cuda-cublas` is for the
    contract {run}, whatever the model's is. `weights` is random:seed=N or a
    file of the repository. Without `device` in its contract the GPU has bits of its own.
    """

    name: str
    hidden: int
    functions: tuple[str, ...]
    programs: dict[str, str]
    weights: str = f"random:seed={SEED}"
    contract: str = CONTRACT

    @property
    def input(self) -> str:
        """File of the activations, in `inputs/`."""
        return f"hidden-{self.hidden}.npy"


@dataclass(frozen=True)
class WholeModel:
    """A whole model with its programs, whose kinds are those of `Model`. `weights` is a file of the
    repository, `table_pages` the pages that a sequence may have."""

    name: str
    weights: str
    table_pages: int
    vocabulary: int
    programs: dict[str, str]

    @property
    def other_images(self) -> list[str]:
        """Kinds of programs whose images are for other GPUs."""
        return [kind for kind in self.programs if kind.startswith("cuda-sm")]


def write_whole_models(folder: Path, models: list[WholeModel]) -> None:
    (folder / WHOLE_MANIFEST).write_text(json.dumps([asdict(model) for model in models], indent=1))


def read_whole_models(folder: Path) -> list[WholeModel]:
    return [WholeModel(**fields) for fields in json.loads((folder / WHOLE_MANIFEST).read_text())]


def write_manifest(folder: Path, models: list[Model]) -> None:
    (folder / MANIFEST).write_text(json.dumps([asdict(model) for model in models], indent=1))


def read_manifest(folder: Path) -> list[Model]:
    data = json.loads((folder / MANIFEST).read_text())
    return [Model(**fields | {"functions": tuple(fields["functions"])}) for fields in data]


def pack(folder: Path, archive: Path) -> None:
    """All of `folder` as one compressed archive, which appears whole or not at all."""
    scratch = archive.with_name(archive.name + ".part")
    with tarfile.open(scratch, "w:xz", preset=3) as out:
        for path in sorted(folder.iterdir()):
            out.add(path, path.name)
    scratch.replace(archive)


def _extract(data: tarfile.TarFile, folder: Path) -> None:
    """Files and folders below `folder`; ValueError for anything else. Debian 12's Python 3.11.2 has
    no extraction filters."""
    inside = folder.resolve()
    for member in data:
        target = (folder / member.name).resolve()
        if not target.is_relative_to(inside) or not (member.isdir() or member.isfile()):
            raise ValueError(f"{data.name}: {member.name} is not a file or a folder of the archive")
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with data.extractfile(member) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
        target.chmod(member.mode & 0o755)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks into `folder`, unless the same archive lies there already; returns the folder."""
    status = archive.stat()
    stamp, mark = folder / ".unpacked", f"{status.st_size} {status.st_mtime_ns}"
    if not (stamp.exists() and stamp.read_text() == mark):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with tarfile.open(archive) as data:
            _extract(data, folder)
        stamp.write_text(mark)
    return folder
