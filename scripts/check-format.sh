#!/usr/bin/env bash
# Checks every tracked C, C++, shell and Python file: clang-format (.clang-format), shellcheck, ruff
# (ruff.toml). `scripts/check-format.sh --fix` formats C and C++ and mends what ruff can, in place.
set -euo pipefail
cd "$(dirname "$0")/.."
clang_format=${CLANG_FORMAT:-clang-format-22}
ruff=${RUFF:-build/venv/bin/ruff}
mode=(--dry-run --Werror)
ruff_mode=(--no-cache --quiet)
if [ "${1:-}" = --fix ]; then
  mode=(-i)
  ruff_mode+=(--fix)
fi
git -c safe.directory='*' ls-files -z '*.h' '*.cpp' '*.c' | xargs -0 --no-run-if-empty "$clang_format" "${mode[@]}"
git -c safe.directory='*' ls-files -z '*.sh' .ci/run | xargs -0 --no-run-if-empty shellcheck
git -c safe.directory='*' ls-files -z '*.py' | xargs -0 --no-run-if-empty "$ruff" check "${ruff_mode[@]}"
