#!/usr/bin/env bash
# From a fresh clone to numbers: builds the tools (scripts/setup.sh), then runs the main job on the four
# layers of a trained model and on one layer of the shape of qwen3-30b-a3b, and ends in a table of
# tokens, time, checksum and error against float64. What it makes stays in build/quickstart.
#
#   scripts/quickstart.sh [int16|int8]        the activations to compile for; default int16
set -euo pipefail
cd "$(dirname "$0")/.."
activations=${1:-int16}
work=build/quickstart
tiny=test/models/tiny-qwen3moe
python=build/venv/bin/python
bin=build/release/bin

# compile MODEL.gguf NAME: to semantic IR, then to a sealed program.
compile() {
  echo "quickstart: compiling $1"
  $bin/sortie-translate --import-gguf --what=ffn "$1" -o "$work/$2.mlir"
  $bin/sortie-opt "$work/$2.mlir" --sortie-compile="target=cpu activations=$activations" \
    --emit-bytecode -o "$work/$2.mlirbc"
}

# The large layer and its reference, as soon as there is Python to make them; the reference appears
# when both are complete.
write_layer() {
  until cmp -s scripts/requirements.txt build/venv/requirements.txt; do sleep 1; done
  $python test/models/make_gguf.py qwen3-30b-a3b --layers 1 --type q4_k_m --seed 1 \
    -o $work/qwen3-30b-a3b.gguf --activations $work/qwen3.npy --tokens 512
  $python test/reference/ffn.py $work/qwen3-30b-a3b.gguf --layer 0 --input $work/qwen3.npy \
    --output $work/part.npz
  mv $work/part.npz $work/qwen3.npz
}

mkdir -p $work
writer=
if [ ! -f $work/qwen3.npz ]; then
  echo "quickstart: writing a layer of qwen3-30b-a3b (400 MB) and its float64 reference meanwhile"
  write_layer >$work/layer.log 2>&1 &
  writer=$!
  trap '[ -z "$writer" ] || kill "$writer"' EXIT
fi
scripts/setup.sh
compile $tiny/tiny-qwen3moe-q4_0.gguf tiny
if [ -n "$writer" ]; then
  wait "$writer" || { cat $work/layer.log >&2 && exit 1; }
  writer=
fi
compile $work/qwen3-30b-a3b.gguf qwen3

table=("$python" scripts/quickstart_table.py "--bin=$bin" "--work=$work")
"${table[@]}" --header
for layer in 0 1 2 3; do
  "${table[@]}" --program $work/tiny.mlirbc --weights $tiny/tiny-qwen3moe-q4_0.gguf --layer $layer \
    --input $tiny/q4_0.ffn_in_$layer.npy --reference $tiny/q4_0.ffn_out_$layer.npy
done
for tokens in 1 32 512; do
  "${table[@]}" --program $work/qwen3.mlirbc --weights $work/qwen3-30b-a3b.gguf --layer 0 \
    --input $work/qwen3.npy --reference $work/qwen3.npz --tokens $tokens
done
echo "quickstart: the tools are in $bin; next: docs/tutorial.md, or scripts/test.sh (builds the rest)"
