#!/usr/bin/env bash
# Makes one archive with everything that test/gpu/run.sh needs on a machine with a GPU: compiled
# programs, inputs and sortie-run. Needs the tools and build/venv (scripts/setup.sh), and NVRTC.
#
#   test/gpu/prepare.sh build/gpu [--bin DIR] [--models REGEX] [--no-benchmark] [-- ARGUMENT...]
#
# ARGUMENTs choose the programs for part 4; they are those of scripts/benchmark.py.
#
# Programs that build/gpu/work has already, from the same compiler, are kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../build/venv/bin/python" "$here/prepare.py" "$@"
