// RUN: not sortie-opt %s --moert-compile-kernels="cache=none" 2>&1 | FileCheck %s
// RUN: env SORTIE_NVRTC=/nowhere/libnvrtc.so.13 not sortie-opt %s --moert-compile-kernels 2>&1 \
// RUN:   | FileCheck %s --check-prefix=LIBRARY

// LIBRARY: error: cannot load NVRTC from SORTIE_NVRTC: /nowhere/libnvrtc.so.13

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "test">} {
  // One error a kernel, with the compiler's log.
  // CHECK: [[@LINE+5]]:3: error: cannot compile kernel 'sortie_broken' for sm_80: NVRTC refused it: NVRTC_ERROR_COMPILATION
  // CHECK: sortie_broken.cu(1): error: identifier "nothing" is undefined
  // CHECK: error: cannot compile kernel 'sortie_other' for sm_80
  // CHECK: cannot open source file "codegen/kernels/Nothing.h"
  // CHECK-NOT: error: cannot
  moert.kernel @broken "sortie_broken" reads(1) writes(1) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "", text = "int x = nothing;\0A">,
    #moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "int x = nothing;\0A">]
  moert.kernel @other "sortie_other" reads(1) writes(1) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "",
      text = "#include \22codegen/kernels/Nothing.h\22\0A">]
}
