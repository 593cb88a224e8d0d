#!/bin/sh
# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Builds the study: build.sh <output folder> [nvcc]. Needs CUDA 12.4 or later and Python 3, no GPU.
set -eu
here=$(dirname "$0")
loops=$here/../exact_loops
out=$1
nvcc=${2:-/usr/local/cuda/bin/nvcc}

mkdir -p "$out"
python3 "$loops/make_wgmma.py" "$out/wgmma_generated.cuh"
"$nvcc" -std=c++20 -O3 -gencode=arch=compute_90a,code=sm_90a --fmad=false \
  --expt-relaxed-constexpr -Xcompiler=-O2,-mfma,-ffp-contract=off -I"$out" -I"$loops" \
  -cudart static -o "$out/attention" "$here/attention.cu"
