// RUN: sortie-opt %s --moe-lower-to-moert="max-tokens=64" --split-input-file | FileCheck %s
// A program is left alone.
// RUN: sortie-opt %s --moe-lower-to-moert="max-tokens=64" --moe-lower-to-moert --split-input-file \
// RUN:   | FileCheck %s

// What the module promises and belongs to becomes a part of the program.
// CHECK: module attributes {moert.fingerprint_keys = ["general.architecture", "a.expert_count"], moert.program = #moert.program<abi = 5, numerics = {{[0-9]+}}, target = "cpu", contract = [run, batch], features = [], producer = "sortie {{.*}}">, moert.weight_hashes = {norm = "0123456789abcdef0123456789abcdef"}, moert.weights_fingerprint = "2:0123456789abcdef"}
module attributes {moe.contract = #moe.contract<run, batch>,
                   moe.weights_fingerprint = "2:0123456789abcdef",
                   moe.fingerprint_keys = ["general.architecture", "a.expert_count"],
                   moe.weight_hashes = {norm = "0123456789abcdef0123456789abcdef"}} {
  // CHECK-NEXT: moert.symbol @tokens max(64)
  // Each tensor of the model once, in the order of first use.
  // CHECK-NEXT: moert.weight @norm "norm" : 64xf32
  // CHECK-NEXT: moert.weight @router.w "router.w" : 4x64xf32
  // CHECK-NEXT: moert.weight @bias "bias" : 4xf32
  // CHECK-NEXT: moert.weight @up "up" : 4x128x64xq4_0
  // CHECK-NEXT: moert.weight @up.bias "up.bias" : 4x128xf32
  // CHECK-NEXT: moert.weight @down "down" : 4x64x128xbf16
  // CHECK-NOT: moert.weight

  // CHECK: moert.func @layer("x" %[[X:.*]]: !moert.buffer<tokens x 64 x f32>) outs("y" %[[Y:.*]]: !moert.buffer<tokens x 64 x f32>)
  func.func @layer(%x: tensor<?x64xf32> {moe.name = "x"}) -> (tensor<?x64xf32> {moe.name = "y"})
      attributes {moe.values = ["norm", "gone.1", "ids", "weights", "down", "gone.2", "out", "gone.3"]} {
    %norm = moe.weight "norm" : tensor<64xf32>
    %router = moe.weight "router.w" : tensor<4x64xf32>
    %bias = moe.weight "bias" : tensor<4xf32>
    %up = moe.weight "up" : tensor<4x128x64x!moe.block<q4_0>>
    %upBias = moe.weight "up.bias" : tensor<4x128xf32>
    %down = moe.weight "down" : tensor<4x64x128xbf16>

    // CHECK-NEXT: %[[N:.*]] = moert.buffer : !moert.buffer<tokens x 64 x f32>
    // CHECK-NEXT: moert.rms_norm %[[X]], @norm eps({{.*}}) outs(%[[N]])
    // CHECK-NEXT: moert.checkpoint "norm" = %[[N]]
    %n = moe.rms_norm %x, %norm eps(1.0e-06) {moe.names = ["norm"]}
      : tensor<?x64xf32>, tensor<64xf32>
    // CHECK-NEXT: %[[S:.*]] = moert.buffer : !moert.buffer<tokens x 4 x f32>
    // CHECK-NEXT: moert.matmul %[[N]], @router.w bias(@bias) arithmetic(float) outs(%[[S]])
    %scores = moe.grouped_matmul %n, %router bias(%bias) arithmetic(float)
      : (tensor<?x64xf32>, tensor<4x64xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    // Lines of the audit keep their order: what was fused away comes where it stood.
    // CHECK: moert.route %[[S]] bias(@bias) top(2) scoring(sigmoid) groups(1 of 2) normalize scale(2.500000e+00) tie(lower_id) outs(%[[IDS:.*]], %[[WEIGHTS:.*]])
    // CHECK-NEXT: moert.checkpoint "gone.1"
    // CHECK-NEXT: moert.checkpoint "ids" = %[[IDS]] : !moert.buffer<tokens x 2 x i32>
    // CHECK-NEXT: moert.checkpoint "weights" = %[[WEIGHTS]]
    %ids, %weights = moe.route %scores bias(%bias) top(2) scoring(sigmoid) groups(1 of 2) normalize
      scale(2.5) tie(lower_id) {moe.names = ["ids", "weights"]}
      : (tensor<?x4xf32>, tensor<4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    // CHECK: moert.dispatch %[[IDS]] experts(4) outs(%[[PERM:.*]], %[[INV:.*]], %[[OFF:.*]]) : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    %perm, %inv, %off = moe.dispatch %ids experts(4)
      : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
    // CHECK: moert.quantize %[[N]] outs(%[[Q:.*]]) : {{.*}}, !moert.buffer<tokens x 64 x act8>
    %q = moe.quantize %n : tensor<?x64xf32> -> tensor<?x64x!moe.activation<int8>>
    // CHECK: %[[A:.*]] = moert.buffer : !moert.buffer<2*tokens x 128 x f32>
    // CHECK-NEXT: moert.glu_matmul %[[Q]], @up, @up offsets(%[[OFF]]) permutation(%[[PERM]]) slots(2) gate_bias(@up.bias) up_bias(@up.bias) kind(swiglu_clamped) alpha(1.702000e+00) limit(7.000000e+00) arithmetic(exact) outs(%[[A]])
    %a = moe.grouped_glu %q, %up, %up offsets(%off) permutation(%perm) slots(2)
      gate_bias(%upBias) up_bias(%upBias) kind(swiglu_clamped) alpha(1.702) limit(7.0)
      arithmetic(exact)
      : (tensor<?x64x!moe.activation<int8>>, tensor<4x128x64x!moe.block<q4_0>>,
         tensor<4x128x64x!moe.block<q4_0>>, tensor<5xi32>, tensor<?xi32>, tensor<4x128xf32>,
         tensor<4x128xf32>) -> tensor<?x128xf32>
    // Sorted rows are hashed in slot order.
    // CHECK: moert.matmul %[[A]], @down offsets(%[[OFF]]) arithmetic(float) outs(%[[D:.*]])
    // CHECK-NEXT: moert.checkpoint "down" = %[[D]] order(%[[INV]]) : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<tokens x 2 x i32>
    %d = moe.grouped_matmul %a, %down offsets(%off) arithmetic(float) {moe.names = ["down"]}
      : (tensor<?x128xf32>, tensor<4x64x128xbf16>, tensor<5xi32>) -> tensor<?x64xf32>
    // CHECK: moert.combine %[[D]] inverse(%[[INV]]) weights(%[[WEIGHTS]]) outs(%[[C:.*]])
    %c = moe.combine %d inverse(%inv) weights(%weights)
      : (tensor<?x64xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x64xf32>
    // The result is computed in the caller's buffer.
    // CHECK-NEXT: moert.add %[[C]], %[[X]] outs(%[[Y]])
    // CHECK-NEXT: moert.checkpoint "gone.2"
    // CHECK-NEXT: moert.checkpoint "out" = %[[Y]]
    // CHECK-NEXT: moert.checkpoint "gone.3"
    // CHECK-NEXT: moert.return
    %out = moe.add %c, %x {moe.names = ["out"]} : tensor<?x64xf32>
    return %out : tensor<?x64xf32>
  }
  // A second function shares the weights.
  // CHECK: moert.func @second("arg0" %{{.*}}: !moert.buffer<3 x 64 x f32>) outs("out0" %{{.*}}
  // CHECK: moert.rms_norm %{{.*}}, @norm
  func.func @second(%x: tensor<3x64xf32>) -> tensor<3x64xf32> {
    %norm = moe.weight "norm" : tensor<64xf32>
    %n = moe.rms_norm %x, %norm eps(1.0e-06) : tensor<3x64xf32>, tensor<64xf32>
    return %n : tensor<3x64xf32>
  }
}

// -----

// The ops that fusion leaves over. Without a contract the module promises everything.
// CHECK: contract = [run, batch, device]
// CHECK: moert.func @unfused("arg0" %[[X:.*]]: !moert.buffer<tokens x 64 x f32>, "arg1" %[[IDS:.*]]: !moert.buffer<tokens x 2 x i32>)
func.func @unfused(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>) -> tensor<?x64xf32> {
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  // CHECK: moert.gather %[[X]], %{{.*}} slots(2) outs(%[[G:.*]]) : {{.*}}, !moert.buffer<2*tokens x 64 x f32>
  %g = moe.gather %x, %perm slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  // CHECK: moert.glu %[[G]], %[[G]] kind(swiglu) outs(%[[A:.*]]) :
  %a = moe.glu %g, %g kind(swiglu) : tensor<?x64xf32>
  // CHECK: moert.unsort %[[A]], %{{.*}} outs(%[[U:.*]]) : {{.*}}, !moert.buffer<tokens x 2 x 64 x f32>
  %u = moe.unsort %a, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  // CHECK: moert.combine %[[U]] outs
  %c = moe.combine %u : (tensor<?x2x64xf32>) -> tensor<?x64xf32>
  return %c : tensor<?x64xf32>
}

// -----

// What is returned twice, or handed through, is copied.
// CHECK: moert.func @outputs("arg0" %[[X:.*]]: {{.*}}) outs("out0" %[[A:.*]]: {{.*}}, "out1" %[[B:.*]]: {{.*}}, "out2" %[[C:.*]]: {{.*}})
func.func @outputs(%x: tensor<?x64xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>) {
  // CHECK-NEXT: moert.add %[[X]], %[[X]] outs(%[[A]])
  // CHECK-NEXT: moert.copy %[[A]] outs(%[[B]])
  // CHECK-NEXT: moert.copy %[[X]] outs(%[[C]])
  %0 = moe.add %x, %x : tensor<?x64xf32>
  return %0, %0, %x : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?x64xf32>
}
