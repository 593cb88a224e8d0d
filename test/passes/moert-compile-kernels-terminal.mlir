// On a terminal kernels are counted; the counter is erased before an error is written.
// RUN: env TERM=dumb %python -c "import pty; pty.spawn(['sortie-opt', '%s', '--moert-compile-kernels=cache=none'])" \
// RUN:   < /dev/null > %t
// RUN: FileCheck %s < %t
// Nothing is counted elsewhere.
// RUN: not sortie-opt %s --moert-compile-kernels=cache=none 2>&1 | FileCheck %s --check-prefix=FILE

// CHECK:     compiling kernels 2 of 2
// CHECK-NOT: compiling
// CHECK-NOT: error:
// CHECK:     [K{{.*}}:[[@LINE+8]]:3: error: cannot compile kernel 'sortie_broken' for sm_80
// CHECK-NOT: compiling
// CHECK-NOT: [K

// FILE-NOT: compiling

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.kernel @broken "sortie_broken" reads(1) writes(1) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "", text = "int x = nothing;\0A">,
    #moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "int x = nothing;\0A">]
}
