#!/bin/sh
# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Builds the study: build.sh <output folder> [nvcc]. Needs CUDA 12.4 or later and Python 3, no GPU.
set -eu
here=$(dirname "$0")
out=$1
nvcc=${2:-/usr/local/cuda/bin/nvcc}
flags="-std=c++20 -O3 -gencode=arch=compute_90a,code=sm_90a --fmad=false --expt-relaxed-constexpr
  -Xcompiler=-Wall,-Wextra,-O2,-mfma,-ffp-contract=off -I$out -I$here"

mkdir -p "$out"
python3 "$here/make_wgmma.py" "$out/wgmma_generated.cuh"
for unit in raw groups multiply folded chunks blocks loops router decode; do
  # shellcheck disable=SC2086 # several flags
  "$nvcc" $flags -Xptxas=-v -c "$here/$unit.cu" -o "$out/$unit.o" 2>"$out/$unit.log" ||
    { cat "$out/$unit.log"; exit 1; }
done
cd "$out"
"$nvcc" -cudart static -o exact_loops raw.o groups.o multiply.o folded.o chunks.o blocks.o loops.o
"$nvcc" -cudart static -o router router.o
"$nvcc" -cudart static -o decode decode.o
grep -h serialized ./*.log || true
