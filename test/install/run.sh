#!/usr/bin/env bash
# Installs a build to a scratch prefix, builds the consumer beside this script with nothing but that
# prefix, and runs it.
#
#   test/install/run.sh [build/release]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build/release}" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log"
exported=$(nm -D --defined-only "$scratch"/prefix/lib/libsortie.so | awk '$2 == "T" {print $3}')
if ! grep -q '^sortie_' <<<"$exported" || grep -v '^sortie_' <<<"$exported"; then
  echo "libsortie.so must export the C API and nothing else" >&2
  exit 1
fi
cmake -S "$here" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" >"$scratch/configure.log"
cmake --build "$scratch/build"
"$scratch/build/consumer" "$here/add.mlir"
