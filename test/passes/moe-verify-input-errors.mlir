// RUN: sortie-opt %s --moe-verify-input --split-input-file --verify-diagnostics
// RUN: not sortie-opt %s --split-input-file --sortie-compile="max-tokens=4 activations=int8" 2>&1 \
// RUN:   | FileCheck %s
// RUN: sortie-opt %S/sortie-compile.mlir --sortie-compile --emit-bytecode -o %t.mlirbc
// RUN: not sortie-opt %t.mlirbc --sortie-compile -o %t.never 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BYTECODE
// RUN: not ls %t.never
// BYTECODE: error: the module is a program already, compiled by 'sortie {{.*}}' for target 'cpu'

// CHECK: error: the module is a program already, compiled by 'by hand' for target 'cuda'
// expected-error @below {{the module is a program already, compiled by 'by hand' for target 'cuda'; compile the graph that it was made from}}
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(8)
}

// -----

// expected-error @below {{the module has no functions, so there is nothing to compile; if the input is empty, look at the command that was to write it}}
module attributes {moe.numerics = 1} {}

// -----

// A cache alone is no program.
// expected-error @below {{the module has no functions, so there is nothing to compile}}
module {
  lm.cache @c : !lm.cache<1 x 8 x 8>
}
