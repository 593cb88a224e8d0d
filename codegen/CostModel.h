// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The chips, what a kernel is given of one, and how long a launch will take. Nothing here can
// change a bit of a result.

#ifndef SORTIE_CODEGEN_COSTMODEL_H
#define SORTIE_CODEGEN_COSTMODEL_H

#include "runtime/numerics/format.h"
#include "runtime/numerics/layout.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace sortie::codegen {

/// A chip, as its maker describes it.
struct Chip {
  const char *architecture; ///< as NVRTC names it
  const char *example;      ///< the board whose numbers these are
  int multiprocessors;
  double clock;     ///< cycles a second, sustained
  double bandwidth; ///< of its memory, bytes a second
  int int8PerCycle; ///< int8 multiply-adds a cycle and multiprocessor with mma.sync
  int sharedLimit;  ///< bytes of shared memory that a block may have
};

/// The chip of an architecture, or null. `compute_80` stands for all that its PTX must run on: the
/// least shared memory of any of them.
const Chip *findChip(llvm::StringRef architecture);

/// Names of all chips, for messages.
llvm::SmallVector<llvm::StringRef> getChipNames();

/// What a launch has to do. Counts are those of one launch at one number of tokens.
struct Work {
  /// How its multiplications are done.
  enum class Unit : uint8_t {
    None,       ///< it moves data
    Fp32,       ///< fp32 multiply-adds, in the order of the contract
    Tensor,     ///< int8 mma, and what puts its sums together
    TensorBf16, ///< bfloat16 mma
  };

  double bytes = 0;        ///< that it reads and writes, each once
  double multiplyAdds = 0; ///< of the operation
  Unit unit = Unit::None;
  numerics::Format format = numerics::Format::F32; ///< of the weights
  int limbs = 1;                                   ///< int8 limbs of an activation
  double rows = 0;                                 ///< rows of output
  double tiles = 0;                                ///< tiles that they lie in
  double blocks = 0;                               ///< thread blocks that have something to do
};

/// `Launch` stands for all latencies: of the launch, and of its waves of thread blocks.
enum class Bound : uint8_t { Launch, Bytes, TensorCores, IssueSlots };
llvm::StringRef toString(Bound bound);

struct Prediction {
  double seconds;
  Bound bound; ///< the term that is the largest
};

/// How long `work` takes on a chip. CostModel.cpp explains the terms.
Prediction predict(const Chip &chip, const Work &work);

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

/// Most tiles that a product may have for K to be cut, one or more: those that would leave half of
/// the chip idle.
int fewTiles(const Chip &chip, int64_t rows);

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_COSTMODEL_H
