// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels for AMX-INT8.

#include "runtime/cpu/kernels/MakeKernels.h"
#include "runtime/cpu/kernels/SimdAmx.h"

namespace sortie::cpu {

namespace {

/// The registers of AMX. What tile loads read has been written by other functions, called through
/// pointers, so the compiler cannot have kept it back.
struct AmxTiles {
  /// What ldtilecfg reads.
  struct alignas(64) Config {
    uint8_t palette = 1;
    uint8_t startRow = 0;
    uint8_t reserved[14] = {};
    uint16_t rowBytes[16] = {};
    uint8_t rows[16] = {};
  };

  SORTIE_KERNEL_INLINE static void configure(int rows, int bytes) {
    Config config;
    for (int sums = 0; sums < 4; ++sums) {
      config.rows[sums] = static_cast<uint8_t>(rows);
      config.rowBytes[sums] = kVectorBytes;
    }
    config.rows[4] = static_cast<uint8_t>(rows);
    config.rowBytes[4] = static_cast<uint16_t>(bytes);
    config.rows[5] = static_cast<uint8_t>(bytes / kVectorElements);
    config.rowBytes[5] = kVectorBytes;
    // gcc 12 believes that ldtilecfg reads 8 bytes, and might drop the others.
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
  }
  SORTIE_KERNEL_INLINE static void loadActivations(const void *from, size_t stride) {
    _tile_loadd(4, from, stride);
  }
  SORTIE_KERNEL_INLINE static void loadWeights(const void *from) {
    _tile_loadd(5, from, kVectorBytes);
  }
  /// Sums register `T` = activations (signed bytes) times weights (unsigned bytes).
  template <int T> SORTIE_KERNEL_INLINE static void multiply() {
    if constexpr (T == 0) {
      _tile_zero(0);
      _tile_dpbsud(0, 4, 5);
    } else if constexpr (T == 1) {
      _tile_zero(1);
      _tile_dpbsud(1, 4, 5);
    } else if constexpr (T == 2) {
      _tile_zero(2);
      _tile_dpbsud(2, 4, 5);
    } else {
      _tile_zero(3);
      _tile_dpbsud(3, 4, 5);
    }
  }
  template <int T> SORTIE_KERNEL_INLINE static void store(void *to) {
    if constexpr (T == 0)
      _tile_stored(0, to, kVectorBytes);
    else if constexpr (T == 1)
      _tile_stored(1, to, kVectorBytes);
    else if constexpr (T == 2)
      _tile_stored(2, to, kVectorBytes);
    else
      _tile_stored(3, to, kVectorBytes);
  }
  /// Gives the registers up, so that the operating system need not save them.
  SORTIE_KERNEL_INLINE static void release() { _tile_release(); }
};

} // namespace

const Kernels &amxInt8Kernels() {
  static constexpr Kernels kKernels = makeKernels<SimdAmx<AmxTiles>>();
  return kKernels;
}

} // namespace sortie::cpu
