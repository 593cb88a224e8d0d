#!/usr/bin/env bash
# Checks that the runner and libsortie.so run on any machine: no symbol above GLIBC 2.34, libstdc++
# and libgcc inside, no shared library but libc and libm; at most 8 MB.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
newest=2.34
largest=8000000
failed=0

for binary in "$build/bin/sortie-run" "$build/lib/libsortie.so"; do
  libraries=$(objdump -p "$binary" | awk '$1 == "NEEDED" {print $2}' |
    grep -vxE 'lib[cm]\.so\.6|ld-linux-x86-64\.so\.2' || true)
  versions=$(objdump -T "$binary" | grep -oE 'GLIBC_[0-9.]+' | cut -d_ -f2 | sort -uV)
  highest=$(tail -n 1 <<<"$versions")
  if [ -n "$libraries" ]; then
    echo "$binary: needs shared libraries it should not: $libraries" >&2
    failed=1
  fi
  if [ "$(printf '%s\n' "$highest" $newest | sort -V | tail -n 1)" != $newest ]; then
    echo "$binary: needs GLIBC $highest, allowed is $newest:" >&2
    objdump -T "$binary" | grep -F "GLIBC_$highest" >&2
    failed=1
  fi
  size=$(stat -Lc %s "$binary")
  if [ "$size" -gt $largest ]; then
    echo "$binary: is too large, allowed are $largest bytes" >&2
    failed=1
  fi
  echo "$binary: $size bytes, needs GLIBC $highest"
done
exit $failed
