#!/bin/sh
# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Builds what measures exact products with warpgroups against those without:
#   build.sh OUTPUT_FOLDER [SORTIE_OPT] [NVCC]
# Needs CUDA 13, no GPU. Then, on an sm_90a device: OUTPUT_FOLDER/harness OUTPUT_FOLDER
set -eu
here=$(dirname "$0")
root=$here/../../..
out=$1
sortie_opt=${2:-$root/build/release/bin/sortie-opt}
nvcc=${3:-/usr/local/cuda/bin/nvcc}
mkdir -p "$out"
python3 "$here/make_kernels.py" "$sortie_opt" "$out"
"$nvcc" -std=c++20 -O2 -gencode=arch=compute_90a,code=sm_90a --fmad=false \
  --expt-relaxed-constexpr -Xcompiler=-static-libstdc++,-static-libgcc -I"$root" \
  -I"$root/docs/studies/hopper_product" -cudart static -o "$out/harness" "$here/harness.cu"
