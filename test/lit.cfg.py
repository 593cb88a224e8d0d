"""lit configuration: the tests are .mlir (and .test) files below dialect/, passes/, tools/, e2e/.

Substitutions: the tools by their bare name, %S/%s/%t as usual, %python (the environment of
scripts/setup.sh, with numpy and gguf), %models (test/models), %emulated (before a tool, after env: it
compiles for and runs on the emulated GPU). Feature `cuda`: this machine has a GPU.
"""

import ctypes
import os

import lit.formats
from lit.llvm import llvm_config  # initialized by lit.site.cfg.py
from lit.llvm.subst import ToolSubst

config.name = "Sortie"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "fuzz", "models", "reference", "Inputs", "install"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.sortie_obj_root, "test")

venv_python = os.path.join(config.sortie_src_root, "build", "venv", "bin", "python3")
python = venv_python if os.path.exists(venv_python) else config.sortie_python
config.substitutions.append(("%python", python))
config.substitutions.append(("%models", os.path.join(config.test_source_root, "models")))

llvm_config.with_system_environment(
    ["HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS"]
    + ["CUDA_HOME", "CUDA_PATH", "SORTIE_NVRTC", "VIRTUAL_ENV"]
)
# Kernels that a test compiles are kept between runs, apart from the user's own.
config.environment["SORTIE_CACHE_DIR"] = os.path.join(config.test_exec_root, "kernel-cache")
llvm_config.add_tool_substitutions(
    [ToolSubst(tool, unresolved="fatal") for tool in ("FileCheck", "not", "count")],
    [config.llvm_tools_dir],
)
llvm_config.add_tool_substitutions(
    [ToolSubst(tool, unresolved="ignore") for tool in ("sortie-opt", "sortie-translate", "sortie-run")],
    [config.sortie_tools_dir],
)
if config.sortie_sanitize:
    config.available_features.add("sanitizer")

emulation = os.path.join(config.sortie_obj_root, "emulation")
config.substitutions.append(("%emulated", f"LD_LIBRARY_PATH={emulation}"))


def has_gpu() -> bool:
    """Whether there is a driver, and it starts."""
    try:
        return ctypes.CDLL("libcuda.so.1").cuInit(0) == 0
    except OSError:
        return False


if has_gpu():
    config.available_features.add("cuda")
