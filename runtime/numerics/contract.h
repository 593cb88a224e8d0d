// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parameters of the numerics contract, and what every header of this folder needs: the
// fixed-width integer types and the marker of its functions. docs/numerics.md is the contract in
// words; when the two differ, that is a bug in one of them.

#ifndef SORTIE_RUNTIME_NUMERICS_CONTRACT_H
#define SORTIE_RUNTIME_NUMERICS_CONTRACT_H

#if defined(__CUDACC_RTC__)
// NVRTC has no <cstdint>. These are the types of its host, 64-bit Linux.
namespace sortie::numerics {
using int8_t = signed char;
using int16_t = short;
using int32_t = int;
using int64_t = long;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using uint64_t = unsigned long;
} // namespace sortie::numerics
#else
#include <cstdint>
namespace sortie::numerics {
using std::int16_t;
using std::int32_t;
using std::int64_t;
using std::int8_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;
} // namespace sortie::numerics
#endif

// Every function of this folder has internal linkage, and those of run time are always inlined:
// translation units with different instruction-set flags include these headers, and one compiled
// for any processor must never end up with the out-of-line copy of one that needs AVX2.
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define SORTIE_NUMERICS_INLINE static __host__ __device__ __forceinline__
#define SORTIE_NUMERICS_CONSTEXPR static __host__ __device__ constexpr
#else
#define SORTIE_NUMERICS_INLINE static inline __attribute__((always_inline))
#define SORTIE_NUMERICS_CONSTEXPR static constexpr
#endif

// The contract needs IEEE-754 single precision with one rounding an operation. What a compiler can
// be asked about is refused here; `-ffp-contract=off` (the CMake target SortieNumerics adds it) and
// the absence of flush-to-zero are checked by the unit tests.
#if defined(__FAST_MATH__)
#error "Sortie's numerics contract cannot be kept under -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "Sortie's numerics contract needs float operations evaluated in float (not x87)"
#endif

namespace sortie::numerics {

/// Version of the contract, recorded in every compiled program: any change of a bit is a new one.
constexpr int kContractVersion = 1;

/// Elements of K that share one activation scale. The last block of a row may be shorter.
constexpr int kActivationBlock = 128;

/// Elements of K in one chunk. Chunk sums are added in ascending order, so K may be split at chunk
/// ends and nowhere else.
constexpr int kChunk = 1024;
constexpr int kBlocksPerChunk = kChunk / kActivationBlock;

/// Strided partial sums in `float` reductions (a power of two).
constexpr int kPartials = 16;

/// Elements of K that share one floating-point scale in the formats of class `GroupScale`.
constexpr int kGroup = 32;
constexpr int kGroupsPerBlock = kActivationBlock / kGroup;

/// The two widths of quantized activations.
enum class ActivationWidth : uint8_t { Int8, Int16 };

/// Largest |q| of a quantized activation. 16319 = 127 * 128 + 63 is the largest integer whose limbs
/// are hi in [-127, 127] and lo in [-64, 63]; -128 is left out because the pairwise multiply-add of
/// AVX2 saturates on it.
constexpr int kMaxActivationInt8 = 127;
constexpr int kMaxActivationInt16 = 16319;
constexpr int kLimbBase = 128;
constexpr int kMaxHighLimb = 127;
constexpr int kMaxLowLimb = 64;

/// An activation block whose largest magnitude is below 2^-96 is quantized to zero: neither its
/// scale nor the reciprocal of its scale could be trusted to be a normal number.
constexpr float kMinActivationMagnitude = 0x1p-96f;

/// Limits of routing. The verifiers of the dialects read these.
constexpr int kMaxExperts = 1024;
constexpr int kMaxSelected = 32;
constexpr int kMaxExpertGroups = 64;

static_assert(kChunk % kActivationBlock == 0 && kChunk % kPartials == 0);
static_assert(kActivationBlock % kGroup == 0);
static_assert(kMaxHighLimb * kLimbBase + (kMaxLowLimb - 1) == kMaxActivationInt16);
static_assert(kMaxExperts <= kChunk, "softmax over the experts is one chunk");

/// Largest |q| of the width.
SORTIE_NUMERICS_CONSTEXPR int maxActivation(ActivationWidth width) {
  return width == ActivationWidth::Int16 ? kMaxActivationInt16 : kMaxActivationInt8;
}

/// Number of activation blocks in a row of `k` elements.
SORTIE_NUMERICS_CONSTEXPR int64_t activationBlocks(int64_t k) {
  return (k + kActivationBlock - 1) / kActivationBlock;
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_CONTRACT_H
