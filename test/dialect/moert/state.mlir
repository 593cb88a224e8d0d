// States, and what only functions that have one may do: read before anything is written, write twice, in
// place, write rows, and have no output.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(8)
  moert.weight @norm "norm.weight" : 16xf32

  // CHECK: moert.state @sum : !moert.buffer<1 x 16 x f32>
  moert.state @sum : !moert.buffer<1 x 16 x f32>
  // CHECK: moert.state @ring : !moert.buffer<4 x 16 x bf16>
  moert.state @ring : !moert.buffer<4 x 16 x bf16>
  // CHECK: moert.state @"any name" : !moert.buffer<2 x i32>
  moert.state @"any name" : !moert.buffer<2 x i32>
  moert.state @places : !moert.buffer<4 x i32>

  // CHECK: moert.func @accumulate("x" %x: !moert.buffer<1 x 16 x f32>) outs()
  moert.func @accumulate("x" %x: !moert.buffer<1 x 16 x f32>) outs() {
    // CHECK: %[[SUM:.*]] = moert.state_buffer @sum : !moert.buffer<1 x 16 x f32>
    %sum = moert.state_buffer @sum : !moert.buffer<1 x 16 x f32>
    // CHECK: moert.add %[[SUM]], %x outs(%[[SUM]])
    moert.add %sum, %x outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    moert.add %x, %sum outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    moert.add %sum, %sum outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    // CHECK: moert.glu %[[SUM]], %x kind(swiglu) outs(%[[SUM]])
    moert.glu %sum, %x kind(swiglu) outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    // CHECK: moert.rms_norm %[[SUM]], @norm eps({{.*}}) outs(%[[SUM]])
    moert.rms_norm %sum, @norm eps(1.0e-06) outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    moert.return
  }

  // CHECK: moert.func @turn
  moert.func @turn("x" %x: !moert.buffer<tokens x 16 x bf16>,
                   "index" %index: !moert.buffer<tokens x i32>)
      outs("y" %y: !moert.buffer<tokens x 16 x bf16>) {
    // CHECK: %[[RING:.*]] = moert.state_buffer @ring
    %ring = moert.state_buffer @ring : !moert.buffer<4 x 16 x bf16>
    // CHECK: moert.read_rows %[[RING]], %index outs(%y)
    // CHECK-SAME: : !moert.buffer<4 x 16 x bf16>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 16 x bf16>
    moert.read_rows %ring, %index outs(%y)
      : !moert.buffer<4 x 16 x bf16>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x 16 x bf16>
    // CHECK: moert.write_rows %x, %index outs(%[[RING]])
    moert.write_rows %x, %index outs(%ring)
      : !moert.buffer<tokens x 16 x bf16>, !moert.buffer<tokens x i32>,
        !moert.buffer<4 x 16 x bf16>
    moert.return
  }

  // CHECK: moert.func @widen
  moert.func @widen("x" %x: !moert.buffer<tokens x 16 x f16>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>, "z" %z: !moert.buffer<tokens x 16 x bf16>) {
    // CHECK: moert.convert %x outs(%y) : !moert.buffer<tokens x 16 x f16>, !moert.buffer<tokens x 16 x f32>
    moert.convert %x outs(%y) : !moert.buffer<tokens x 16 x f16>, !moert.buffer<tokens x 16 x f32>
    // CHECK: moert.convert %y outs(%z) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x bf16>
    moert.convert %y outs(%z) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x bf16>
    moert.return
  }

  // CHECK: moert.func @status
  moert.func @status() outs("y" %y: !moert.buffer<2 x i32>, "z" %z: !moert.buffer<4 x i32>) {
    %state = moert.state_buffer @"any name" : !moert.buffer<2 x i32>
    moert.checkpoint "state" = %state : !moert.buffer<2 x i32>
    moert.copy %state outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
    // CHECK: moert.check_rows %{{.*}} rows(4) : !moert.buffer<2 x i32>
    moert.check_rows %y rows(4) : !moert.buffer<2 x i32>
    %places = moert.state_buffer @places : !moert.buffer<4 x i32>
    moert.copy %places outs(%z) : !moert.buffer<4 x i32>, !moert.buffer<4 x i32>
    // CHECK: moert.check_places %{{.*}} : !moert.buffer<4 x i32>
    moert.check_places %z : !moert.buffer<4 x i32>
    moert.return
  }
}
