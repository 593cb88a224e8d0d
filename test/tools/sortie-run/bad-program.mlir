// Programs that sortie-run refuses; unit tests of the loader have the rest.

// RUN: not sortie-run %s --describe 2>&1 | FileCheck %s
// CHECK: sortie-run: error: {{.*}}bad-program.mlir: keeps version 77 of the numerics contract, this runtime computes by versions 1 to 2; compile it with the sortie-opt of this version

// RUN: sed 's/numerics = 77/numerics = 0/; s/abi = 3/abi = 9/' %s > %t.abi.mlir
// RUN: not sortie-run %t.abi.mlir --describe 2>&1 | FileCheck %s --check-prefix=ABI
// ABI: has ABI version 9, this runtime runs versions 3 to 5; use a newer runtime, or

// RUN: sed 's/tokens x 8 x f32/tokens x 8 x f33/' %s > %t.text.mlir
// RUN: not sortie-run %t.text.mlir --describe 2>&1 | FileCheck %s --check-prefix=TEXT
// TEXT: not a valid program: line {{[0-9]+}}, column {{[0-9]+}}: unknown element kind 'f33'

// RUN: not sortie-run %S/run.test --describe 2>&1 | FileCheck %s --check-prefix=FOREIGN
// FOREIGN: run.test: {{not a valid program|is not a compiled program}}

module attributes {moert.program = #moert.program<abi = 3, numerics = 77, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>) {
    moert.copy %x outs(%y) : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>
    moert.return
  }
}
