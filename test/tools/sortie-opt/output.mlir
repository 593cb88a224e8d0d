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

// The input stays, under whatever name it is written; the same holds for what MLIR's driver writes.
// RUN: mkdir %t/files && cp %s %t/files/in.mlir && ln -s in.mlir %t/files/soft && ln %t/files/in.mlir %t/files/hard
// RUN: not sortie-opt %t/files/in.mlir -o %t/files/in.mlir 2>&1 | FileCheck %s --check-prefix=SAME
// RUN: not sortie-opt %t/files/in.mlir -o %t/files/soft 2>&1 | FileCheck %s --check-prefix=SAME
// RUN: not sortie-opt %t/files/soft -o %t/files/hard 2>&1 | FileCheck %s --check-prefix=SAME
// RUN: not sortie-opt -o %t/files/in.mlir < %t/files/in.mlir 2>&1 | FileCheck %s --check-prefix=SAME
// SAME: error: cannot write '{{.*}}' (-o): it is the same file as '{{.*}}' (the input), which is read; give the output another name
// RUN: not sortie-opt %t/files/in.mlir --mlir-generate-reproducer=%t/files/in.mlir 2>&1 | FileCheck %s --check-prefix=REPRODUCER
// REPRODUCER: error: cannot write '{{.*}}in.mlir' (--mlir-generate-reproducer)
// RUN: not sortie-opt %t/files/in.mlir --mlir-pass-pipeline-crash-reproducer=%t/files/in.mlir 2>&1 | FileCheck %s --check-prefix=CRASH
// CRASH: error: cannot write '{{.*}}in.mlir' (--mlir-pass-pipeline-crash-reproducer)
// RUN: not sortie-opt %t/files/in.mlir -o %t/files/new --log-actions-to=%t/files/new 2>&1 | FileCheck %s --check-prefix=LOG
// LOG: error: '{{.*}}new' (-o) and '{{.*}}new' (--log-actions-to) would be written to the same file
// RUN: cmp %t/files/in.mlir %s && ls %t/files | count 3

// Links are followed.
// RUN: ln -s target.mlir %t/files/link && sortie-opt %s -o %t/files/link && FileCheck %s < %t/files/target.mlir
// RUN: ls -l %t/files | FileCheck %s --check-prefix=LINK
// LINK: link -> target.mlir

// RUN: not sortie-opt %s -o %t/absent/out.mlir 2>&1 | FileCheck %s --check-prefix=ABSENT
// ABSENT: error: cannot write '{{.*}}absent/out.mlir': {{.*}}No such file or directory
// RUN: not sortie-opt %s -o /dev/full 2>&1 | FileCheck %s --check-prefix=FULL
// FULL: error: cannot write '/dev/full': No space left on device
// RUN: not sortie-opt %t/absent.mlir 2>&1 | FileCheck %s --check-prefix=INPUT
// INPUT: error: cannot open input file '{{.*}}absent.mlir': No such file or directory

// CHECK: module @here
module @here {}
