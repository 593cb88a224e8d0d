#!/bin/sh
# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Builds the study: build.sh <output folder> [nvcc]. Needs CUDA 13 and Python 3, no GPU. Prints what
# the assembler says of spills and serialized products (there must be none), and how many products
# the code has.
set -eu
here=$(dirname "$0")
out=$1
nvcc=${2:-/usr/local/cuda/bin/nvcc}

mkdir -p "$out"
python3 "$here/make_wgmma.py" "$out/wgmma_generated.cuh"
"$nvcc" -std=c++20 -O3 -gencode=arch=compute_90a,code=sm_90a --fmad=false \
  --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-O2,-static-libstdc++,-static-libgcc \
  -Xptxas=-v -I"$out" -I"$here" -cudart static -o "$out/harness" "$here/harness.cu" \
  2>"$out/harness.log" || { cat "$out/harness.log"; exit 1; }
mkdir -p "$out/loops"
python3 "$here/../exact_loops/make_wgmma.py" "$out/loops/wgmma_generated.cuh"
"$nvcc" -std=c++20 -O3 -gencode=arch=compute_90a,code=sm_90a --expt-relaxed-constexpr \
  -Xcompiler=-static-libstdc++,-static-libgcc -I"$out/loops" -cudart static \
  -o "$out/contention" "$here/contention.cu"
grep -E 'warning|C75|error' "$out/harness.log" | sort | uniq -c || true
grep -A2 'Compiling entry function.*product' "$out/harness.log" | grep -v Compiling || true
if command -v cuobjdump >/dev/null; then
  cuobjdump --dump-sass "$out/harness" >"$out/harness.sass"
  echo "IGMMA $(grep -c IGMMA "$out/harness.sass"), local $(grep -cE 'LDL|STL' "$out/harness.sass")"
fi
