#!/usr/bin/env bash
# Freezes the program ABI that this checkout writes: compiles the sources of the last frozen ABI and
# records what the programs compute, so that later versions are tested against both.
#
#   scripts/freeze-abi.sh [--sources DIR] [--output DIR] [--bin DIR]
#
# Run it once for each ABI, when the version that first wrote it is released, and commit what it
# makes: test/tools/sortie-run/Inputs/abi<N> with the sources, the programs and their checksums. Then
# add abi<N>.test and abi<N>-gpu.test beside abi3.test: copies of those, with the new folder. Frozen
# programs are never made again; an operation that is new since is added to the sources first
# (--sources: a folder with layers.mlir, given.mlir and perhaps sorted.mlir).
set -euo pipefail
cd "$(dirname "$0")/.."

inputs=test/tools/sortie-run/Inputs
sources=$(find $inputs -maxdepth 1 -name 'abi[0-9]*' | sort -V | tail -n 1)
bin=build/release/bin
output=
while [ $# -gt 0 ]; do
  case $1 in
    --sources) sources=$2 ;;
    --output) output=$2 ;;
    --bin) bin=$2 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) echo "freeze-abi: unknown argument $1" >&2; exit 2 ;;
  esac
  shift 2
done
python=build/venv/bin/python
[ -x $python ] || python=python3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

compile() { # SOURCE PROGRAM OPTIONS
  "$bin/sortie-opt" "$sources/$1" --sortie-compile="$3" --emit-bytecode -o "$scratch/$2"
}
compile layers.mlir cpu.mlirbc "max-tokens=64"
compile layers.mlir stored.mlirbc "max-tokens=64 materialize=all"
compile given.mlir cuda.mlirbc "target=cuda chip=compute_80 max-tokens=2 activations=int8"
compile given.mlir cuda-on-cpu.mlirbc "max-tokens=2 activations=int8"
abi=$("$bin/sortie-run" "$scratch/cpu.mlirbc" --describe | sed -n 's/^program ABI *\([0-9]*\),.*/\1/p')

folder=${output:-$inputs/abi$abi}
if [ -e "$folder" ]; then
  echo "freeze-abi: $folder is there: ABI $abi is frozen already" >&2
  exit 1
fi
cp "$sources"/{layers,given}.mlir "$sources/ids.py" "$scratch"
if [ -e "$sources/sorted.mlir" ]; then # a program written by hand, which names its ABI
  sed "s/<abi = [0-9]*,/<abi = $abi,/" "$sources/sorted.mlir" >"$scratch/sorted.mlir"
  "$bin/sortie-opt" "$scratch/sorted.mlir" --emit-bytecode -o "$scratch/sorted.mlirbc"
fi

checksums() { # PROGRAM FUNCTION TOKENS EXPERTS: of expert ids, if the function takes them
  local given=()
  if [ "$2" = given ]; then
    "$python" "$sources/ids.py" "$scratch/ids.npy" "$3" "$4"
    given=(--input "ids=$scratch/ids.npy")
  fi
  "$bin/sortie-run" "$scratch/$1.mlirbc" --function "$2" --weights random:seed=1 \
    --input "hidden=random:seed=1,tokens=$3" "${given[@]}" --checksums
}
for program in cpu stored; do
  for function in routed biased given; do
    checksums $program $function 7 8 >"$scratch/$program.$function.txt"
  done
done
[ ! -e "$scratch/sorted.mlirbc" ] || checksums sorted given 7 8 >"$scratch/sorted.given.txt"
checksums cuda-on-cpu given 2 4 >"$scratch/cuda.given.txt"
gzip -n -9 "$scratch/cuda.mlirbc"
rm -f "$scratch/cuda-on-cpu.mlirbc" "$scratch/ids.npy"
(cd "$scratch" && sha256sum -- *.mlirbc *.gz *.txt >SHA256SUMS)
mkdir -p "$folder"
cp "$scratch"/* "$folder"
echo "freeze-abi: $folder: ABI $abi, $(git -c safe.directory='*' rev-parse --short HEAD);" \
  "say so at the top of layers.mlir"
