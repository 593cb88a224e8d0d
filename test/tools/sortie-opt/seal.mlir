// Bytecode is sealed, whatever asked for it.
// RUN: sortie-opt %s --split-input-file -o %t.split && FileCheck %s --check-prefix=TEXT < %t.split
// RUN: sortie-opt %s --emit-bytecode -o %t.mlirbc && head -c 50 %t.mlirbc | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode --emit-bytecode-version=6 | head -c 50 | FileCheck %s
// RUN: sortie-opt %t.mlirbc --emit-bytecode -o %t.again.mlirbc && cmp %t.mlirbc %t.again.mlirbc
// RUN: sortie-opt %t.mlirbc | FileCheck %s --check-prefix=TEXT
// RUN: echo "module {}" | sortie-opt --emit-bytecode | head -c 50 | FileCheck %s

// The seal is checked before a program is read, so that no damage gets a seal of its own.
// RUN: %python %S/Inputs/flip.py %t.mlirbc %t.damaged.mlirbc -1
// RUN: not sortie-opt %t.damaged.mlirbc -o %t.never 2>&1 | FileCheck %s --check-prefix=DAMAGED
// RUN: not sortie-opt - < %t.damaged.mlirbc 2>&1 | FileCheck %s --check-prefix=DAMAGED
// RUN: not ls %t.never
// DAMAGED: error: {{.*}}: the program is damaged: its contents hash to {{.*}}, its seal says {{.*}}; compile it again, or copy it again
// RUN: %python %S/Inputs/flip.py %t.mlirbc %t.headless.mlirbc 6
// RUN: not sortie-opt %t.headless.mlirbc 2>&1 | FileCheck %s --check-prefix=HEADLESS
// HEADLESS: headless.mlirbc: the program has no seal: it is damaged, or another tool wrote it; compile it again, copy it again, or give --allow-unsealed
// RUN: sortie-opt %t.headless.mlirbc --allow-unsealed --emit-bytecode | cmp - %t.mlirbc
// RUN: not sortie-opt %t.mlirbc --split-input-file 2>&1 | FileCheck %s --check-prefix=SPLIT
// RUN: not sortie-opt %t.mlirbc --split-input-file --allow-unsealed 2>&1 | FileCheck %s --check-prefix=SPLIT
// SPLIT: seal.mlir.tmp.mlirbc: is bytecode, which cannot be split; leave --split-input-file out

// CHECK: sortie:{{[0-9a-f]+}}
// TEXT: moert.program
// TEXT: moert.symbol @tokens max(8)
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(8)
}
