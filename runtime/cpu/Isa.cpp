// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Detection of instruction sets by CPUID, XGETBV and, for AMX, arch_prctl.

#include "runtime/cpu/Isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sortie::cpu {

llvm::StringRef isaName(Isa isa) {
  switch (isa) {
  case Isa::Portable:
    return "portable";
  case Isa::Avx2:
    return "avx2";
  case Isa::AvxVnni:
    return "avx-vnni";
  case Isa::Avx512Vnni:
    return "avx512-vnni";
  case Isa::AmxInt8:
    return "amx-int8";
  }
  return "";
}

std::optional<Isa> parseIsa(llvm::StringRef name) {
  for (Isa isa : kAllIsas)
    if (isaName(isa) == name)
      return isa;
  return std::nullopt;
}

#if defined(__x86_64__)
namespace {

/// The feature bits that the choice needs.
struct Features {
  bool avx2 = false;
  bool avxVnni = false;
  bool avx512Vnni = false;
  bool amxInt8 = false;
};

bool bit(unsigned value, int position) { return (value >> position & 1) != 0; }

/// The state components that the operating system saves and restores.
unsigned enabledState() {
  unsigned low = 0;
  unsigned high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// Asks Linux for permission to use the tile data registers.
bool requestTileData() {
  constexpr long kArchReqXcompPerm = 0x1023;
  constexpr long kXfeatureXtileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtileData) == 0;
}

Features detect() {
  constexpr unsigned kAvxState = 0x6;     // SSE, AVX
  constexpr unsigned kAvx512State = 0xe6; // ..., opmask, upper halves, upper registers
  constexpr unsigned kAmxState = 0x60000; // tile configuration, tile data

  Features features;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0)
    return features;
  const bool fma = bit(c, 12);
  const bool osxsave = bit(c, 27);
  const bool f16c = bit(c, 29);
  if (!osxsave || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0)
    return features;
  const unsigned state = enabledState();
  const unsigned leaf7b = b;
  const unsigned leaf7c = c;
  const unsigned leaf7d = d;
  const unsigned subleaves = a;

  const bool hasAvxState = (state & kAvxState) == kAvxState;
  features.avx2 = hasAvxState && fma && f16c && bit(leaf7b, 5);
  if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0)
    features.avxVnni = features.avx2 && bit(a, 4);
  const bool avx512 = bit(leaf7b, 16) && bit(leaf7b, 17) && bit(leaf7b, 30) && bit(leaf7b, 31);
  features.avx512Vnni =
      features.avx2 && avx512 && bit(leaf7c, 11) && (state & kAvx512State) == kAvx512State;
  const bool amx = bit(leaf7d, 24) && bit(leaf7d, 25);
  features.amxInt8 =
      features.avx512Vnni && amx && (state & kAmxState) == kAmxState && requestTileData();
  return features;
}

const Features &features() {
  static const Features kFeatures = detect();
  return kFeatures;
}

} // namespace

bool isAvailable(Isa isa) {
  switch (isa) {
  case Isa::Portable:
    return true;
  case Isa::Avx2:
    return features().avx2;
  case Isa::AvxVnni:
    return features().avxVnni;
  case Isa::Avx512Vnni:
    return features().avx512Vnni;
  case Isa::AmxInt8:
    return features().amxInt8;
  }
  return false;
}
#else
bool isAvailable(Isa isa) { return isa == Isa::Portable; }
#endif

Isa bestIsa() {
  Isa best = Isa::Portable;
  for (Isa isa : kAllIsas)
    if (isAvailable(isa))
      best = isa;
  return best;
}

} // namespace sortie::cpu
