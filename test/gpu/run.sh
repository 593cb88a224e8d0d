#!/usr/bin/env bash
# The proof on a GPU. Needs the archive of test/gpu/prepare.sh, python3 with numpy and, for part 3,
# compute-sanitizer; no LLVM, no compiler.
#
#   test/gpu/run.sh --part N [--device cuda] [--results DIR] [--seconds 540] build/gpu/sortie-gpu.tar.xz
#
#   1  every preset and format: the checksum of every named value equals the CPU's
#   2  repeated and submitted runs, batches and permutations of tokens, graph against eager, other
#      images, cuBLAS where it is installed
#   3  compute-sanitizer: memcheck, racecheck, synccheck
#   4  the benchmark
#   5  whole models: every named value, logits in pieces, generation, forks and saved sequences equal the CPU's
#
# A part takes at most --seconds; run it again with the same --results and it goes on. The last line
# is `N passed, N failed`, with what was skipped; if time ran out, the one before says how many are left.
set -euo pipefail
exec "${PYTHON:-python3}" "$(dirname "$0")/run.py" "$@"
