// A kernel that uses local memory or static shared memory is compiled, with a warning.
// RUN: sortie-opt %s --verify-diagnostics --moert-compile-kernels -o %t

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "test">} {
  // expected-warning @+1 {{kernel 'local' uses local memory on sm_80: 256 bytes a thread, 0 bytes of spill stores, 0 of loads, and 0 bytes of static shared memory}}
  moert.kernel @local "sortie_local" reads(1) writes(1) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "",
      text = "extern \22C\22 __global__ void sortie_local(const int *x, int *y) { int a[64] = {}; for (int i = 0; i < 999; ++i) a[x[i] & 63] += i; y[0] = a[y[1] & 63]; }\0A">]
}
