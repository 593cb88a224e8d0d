// A layer of unquantized weights: fp32 products unless the contract leaves room for bf16 and that is
// asked for.
// RUN: sortie-opt %s --sortie-compile 2>&1 | FileCheck %s --check-prefix=FLOAT
// RUN: sed 's/<run, batch, device>/<run, batch>/' %s > %t.mlir
// RUN: sortie-opt %t.mlir --sortie-compile="unquantized=bf16" 2>&1 | FileCheck %s --check-prefix=BF16
// RUN: not sortie-opt %s --sortie-compile="unquantized=bf16" 2>&1 | FileCheck %s --check-prefix=REFUSED

// FLOAT: remark: {{.*}} unquantized=bf16 uses tensor cores where moe.contract does not promise `device`
// FLOAT: contract = [run, batch, device]
// FLOAT: moert.matmul {{.*}} @router arithmetic(float)
// FLOAT: moert.glu_matmul {{.*}} arithmetic(float)
// FLOAT: moert.matmul {{.*}} @down {{.*}} arithmetic(float)

// BF16-NOT: remark
// BF16: contract = [run, batch]
// BF16: moert.matmul {{.*}} @router arithmetic(float)
// BF16: moert.glu_matmul {{.*}} @gate, @up {{.*}} slots(4) kind(swiglu) arithmetic(bf16)
// BF16: moert.matmul {{.*}} @down {{.*}} scale(%{{.*}}) arithmetic(bf16)

// REFUSED: error: 'moe.grouped_glu' op cannot have the arithmetic of unquantized=bf16
// REFUSED-NOT: error:

module attributes {moe.contract = #moe.contract<run, batch, device>} {
  func.func @layer(%x: tensor<?x256xf32> {moe.name = "hidden"})
      -> (tensor<?x256xf32> {moe.name = "out"}) {
    %router = moe.weight "router" : tensor<16x256xbf16>
    %gate = moe.weight "gate" : tensor<16x64x256xbf16>
    %up = moe.weight "up" : tensor<16x64x256xbf16>
    %down = moe.weight "down" : tensor<16x256x64xbf16>
    %scores = moe.matmul %x, %router
      : (tensor<?x256xf32>, tensor<16x256xbf16>) -> tensor<?x16xf32>
    %ids, %weights = moe.route %scores top(4) scoring(softmax) normalize tie(lower_id)
      : (tensor<?x16xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
    %g = moe.routed_matmul %x, %gate, %ids
      : (tensor<?x256xf32>, tensor<16x64x256xbf16>, tensor<?x4xi32>) -> tensor<?x4x64xf32>
    %u = moe.routed_matmul %x, %up, %ids
      : (tensor<?x256xf32>, tensor<16x64x256xbf16>, tensor<?x4xi32>) -> tensor<?x4x64xf32>
    %a = moe.glu %g, %u kind(swiglu) : tensor<?x4x64xf32>
    %d = moe.routed_matmul %a, %down, %ids
      : (tensor<?x4x64xf32>, tensor<16x256x64xbf16>, tensor<?x4xi32>) -> tensor<?x4x256xf32>
    %out = moe.combine %d weights(%weights)
      : (tensor<?x4x256xf32>, tensor<?x4xf32>) -> tensor<?x256xf32>
    return %out : tensor<?x256xf32>
  }
}
