// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The AMX kernels with the tile registers in software.

#include "test/unit/cpu/EmulatedKernels.h"

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdAmx.h"

#include <cstring>

namespace sortie::cpu {

namespace {

/// A tile register: up to 16 rows of 64 bytes. Loads clear what lies outside the configured shape.
struct Register {
  int rows = 0;
  int rowBytes = 0;
  uint8_t bytes[16][64] = {};

  void load(const void *from, size_t stride) {
    std::memset(bytes, 0, sizeof bytes);
    for (int row = 0; row < rows; ++row)
      std::memcpy(bytes[row],
                  static_cast<const uint8_t *>(from) + static_cast<size_t>(row) * stride,
                  static_cast<size_t>(rowBytes));
  }
};

struct Registers {
  Register sums[4];
  Register activations;
  Register weights;
};

/// Each thread has its own, as it has with the real ones. Not configured: no rows.
thread_local Registers registers;

struct SoftwareTiles {
  static void configure(int rows, int bytes) {
    registers = Registers();
    for (Register &sums : registers.sums) {
      sums.rows = rows;
      sums.rowBytes = 64;
    }
    registers.activations.rows = rows;
    registers.activations.rowBytes = bytes;
    registers.weights.rows = bytes / 4;
    registers.weights.rowBytes = 64;
  }
  static void loadActivations(const void *from, size_t stride) {
    registers.activations.load(from, stride);
  }
  static void loadWeights(const void *from) { registers.weights.load(from, 64); }
  template <int T> static void multiply() {
    Register &sums = registers.sums[T];
    for (int m = 0; m < sums.rows; ++m)
      for (int n = 0; n < 16; ++n) {
        int32_t sum = 0;
        for (int k = 0; k < registers.activations.rowBytes; ++k)
          sum += static_cast<int8_t>(registers.activations.bytes[m][k]) *
                 registers.weights.bytes[k / 4][4 * n + k % 4];
        std::memcpy(&sums.bytes[m][4 * n], &sum, sizeof sum);
      }
  }
  template <int T> static void store(void *to) {
    const Register &sums = registers.sums[T];
    for (int row = 0; row < sums.rows; ++row)
      std::memcpy(static_cast<uint8_t *>(to) + row * 64, sums.bytes[row], 64);
  }
  static void release() { registers = Registers(); }
};

} // namespace

const Kernels &emulatedAmxKernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAmx<SoftwareTiles>>();
  return kKernels;
}

} // namespace sortie::cpu
