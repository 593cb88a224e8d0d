"""A lit suite of your own that runs the installed tools; see docs/lit-suite.md of Sortie.

    SORTIE_PREFIX=/opt/sortie LLVM_TOOLS=/usr/lib/llvm-22/bin lit -v <this folder>

Both variables are folders; what is not given is looked for in PATH. Each test starts with RUN
lines: %s is its file, %t a scratch file of its own.
"""

import os
import shutil

import lit.formats

config.name = "MySuite"
config.test_format = lit.formats.ShTest(execute_external=False)  # lit's shell: no bash is needed
config.suffixes = [".mlir"]
config.test_source_root = os.path.dirname(os.path.abspath(__file__))
# Outputs stay out of the sources. Two runs at once need two folders.
config.test_exec_root = os.environ.get(
    "LIT_SUITE_OUTPUT", os.path.join(os.getcwd(), "lit-suite-output"))

TOOLS = ("sortie-opt", "sortie-run", "FileCheck", "not")
folders = [os.environ["SORTIE_PREFIX"] + "/bin"] if "SORTIE_PREFIX" in os.environ else []
folders += [os.environ["LLVM_TOOLS"]] if "LLVM_TOOLS" in os.environ else []
path = os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])
config.environment["PATH"] = path

for tool in TOOLS:
    if not shutil.which(tool, path=path):
        lit_config.fatal(f"{tool} was not found: set SORTIE_PREFIX to where Sortie is installed "
                         "and LLVM_TOOLS to the folder of FileCheck and not")
