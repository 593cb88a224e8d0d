// Output files appear whole or not at all.
// RUN: rm -rf %t && mkdir %t
// RUN: sortie-opt %s -o %t/out.mlir && FileCheck %s < %t/out.mlir
// RUN: sortie-opt %s -o - | FileCheck %s

// A failure leaves the old file alone, and nothing else behind.
// RUN: cp %t/out.mlir %t/before.mlir
// RUN: echo "nonsense" > %t/nonsense.mlir
// RUN: not sortie-opt %t/nonsense.mlir -o %t/out.mlir
// RUN: cmp %t/out.mlir %t/before.mlir
// RUN: ls %t | count 3

// A folder may have any name.
// RUN: mkdir "%t/100%%" && sortie-opt %s -o "%t/100%%/out.mlir" && ls "%t/100%%" | count 1

// RUN: not sortie-opt %s -o %t/absent/out.mlir 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: error: cannot write '{{.*}}absent/out.mlir': {{.*}}No such file or directory
// RUN: not sortie-opt %s -o /dev/full 2>&1 | FileCheck %s --check-prefix=FULL
// FULL: error: cannot write '/dev/full': No space left on device
// RUN: not sortie-opt %t/absent.mlir 2>&1 | FileCheck %s --check-prefix=INPUT
// INPUT: error: cannot open input file '{{.*}}absent.mlir': No such file or directory

// CHECK: module @here
module @here {}
