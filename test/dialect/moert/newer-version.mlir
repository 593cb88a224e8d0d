// A program in a version of the dialect that is not known yet. (The change breaks its seal.)
// RUN: sortie-opt %s --emit-bytecode -o %t.mlirbc
// RUN: %python %S/Inputs/newer_version.py %t.mlirbc %t.newer.mlirbc
// RUN: not sortie-opt --allow-unsealed %t.newer.mlirbc 2>&1 | FileCheck %s
// CHECK: newer.mlirbc:{{.*}} error: the program uses version 99 of the dialect moert, this tool knows version 1 to 3; use a newer one, or compile the program again

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(8)
}
