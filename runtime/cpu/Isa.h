// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The instruction sets that the CPU device has kernels for, and which of them this machine runs.

#ifndef SORTIE_RUNTIME_CPU_ISA_H
#define SORTIE_RUNTIME_CPU_ISA_H

#include "llvm/ADT/StringRef.h"

#include <array>
#include <optional>

namespace sortie::cpu {

/// Instruction sets, in ascending order of preference.
enum class Isa {
  Portable,   ///< plain C++
  Avx2,       ///< AVX2, FMA, F16C
  AvxVnni,    ///< ... and AVX-VNNI (256-bit vpdpbusd)
  Avx512Vnni, ///< AVX-512 F, BW, DQ, VL and VNNI
  AmxInt8,    ///< ... and AMX-TILE, AMX-INT8
};

inline constexpr std::array<Isa, 5> kAllIsas = {Isa::Portable, Isa::Avx2, Isa::AvxVnni,
                                                Isa::Avx512Vnni, Isa::AmxInt8};

/// The name that `--cpu-isa` takes: portable, avx2, avx-vnni, avx512-vnni, amx-int8.
llvm::StringRef isaName(Isa isa);
std::optional<Isa> parseIsa(llvm::StringRef name);

/// Whether processor and operating system let this process use the instruction set. For AMX this
/// asks the kernel for the tile registers, once for the process.
bool isAvailable(Isa isa);

/// The best available one.
Isa bestIsa();

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_ISA_H
