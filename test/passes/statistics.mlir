// --mlir-pass-statistics prints what passes counted, each once, in the order of the pipeline.
// RUN: sortie-opt %s --sortie-compile --mlir-pass-statistics -o %t 2>&1 | FileCheck %s
// RUN: sortie-opt %s --moe-name-values --mlir-pass-statistics -o %t 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ONE
// RUN: sortie-opt %s --sortie-compile -o %t 2>&1 | count 0

// The report has one form; MLIR's option for its own is not there. What MLIR's passes count is not
// counted in all builds of LLVM, and not in the report.
// RUN: sortie-opt --help-hidden | FileCheck %s --check-prefix=OPTIONS
// OPTIONS-NOT: --mlir-pass-statistics-display
// RUN: not sortie-opt %s --mlir-pass-statistics --mlir-pass-statistics-display=list 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DISPLAY
// DISPLAY: Unknown command line argument '--mlir-pass-statistics-display=list'
// RUN: sortie-opt %s --cse --mlir-pass-statistics -o %t 2>&1 | FileCheck %s --check-prefix=MLIR
// MLIR: Pass statistics report
// MLIR-NOT: {{.}}

// CHECK: Pass statistics report
// CHECK: moe-name-values
// CHECK-NEXT: {{^ +}}6 values-named - Values that had no name
// CHECK: moe-dispatch-by-sort
// CHECK-NEXT: {{^ +}}0 dispatches - Sorts that were made
// CHECK-NEXT: {{^ +}}0 routed-matmuls
// CHECK-NEXT: {{^ +}}4 dense-matmuls - Dense matmuls that became grouped with one group
// CHECK: moe-fuse-glu
// CHECK-NEXT: {{^ +}}2 glus-fused
// CHECK: moe-choose-arithmetic
// CHECK: moe-lower-to-moert
// CHECK-NEXT: {{^ +}}2 functions - Functions that were lowered
// CHECK: moert-plan-memory
// CHECK: {{^ +}}0 arena-bytes
// CHECK-NOT: moe

// ONE: Pass statistics report
// ONE-NEXT: moe-name-values
// ONE-NEXT: 6 values-named
// ONE-NOT: moe

func.func @one(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %g = moe.weight "g" : tensor<32x64xf32>
  %u = moe.weight "u" : tensor<32x64xf32>
  %0 = moe.matmul %x, %g : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %1 = moe.matmul %x, %u : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %2 = moe.glu %0, %1 kind(swiglu) : tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}

func.func @two(%x: tensor<?x64xf32>) -> tensor<?x32xf32> {
  %g = moe.weight "g" : tensor<32x64xf32>
  %u = moe.weight "u" : tensor<32x64xf32>
  %0 = moe.matmul %x, %g : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %1 = moe.matmul %x, %u : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %2 = moe.glu %0, %1 kind(swiglu) : tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}
