// Dense products of floats whose rows are gathered, with a bias, gated, and with routing weights: the GPU
// gives the CPU's bits. Beside them a product of the same shape that gathers nothing, and one of other slots.

// RUN: sortie-opt %s --sortie-compile --emit-bytecode -o %t.cpu
// RUN: env %emulated sortie-opt %s --sortie-compile="target=cuda chip=sm_80" --emit-bytecode -o %t.cuda
// RUN: %python %S/Inputs/abi3/ids.py %t.ids.npy 70 8
// DEFINE: %{run} = --weights random:seed=1 --input x=random:seed=2,tokens=70 --input ids=%t.ids.npy --checksums
// RUN: sortie-run %t.cpu %{run} > %t.cpu.txt
// RUN: FileCheck %s < %t.cpu.txt
// RUN: env %emulated sortie-run %t.cuda %{run} | diff %t.cpu.txt -
// RUN: sortie-opt %s --sortie-compile | FileCheck %s --check-prefix=FUSED
// FUSED: moert.glu_matmul %x, @w, @w2 permutation
// FUSED: moert.glu_matmul %x, @h, @b permutation
// FUSED: moert.matmul %x, @w permutation({{.*}}) slots(2) bias(@bias) scale(
// CHECK-COUNT-8: f:{{[a-z0-9_]+}} {{[0-9a-f]+$}}

func.func @f(%x: tensor<?x160xf32> {moe.name = "x"}, %ids: tensor<?x2xi32> {moe.name = "ids"})
    -> (tensor<?x2x48xf32> {moe.name = "f32"}, tensor<?x2x48xf32> {moe.name = "f16"},
        tensor<?x2x48xf32> {moe.name = "bf16"}, tensor<?x2x48xf32> {moe.name = "gated"},
        tensor<?x48xf32> {moe.name = "combined"}, tensor<?x48xf32> {moe.name = "plain"},
        tensor<?x2x64xf32> {moe.name = "wide"}, tensor<?x2x48xf32> {moe.name = "mixed"}) {
  %w = moe.weight "w" : tensor<48x160xf32>
  %w2 = moe.weight "w2" : tensor<48x160xf32>
  %h = moe.weight "h" : tensor<48x160xf16>
  %b = moe.weight "b" : tensor<48x160xbf16>
  %n = moe.weight "n" : tensor<64x160xf32>
  %bias = moe.weight "bias" : tensor<48xf32>
  %router = moe.weight "router" : tensor<2x160xf32>
  %permutation, %inverse, %offsets = moe.dispatch %ids experts(8)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  %rows = moe.gather %x, %permutation slots(2)
    : (tensor<?x160xf32>, tensor<?xi32>) -> tensor<?x160xf32>
  %0 = moe.matmul %rows, %w : (tensor<?x160xf32>, tensor<48x160xf32>) -> tensor<?x48xf32>
  %1 = moe.matmul %rows, %h bias(%bias)
    : (tensor<?x160xf32>, tensor<48x160xf16>, tensor<48xf32>) -> tensor<?x48xf32>
  %2 = moe.matmul %rows, %b : (tensor<?x160xf32>, tensor<48x160xbf16>) -> tensor<?x48xf32>
  %3 = moe.matmul %rows, %w2 bias(%bias)
    : (tensor<?x160xf32>, tensor<48x160xf32>, tensor<48xf32>) -> tensor<?x48xf32>
  %4 = moe.matmul %rows, %w : (tensor<?x160xf32>, tensor<48x160xf32>) -> tensor<?x48xf32>
  %gated = moe.glu %4, %3 kind(swiglu) : tensor<?x48xf32>
  %wide = moe.matmul %rows, %n : (tensor<?x160xf32>, tensor<64x160xf32>) -> tensor<?x64xf32>
  %5 = moe.matmul %rows, %h : (tensor<?x160xf32>, tensor<48x160xf16>) -> tensor<?x48xf32>
  %6 = moe.matmul %rows, %b : (tensor<?x160xf32>, tensor<48x160xbf16>) -> tensor<?x48xf32>
  %mixed = moe.glu %5, %6 kind(swiglu) : tensor<?x48xf32>
  %scores = moe.matmul %x, %router : (tensor<?x160xf32>, tensor<2x160xf32>) -> tensor<?x2xf32>
  %order, %weights = moe.route %scores top(2) scoring(sigmoid) tie(lower_id)
    : (tensor<?x2xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %plain = moe.matmul %x, %w : (tensor<?x160xf32>, tensor<48x160xf32>) -> tensor<?x48xf32>
  %u0 = moe.unsort %0, %inverse : (tensor<?x48xf32>, tensor<?x2xi32>) -> tensor<?x2x48xf32>
  %u1 = moe.unsort %1, %inverse : (tensor<?x48xf32>, tensor<?x2xi32>) -> tensor<?x2x48xf32>
  %u2 = moe.unsort %2, %inverse : (tensor<?x48xf32>, tensor<?x2xi32>) -> tensor<?x2x48xf32>
  %u3 = moe.unsort %gated, %inverse : (tensor<?x48xf32>, tensor<?x2xi32>) -> tensor<?x2x48xf32>
  %u4 = moe.unsort %wide, %inverse : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %u5 = moe.unsort %mixed, %inverse : (tensor<?x48xf32>, tensor<?x2xi32>) -> tensor<?x2x48xf32>
  %scaled = moe.grouped_matmul %x, %w permutation(%permutation) slots(2) bias(%bias) scale(%weights)
    : (tensor<?x160xf32>, tensor<48x160xf32>, tensor<?xi32>, tensor<48xf32>, tensor<?x2xf32>)
    -> tensor<?x48xf32>
  %combined = moe.combine %scaled inverse(%inverse)
    : (tensor<?x48xf32>, tensor<?x2xi32>) -> tensor<?x48xf32>
  return %u0, %u1, %u2, %u3, %combined, %plain, %u4, %u5
    : tensor<?x2x48xf32>, tensor<?x2x48xf32>, tensor<?x2x48xf32>, tensor<?x2x48xf32>, tensor<?x48xf32>,
      tensor<?x48xf32>, tensor<?x2x64xf32>, tensor<?x2x48xf32>
}
