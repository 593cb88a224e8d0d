"""lit configuration: the tests are .mlir (and .test) files below dialect/, interpreter/,
passes/, tools/, e2e/.

Substitutions: the tools by their bare name, %S/%s/%t as usual, %python (the environment of
scripts/setup.sh, with numpy and gguf), %models (test/models), %emulated (before a tool, after env:
it compiles for and runs on the emulated GPU). Feature `cuda`: this machine has a GPU.
"""

import atexit
import ctypes
import os
import re
import shutil
import tempfile

import lit.formats
from lit.llvm import llvm_config  # initialized by lit.site.cfg.py
from lit.llvm.subst import ToolSubst


def plain_names(**folders: str) -> dict[str, str]:
    """The folders by names that RUN lines need not quote: by links in a scratch folder, if a name
    has a space or another character that means something to a shell or to pass options."""
    if all(re.fullmatch(r"[\w/.+@:-]*", path) for path in folders.values()):
        return folders
    scratch = tempfile.mkdtemp(prefix="sortie-lit-")
    atexit.register(shutil.rmtree, scratch)
    for name, path in folders.items():
        os.symlink(path, os.path.join(scratch, name))
    return {name: os.path.join(scratch, name) for name in folders}


folders = {"source": config.sortie_src_root, "build": config.sortie_obj_root,
           "tools": config.sortie_tools_dir}
plain = plain_names(**folders)
if plain != folders:  # lit expands %s and %t to real paths, which are then replaced as well
    config.recursiveExpansionLimit = 4
    for name in ("build", "source"):
        config.substitutions.append((re.escape(os.path.realpath(folders[name])), plain[name]))
config.name = "Sortie"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "fuzz", "models", "reference", "Inputs", "install"]
config.test_source_root = os.path.join(plain["source"], "test")
config.test_exec_root = os.path.join(plain["build"], "test")

venv_python = os.path.join(plain["source"], "build", "venv", "bin", "python3")
python = venv_python if os.path.exists(venv_python) else config.sortie_python
config.substitutions.append(("%python", python))
config.substitutions.append(("%bin", plain["tools"]))
config.substitutions.append(("%models", os.path.join(config.test_source_root, "models")))

llvm_config.with_system_environment(
    ["HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS"]
    + ["CUDA_HOME", "CUDA_PATH", "SORTIE_NVRTC", "VIRTUAL_ENV"]
)
# Kernels that a test compiles are kept between runs, apart from the user's own, for all presets.
config.environment["SORTIE_CACHE_DIR"] = os.path.join(plain["source"], "build", "kernel-cache")
llvm_config.add_tool_substitutions(
    [ToolSubst(tool, unresolved="fatal") for tool in ("FileCheck", "not", "count")],
    [config.llvm_tools_dir],
)
llvm_config.add_tool_substitutions(
    [ToolSubst(tool, unresolved="ignore")
     for tool in ("sortie-opt", "sortie-translate", "sortie-run", "sortie-test-semantics")],
    [plain["tools"], os.path.join(plain["tools"], "test")],
)
if config.sortie_sanitize:
    config.available_features.add("sanitizer")

emulation = os.path.join(plain["build"], "emulation")
config.substitutions.append(("%emulated", f"LD_LIBRARY_PATH={emulation}"))


def has_gpu() -> bool:
    """Whether there is a driver, and it starts."""
    try:
        return ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    except OSError:
        return False


if has_gpu():
    config.available_features.add("cuda")
