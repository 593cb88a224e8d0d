#!/usr/bin/env bash
# Sets everything up, then runs every test of the project; ends in `N passed, N failed, N skipped`.
#
#   scripts/test.sh [--exhaustive] [--only PART]... [--list]
#
# Without arguments it is what CI runs (at most 45 minutes on a new machine with two cores).
set -euo pipefail
cd "$(dirname "$0")/.."
start=$(date +%s)
scripts/setup.sh --with-tests --no-build
export VIRTUAL_ENV=$PWD/build/venv # where sortie-opt finds an NVRTC that was installed just now
exec build/venv/bin/python scripts/run_tests.py --setup-seconds $(($(date +%s) - start)) "$@"
