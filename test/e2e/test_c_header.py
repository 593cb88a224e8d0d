# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""sortie.h compiles without a warning in every language that embeds it."""

import pathlib
import shutil
import subprocess

import pytest

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "runtime/include"
USE = """
int use(void);
int use(void) {
  sortie_run_options options = SORTIE_INIT(sortie_run_options);
  sortie_tensor tensor = SORTIE_INIT(sortie_tensor);
  return options.struct_size == sizeof options && !options.inputs && !options.input_count &&
         tensor.struct_size == sizeof tensor && !tensor.data && !tensor.memory;
}
"""
PLAIN = "#include <sortie/sortie.h>\n#include <sortie/sortie.h>\n" + USE
INSIDE = 'extern "C" {\n#include <sortie/sortie.h>\n}\n' + USE
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def syntax_check(compiler: str, language: str, standard: str, text: str) -> None:
    """Fails with the compiler's messages; skips where there is no such compiler."""
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} here")
    flags = [*WARNINGS, f"-std={standard}", "-fsyntax-only", f"-I{INCLUDE}", "-x", language, "-"]
    done = subprocess.run([compiler, *flags], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("standard", ["c90", "c99", "c11", "gnu17"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c(compiler: str, standard: str) -> None:
    # A plain initializer, all that C90 has, leaves members out; GCC calls that a warning.
    text = PLAIN if standard != "c90" else (
        '#pragma GCC diagnostic ignored "-Wmissing-field-initializers"\n' + PLAIN)
    syntax_check(compiler, "c", standard, text)


@pytest.mark.parametrize("text", [PLAIN, INSIDE], ids=["plain", "inside extern C"])
@pytest.mark.parametrize("standard", ["c++11", "c++14", "c++17", "c++20"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_cpp(compiler: str, standard: str, text: str) -> None:
    syntax_check(compiler, "c++", standard, text)


def test_the_check_can_fail() -> None:
    with pytest.raises(AssertionError):
        syntax_check("gcc", "c", "c11", PLAIN + "int unused(int x) { return 0; }\n")
