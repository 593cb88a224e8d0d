// One thread and many, plain C++ and the processor's instructions: the same hash of every value.
// RUN: sortie-opt "%s" --sortie-compile="target=cpu" --emit-bytecode -o "%t.mlirbc"
// RUN: sortie-run "%t.mlirbc" --weights random:seed=1 --input x=random:seed=2,tokens=5 \
// RUN:   --checksums > "%t.many"
// RUN: sortie-run "%t.mlirbc" --weights random:seed=1 --input x=random:seed=2,tokens=5 \
// RUN:   --threads 1 --cpu-isa portable --checksums > "%t.one"
// RUN: sortie-run --compare-checksums "%t.many" "%t.one" | FileCheck "%s" --check-prefix=SAME
// SAME: no difference
//
// Other inputs have other hashes, or the test above could not fail.
// RUN: sortie-run "%t.mlirbc" --weights random:seed=1 --input x=random:seed=3,tokens=5 \
// RUN:   --checksums > "%t.other"
// RUN: not sortie-run --compare-checksums "%t.many" "%t.other"

module attributes {moe.contract = #moe.contract<run, batch, device>} {
  func.func @project(%x: tensor<?x64xf32> {moe.name = "x"}) -> (tensor<?x32xf32> {moe.name = "y"}) {
    %w = moe.weight "w" : tensor<32x64x!moe.block<q8_0>>
    %y = moe.matmul %x, %w : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
    return %y : tensor<?x32xf32>
  }
}
