// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel and the emulation know of each other: the thread block that a kernel's functions
// call, and the description of a kernel that SORTIE_EXPORT makes. A kernel may be compiled into a
// shared library of its own: it needs no symbol of the emulation, only the virtual functions here.

#ifndef SORTIE_TEST_EMULATION_BLOCK_H
#define SORTIE_TEST_EMULATION_BLOCK_H

#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>
#include <utility>

namespace sortie::emulation {

struct TensorMap;

/// A line of a kernel. Functions that may fail or wait take the line that calls them.
using Site = std::source_location;

constexpr int kLanes = 32;

/// Grid and block coordinates.
struct Index3 {
  int x = 1;
  int y = 1;
  int z = 1;
};

/// What a warp does together, all 32 lanes.
enum class Collective : int {
  SyncWarp,
  Shuffle,
  ShuffleXor,
  ShuffleUp,
  Ballot,
  MatchAny,
  ReduceMax,
  LoadMatrices,
  MultiplyK32,
  MultiplyUnsignedK32,
  MultiplyK16,
  MultiplyBf16,
  SyncThreads,
  ArriveThreads,
  TakeRegisters,
  GiveRegisters,
  FenceProducts,
  BeginProduct,
  CommitProducts,
  WaitForProducts,
};

/// What a lane brings to a collective and takes from it.
struct ExchangeOperands {
  uint32_t value;  ///< in: the lane's value or predicate; out: the result
  int32_t operand; ///< lane, mask or delta of a shuffle
};
struct LoadMatricesOperands {
  uint32_t *rows;  ///< out: 4
  const void *row; ///< 16 bytes
};
struct MultiplyOperands {
  int32_t *sum;      ///< in and out: 4
  const uint32_t *a; ///< 4 (K32) or 2 (K16)
  uint32_t b[2];     ///< both (K32) or the first (K16)
};

struct MultiplyBf16Operands {
  float *sum;        ///< in and out: 4
  const uint32_t *a; ///< 4
  uint32_t b[2];
};

struct NamedBarrierOperands {
  int barrier;
  int threads; ///< that meet there
};

/// A product of a warpgroup, as a lane begins it.
struct ProductOperands {
  enum class Kind : uint8_t { Bytes, Halves };
  Kind kind;
  bool accumulates;
  int columns;
  uint32_t layout; ///< the upper word of B's descriptor
  uint32_t b;      ///< the lower one
  const uint32_t *a;
  void *sums; ///< columns / 2 words

  bool hasSameB(const ProductOperands &other) const {
    return kind == other.kind && accumulates == other.accumulates && columns == other.columns &&
           layout == other.layout && b == other.b;
  }
};
/// A number that the instruction has in its text: of registers, or of groups of products.
struct CountOperands {
  int count;
};

/// The thread block whose threads run, as its threads see it.
class Block {
public:
  int threadIndex = 0; ///< of the thread that runs now
  int threadCount = 0;
  Index3 blockIndex{0, 0, 0};
  Index3 gridCount;
  char *shared = nullptr; ///< dynamic shared memory
  int sharedBytes = 0;

  virtual void syncBlock(Site site) = 0;
  /// `operands` is one of the structures above, or null for SyncWarp.
  virtual void collective(Collective what, void *operands, Site site) = 0;
  /// `what` is SyncThreads or ArriveThreads.
  virtual void meet(Collective what, int barrier, int threads, Site site) = 0;
  /// Starts a copy of `bytes` bytes, of which `valid` are read and the rest become zeros.
  virtual void copyAsync(void *to, const void *from, int bytes, int valid, Site site) = 0;
  virtual void commitCopies() = 0;
  virtual void waitForCopies(int groups) = 0;
  virtual void initMbarrier(void *object, int arrivals, Site site) = 0;
  virtual void invalidateMbarrier(void *object, Site site) = 0;
  /// `bytes` more are expected first. `who` is the function that a kernel has called.
  virtual void arriveMbarrier(const char *who, void *object, int bytes, Site site) = 0;
  virtual void waitForPhase(void *object, int parity, Site site) = 0;

  // Functions of sortie_hardware_sm90.h.
  virtual void publishMbarriers() = 0;
  virtual void copyBulk(void *to, const void *from, int bytes, void *barrier, Site site) = 0;
  virtual void copyBox(void *to, const TensorMap &map, int rank, const int (&at)[3], void *barrier,
                       Site site) = 0;
  /// Fails if the sums belong to a product that has not been waited for.
  virtual void receiveSums(const void *sums, Site site) = 0;

  /// Fails unless the `bytes` bytes at `address` are shared memory, and so aligned.
  virtual void checkShared(const char *who, const void *address, int bytes, int alignment,
                           Site site) = 0;
  /// Ends the launch with an error.
  [[noreturn]] virtual void fail(const char *message, const char *file, unsigned line) = 0;
  [[noreturn]] void fail(const char *message, Site site) {
    fail(message, site.file_name(), site.line());
    __builtin_unreachable();
  }

protected:
  ~Block() = default;
};

/// The block that runs now. Each library of kernels has its own copy: hence hidden.
__attribute__((visibility("hidden"))) inline Block *currentBlock = nullptr;

/// What SORTIE_EXPORT(name) defines as `name_emulated`.
struct Kernel {
  const char *name;
  /// Runs one thread; `parameters` is cuLaunchKernel's: a pointer to each argument.
  void (*run)(Block *block, void *const *parameters);
  int parameterCount;
  const int *parameterBytes;
};

namespace detail {
/// An argument from where it lies, which need not be aligned.
template <typename T> T argument(const void *from) {
  T value;
  std::memcpy(static_cast<void *>(&value), from, sizeof value);
  return value;
}

template <auto kernel, typename Type = decltype(kernel)> struct Description;
template <auto kernel, typename... Parameters> struct Description<kernel, void (*)(Parameters...)> {
  static constexpr int kBytes[sizeof...(Parameters) + 1] = {int{sizeof(Parameters)}..., 0};

  template <std::size_t... I>
  static void call(void *const *parameters, std::index_sequence<I...> /*positions*/) {
    kernel(argument<std::remove_cv_t<Parameters>>(parameters[I])...);
  }
  static void run(Block *block, void *const *parameters) {
    currentBlock = block;
    call(parameters, std::index_sequence_for<Parameters...>());
  }
  static constexpr Kernel describe(const char *name) {
    return {name, run, int{sizeof...(Parameters)}, kBytes};
  }
};
} // namespace detail

} // namespace sortie::emulation

#define SORTIE_EMULATED_KERNEL(name)                                                               \
  extern "C" {                                                                                     \
  extern __attribute__((visibility("default"))) const sortie::emulation::Kernel name##_emulated;   \
  const sortie::emulation::Kernel name##_emulated =                                                \
      sortie::emulation::detail::Description<&name>::describe(#name);                              \
  }

#endif // SORTIE_TEST_EMULATION_BLOCK_H
