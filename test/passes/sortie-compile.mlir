// The whole way of a small layer, from what it means to what runs.
// RUN: sortie-opt %s --sortie-compile | FileCheck %s --check-prefixes=CHECK,INT16
// RUN: sortie-opt %s --sortie-compile="target=cpu activations=int8 max-tokens=100" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,INT8
// RUN: sortie-opt %s --sortie-compile="materialize=all" | FileCheck %s --check-prefix=ALL
// Bytecode is the same program.
// RUN: sortie-opt %s --sortie-compile --emit-bytecode -o %t.mlirbc
// RUN: sortie-opt %t.mlirbc | FileCheck %s --check-prefixes=CHECK,INT16
// For CUDA the operations are launches of kernels, with an image for each chip.
// RUN: sortie-opt %s --sortie-compile="target=cuda chip=sm_90a,sm_89 max-tokens=100" \
// RUN:   | FileCheck %s --check-prefix=CUDA
// RUN: sortie-opt %s --sortie-compile="target=cuda chip=sm_90a,sm_89 max-tokens=100" \
// RUN:   --emit-bytecode -o %t.cuda
// RUN: sortie-opt %t.cuda | FileCheck %s --check-prefix=CUDA

func.func @layer(%x: tensor<?x256xf32> {moe.name = "hidden"}) -> (tensor<?x256xf32> {moe.name = "out"}) {
  %norm = moe.weight "norm" : tensor<256xf32>
  %router = moe.weight "router" : tensor<16x256xf32>
  %gate = moe.weight "gate" : tensor<16x64x256x!moe.block<q4_K>>
  %up = moe.weight "up" : tensor<16x64x256x!moe.block<q4_K>>
  %down = moe.weight "down" : tensor<16x256x64x!moe.block<q5_0>>
  %n = moe.rms_norm %x, %norm eps(1.0e-06) : tensor<?x256xf32>, tensor<256xf32>
  %scores = moe.matmul %n, %router : (tensor<?x256xf32>, tensor<16x256xf32>) -> tensor<?x16xf32>
  %ids, %weights = moe.route %scores top(4) scoring(softmax) normalize tie(lower_id)
    : (tensor<?x16xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  %g = moe.routed_matmul %n, %gate, %ids : (tensor<?x256xf32>,
    tensor<16x64x256x!moe.block<q4_K>>, tensor<?x4xi32>) -> tensor<?x4x64xf32>
  %u = moe.routed_matmul %n, %up, %ids : (tensor<?x256xf32>,
    tensor<16x64x256x!moe.block<q4_K>>, tensor<?x4xi32>) -> tensor<?x4x64xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x4x64xf32>
  %d = moe.routed_matmul %a, %down, %ids : (tensor<?x4x64xf32>,
    tensor<16x256x64x!moe.block<q5_0>>, tensor<?x4xi32>) -> tensor<?x4x256xf32>
  %c = moe.combine %d weights(%weights) : (tensor<?x4x256xf32>, tensor<?x4xf32>) -> tensor<?x256xf32>
  %out = moe.add %c, %x : tensor<?x256xf32>
  return %out : tensor<?x256xf32>
}

// CHECK: moert.program = #moert.program<abi = 5, {{.*}} target = "cpu", contract = [run, batch, device]
// INT16: moert.symbol @tokens max(8192)
// INT8: moert.symbol @tokens max(100)
// CHECK: moert.func @layer("hidden" %[[X:.*]]: {{.*}}) outs("out" %[[OUT:.*]]: {{.*}}) arena(
// CHECK: moert.rms_norm %[[X]], @norm
// CHECK: moert.checkpoint "layer.rms_norm" = %[[N:.*]] :
// INT16: moert.quantize %[[N]] outs(%[[Q:.*]]) : {{.*}} x act16>
// INT8: moert.quantize %[[N]] outs(%[[Q:.*]]) : {{.*}} x act8>
// CHECK: moert.matmul %[[N]], @router arithmetic(float)
// CHECK: moert.route
// CHECK: moert.dispatch
// INT16: moert.glu_matmul %[[Q]], @gate, @up {{.*}} slots(4) kind(swiglu) arithmetic(exact) outs(%[[A:.*]]) : {{.*}}<4*tokens x 64 x act16>
// INT8: moert.glu_matmul %[[Q]], @gate, @up {{.*}} slots(4) kind(swiglu) arithmetic(exact) outs(%[[A:.*]]) : {{.*}}<4*tokens x 64 x act8>
// CHECK-NOT: moert.quantize
// CHECK: moert.matmul %[[A]], @down {{.*}} scale(%{{.*}}) arithmetic(exact)
// CHECK: moert.combine %{{.*}} inverse(%{{.*}}) outs
// CHECK: moert.checkpoint "layer.routed_matmul"{{$}}
// CHECK: moert.checkpoint "layer.glu"{{$}}
// CHECK: moert.add {{.*}} outs(%[[OUT]])
// CHECK: moert.return

// Every named value is stored, none is fused away.
// ALL-NOT: moert.checkpoint "{{[^"]*}}"{{$}}
// ALL: moert.checkpoint "layer.routed_matmul" = {{.*}} order
// ALL: moert.checkpoint "layer.routed_matmul_2" = {{.*}} order
// ALL: moert.checkpoint "layer.glu" = {{.*}} order
// ALL: moert.checkpoint "layer.routed_matmul_3" = {{.*}} order
// ALL: moert.combine {{.*}} weights
// ALL-NOT: moert.checkpoint "{{[^"]*}}"{{$}}

// CUDA: moert.program = #moert.program<{{.*}} target = "cuda"
// CUDA: moert.symbol @tokens max(100)
// CUDA: moert.kernel @glu_matmul_0 {{.*}} images [#moert.image<arch = "sm_90a", {{.*}}#moert.image<arch = "sm_89", {{.*}}#moert.image<arch = "compute_80",
// CUDA: moert.weight @gate "gate" pack(@pack_q4_K_0
// CUDA: moert.func @layer({{.*}}) arena(
// CUDA-COUNT-8: moert.launch
// CUDA-NOT: moert.launch
// CUDA: moert.check_ids
