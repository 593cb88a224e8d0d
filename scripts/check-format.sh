#!/usr/bin/env bash
# Checks the format of every tracked C, C++ and shell file: clang-format (.clang-format), shellcheck.
# `scripts/check-format.sh --fix` formats the C and C++ files in place.
set -euo pipefail
cd "$(dirname "$0")/.."
clang_format=${CLANG_FORMAT:-clang-format-22}
mode=(--dry-run --Werror)
[ "${1:-}" != --fix ] || mode=(-i)
git -c safe.directory='*' ls-files -z '*.h' '*.cpp' '*.c' | xargs -0 --no-run-if-empty "$clang_format" "${mode[@]}"
git -c safe.directory='*' ls-files -z '*.sh' .ci/run | xargs -0 --no-run-if-empty shellcheck
