// Functions for several devices: their textual form and their bytecode.

// RUN: sortie-opt %s | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode -o %t.mlirbc
// RUN: sortie-opt %t.mlirbc | FileCheck %s

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  // CHECK: moert.state @here : !moert.buffer<8 x f32>
  moert.state @here : !moert.buffer<8 x f32>
  // CHECK: moert.state @there : !moert.buffer<8 x f32, device = 1>
  moert.state @there : !moert.buffer<8 x f32, device = 1>

  // CHECK: moert.func @plain("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) {
  moert.func @plain("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) device(0) {
    moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
    moert.return
  }
  // CHECK: moert.func @cpu({{.*}}) outs() target("cpu") {
  moert.func @cpu("x" %x: !moert.buffer<8 x f32>) outs() target("cpu") {
    %here = moert.state_buffer @here : !moert.buffer<8 x f32>
    moert.copy %x outs(%here) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
    moert.return
  }
  // CHECK: moert.func @second({{.*}}) outs() device(1) arena(64) {
  moert.func @second("x" %x: !moert.buffer<8 x f32, device = 1>) outs() device(1) arena(64) {
    %there = moert.state_buffer @there : !moert.buffer<8 x f32, device = 1>
    %copy = moert.buffer offset(0) : !moert.buffer<8 x f32, device = 1>
    moert.copy %x outs(%copy) : !moert.buffer<8 x f32, device = 1>, !moert.buffer<8 x f32, device = 1>
    moert.copy %copy outs(%there)
      : !moert.buffer<8 x f32, device = 1>, !moert.buffer<8 x f32, device = 1>
    moert.return
  }
  // CHECK: moert.func @both({{.*}}, space = "host">) target("cuda") device(2) {
  moert.func @both("x" %x: !moert.buffer<8 x f32, device = 2>)
      outs("y" %y: !moert.buffer<8 x f32, device = 2, space = "host">) target("cuda") device(2) {
    moert.copy %x outs(%y)
      : !moert.buffer<8 x f32, device = 2>, !moert.buffer<8 x f32, device = 2, space = "host">
    moert.return
  }
}
