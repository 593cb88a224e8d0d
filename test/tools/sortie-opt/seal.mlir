// Bytecode of a program is sealed, whatever asked for it; other bytecode is left alone.
// RUN: sortie-opt %s --split-input-file -o %t.split && FileCheck %s --check-prefix=TEXT < %t.split
// RUN: sortie-opt %s --emit-bytecode -o %t.mlirbc && head -c 50 %t.mlirbc | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode --emit-bytecode-version=6 | head -c 50 | FileCheck %s
// RUN: sortie-opt %t.mlirbc --emit-bytecode -o %t.again.mlirbc && cmp %t.mlirbc %t.again.mlirbc
// RUN: sortie-opt %t.mlirbc | FileCheck %s --check-prefix=TEXT
// RUN: echo "module {}" | sortie-opt --emit-bytecode | head -c 50 | FileCheck %s --check-prefix=OTHER

// CHECK: sortie:{{[0-9a-f]+}}
// OTHER-NOT: sortie:
// TEXT: moert.program
// TEXT: moert.symbol @tokens max(8)
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(8)
}
