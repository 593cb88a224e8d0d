#!/usr/bin/env bash
# From a fresh clone to text: builds the tools (scripts/setup.sh), then has a small trained model
# write, measures its perplexity and speed, and runs a layer of the shape of qwen3-30b-a3b, with a
# table of tokens, time, checksum and error against float64. What it makes stays in build/quickstart.
#
#   scripts/quickstart.sh [int16|int8]        the activations to compile for; default int16
set -euo pipefail
cd "$(dirname "$0")/.."
activations=${1:-int16}
work=build/quickstart
tiny=test/models/tiny-qwen3moe
model=$tiny/tiny-qwen3moe-q4_0.gguf
python=build/venv/bin/python
bin=build/release/bin
export SORTIE_CACHE_DIR=$work/cache # where sortie keeps what it compiles

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
  trap '[ -z "$writer" ] || kill "$writer" 2>/dev/null || true' EXIT
fi
scripts/setup.sh
if [ -n "$writer" ]; then
  wait "$writer" || { cat $work/layer.log >&2 && exit 1; }
  writer=
fi

prompt="In the beginning"
echo "quickstart: sortie generate $model --prompt \"$prompt\" -n 64"
printf '\n%s' "$prompt"
$bin/sortie generate $model --prompt "$prompt" -n 64 "--activations=$activations"
echo
echo "quickstart: its perplexity over eight passages of 192 tokens"
$python scripts/quickstart_perplexity.py $model "--bin=$bin" "--work=$work" \
  "--reference=$tiny/q4_0.logits.npz" "--activations=$activations"
echo
echo "quickstart: sortie bench $model -p 512 -n 64"
$bin/sortie bench $model -p 512 -n 64 "--activations=$activations"

echo
echo "quickstart: a layer of qwen3-30b-a3b, its feed-forward half"
$bin/sortie-translate --import-gguf --what=ffn $work/qwen3-30b-a3b.gguf -o $work/qwen3.mlir
$bin/sortie-opt $work/qwen3.mlir --sortie-compile="target=cpu activations=$activations" \
  --emit-bytecode -o $work/qwen3.mlirbc
table=("$python" scripts/quickstart_table.py "--bin=$bin" "--work=$work")
"${table[@]}" --header
for tokens in 1 32 512; do
  "${table[@]}" --program $work/qwen3.mlirbc --weights $work/qwen3-30b-a3b.gguf --layer 0 \
    --input $work/qwen3.npy --reference $work/qwen3.npz --tokens $tokens
done
echo "quickstart: the tools are in $bin; next: docs/tutorial.md, or scripts/test.sh (builds the rest)"
