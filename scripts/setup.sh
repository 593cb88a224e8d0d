#!/usr/bin/env bash
# Sets up what the build needs and builds the tools: packages (Debian 12, as root), the Python
# environment build/venv, and in build/release what is installed: sortie, sortie-opt, sortie-translate,
# sortie-run and libsortie.so. Run again at will: it does only what is missing.
#
#   scripts/setup.sh [--with-tests] [--no-build] [CMake argument...]
#
# --with-tests also installs what scripts/test.sh runs (clang-format, clang-tidy, pkgconf, shellcheck,
# sanitizers; into build/venv NVIDIA's compiler NVRTC, where there is no CUDA toolkit), and builds
# unit tests and emulated kernels, too.
# Elsewhere than on Debian install the packages named below yourself and pass
# -DMLIR_DIR=<folder of MLIRConfig.cmake>; see docs/building.md.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(ca-certificates ccache clang-22 cmake g++ git libgmock-dev libgtest-dev libmlir-22-dev libpcre2-dev
  libzstd-dev lld-22 llvm-22-dev llvm-22-tools mlir-22-tools ninja-build python3 python3-venv zlib1g-dev)
test_packages=(clang-format-22 clang-tidy-22 libclang-rt-22-dev pkgconf shellcheck)

build=yes
target=sortie-tools
nvrtc=no
cmake_arguments=()
for argument in "$@"; do
  case $argument in
    --with-tests) packages+=("${test_packages[@]}") target=all nvrtc=yes ;;
    --no-build) build=no ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) cmake_arguments+=("$argument") ;;
  esac
done

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "setup: missing packages; as root: apt-get update && apt-get install --no-install-recommends" \
      "${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
  echo "setup: packages are installed after $SECONDS s"
}

# The environment is made again when the list of requirements changes.
make_venv() {
  local stamp=build/venv/requirements.txt
  cmp -s scripts/requirements.txt "$stamp" && return 0
  echo "setup: making build/venv from scripts/requirements.txt"
  python3 -m venv build/venv
  build/venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt
  cp scripts/requirements.txt "$stamp"
}

# Kernels for GPUs are compiled by the tests, too. codegen/Nvrtc.cpp looks in the same places.
install_nvrtc() {
  local folder
  for folder in "${CUDA_HOME:-/usr/local/cuda}" "${CUDA_PATH:-/usr/local/cuda}" /usr/local/cuda; do
    [ ! -e "$folder/lib64/libnvrtc.so" ] || return 0
  done
  ! ldconfig -p | grep -q 'libnvrtc\.so\.13' || return 0
  ! build/venv/bin/pip show --quiet nvidia-cuda-nvrtc 2>/dev/null || return 0
  echo "setup: installing NVRTC into build/venv"
  build/venv/bin/pip install --quiet --disable-pip-version-check nvidia-cuda-nvrtc==13.0.88
}

if command -v dpkg-query >/dev/null; then
  install_packages
else
  echo "setup: not Debian; expecting the packages of docs/building.md to be installed"
fi
mkdir -p build
if [ "$build" = yes ]; then
  make_venv & # beside the build, which does not need it
  venv=$!
  trap 'kill "$venv" 2>/dev/null || true' EXIT
  cmake --preset release "${cmake_arguments[@]}"
  cmake --build --preset release --target $target
  wait "$venv"
  trap - EXIT
else
  make_venv
fi
[ "$nvrtc" = no ] || install_nvrtc
