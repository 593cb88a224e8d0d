#!/usr/bin/env bash
# Runs clang-tidy (.clang-tidy) on the project's C++ files until the time is up: those changed since
# the merge base with origin/main first, then the others, from another one on with every commit, so
# that all get their turn. Says which were not reached.
#
#   scripts/check-tidy.sh [SECONDS [FILE...]]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${SORTIE_BUILD:-build/release}
deadline=$(($(date +%s) + ${1:-600}))
shift || true

# Without precompiled headers, so that a file that does not include what it needs is found.
commands=$(mktemp -d)
path='(\\"[^"]*|[^ "]*)'
sed -E "s/ (-Xclang )?-include(-pch)? (-Xclang )?${path}cmake_pch\.hxx(\.pch)?(\\\\\")?//g" \
  "$build/compile_commands.json" >"$commands/compile_commands.json"

# Only files that the build compiles have a command for clang-tidy.
compiled() { grep -o '"file": "[^"]*"' "$build/compile_commands.json" | cut -d'"' -f4 | grep '\.cpp$'; }
tracked() { git -c safe.directory='*' ls-files '*.cpp'; }
changed() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null) || base=
  if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then base=HEAD~1; fi
  git diff --name-only "$base" -- '*.cpp'
}
# Begins 0.618 of the list further on with each commit: no two starts are soon near each other, so a
# time that is enough for a third of the files (0.236 of them) reaches all within five commits.
rotated() {
  awk -v commits="$(git rev-list --count HEAD)" '{ line[NR] = $0 }
    END { start = int(commits * 0.618034 % 1 * NR); for (i = 0; i < NR; ++i) print line[(start + i) % NR + 1] }'
}

tidy_one() {
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "$1" >>"$unreached"
  elif ! clang-tidy-22 -p "$commands" --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-unknown-warning-option "$1" 2>"$unreached.$$"; then
    grep -v 'warnings generated' "$unreached.$$" >&2
    echo "tidy: failed: $1" >&2
    exit 1
  fi
}
export -f tidy_one
unreached=$(mktemp)
trap 'rm -rf "$commands" "$unreached"*' EXIT
export commands deadline unreached

files() {
  if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
  else
    { changed; tracked | rotated; } | awk '!seen[$0]++' | grep -Fxf <(compiled | sed "s|^$PWD/||") || true
  fi
}
count=$(files "$@" | wc -l)
# shellcheck disable=SC2016 # the inner shell expands it
files "$@" | xargs -P "$(nproc)" -I{} bash -c 'tidy_one "$1"' tidy {}
if [ -s "$unreached" ]; then
  echo "tidy: not reached in time:"
  sort "$unreached" | sed 's/^/  /'
fi
echo "tidy: $((count - $(wc -l <"$unreached"))) files clean, $(wc -l <"$unreached") not reached in time"
