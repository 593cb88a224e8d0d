#!/usr/bin/env bash
# Installs a build, moves what was installed to a folder with a space in its name, and uses it with
# nothing else: the consumer beside this script by find_package and by pkg-config, and the lit suite of
# docs/lit-suite with LLVM's packages.
#
#   test/install/run.sh [build/release]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build/release}" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix="$scratch/moved prefix"
documents=$prefix/share/doc/Sortie

fail() {
  echo "install: $*" >&2
  exit 1
}

# variable NAME: from the build's cache.
variable() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

cmake --install "$build" --prefix "$scratch/prefix" >"$scratch/install.log"
mv "$scratch/prefix" "$prefix"
cmp -s "$here/../../LICENSE" "$documents/LICENSE" || fail "the license is not installed"
exported=$(nm -D --defined-only "$prefix/lib/libsortie.so" | awk '$2 == "T" {print $3}')
if ! grep -q '^sortie_' <<<"$exported" || grep -v '^sortie_' <<<"$exported"; then
  fail "libsortie.so must export the C API and nothing else"
fi

echo "install: find_package(Sortie)"
cmake -G Ninja -S "$here" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/configure.log"
cmake --build "$scratch/build"
"$scratch/build/consumer" "$here/add.mlir"

echo "install: pkg-config sortie"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
version=$(pkg-config --modversion sortie)
[ "$version" = "$(variable CMAKE_PROJECT_VERSION)" ] || fail "sortie.pc is of version $version"
# pkg-config quotes for a shell, which has to read it again where a folder's name has a space.
eval "flags=($(pkg-config --cflags --libs sortie))"
# shellcheck disable=SC2154 # flags: by eval
"$(variable CMAKE_C_COMPILER)" "$here/consumer.c" "${flags[@]}" -o "$scratch/consumer"
LD_LIBRARY_PATH=$prefix/lib "$scratch/consumer" "$here/add.mlir"

echo "install: a lit suite of a user"
llvm=$(variable MLIR_DIR)/../../../bin
SORTIE_PREFIX=$prefix LLVM_TOOLS=$llvm LIT_SUITE_OUTPUT=$scratch/lit \
  python3 "$llvm/lit" -v "$documents/lit-suite"
