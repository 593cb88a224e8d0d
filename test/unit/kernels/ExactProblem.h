// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operands of exact products, and what the CPU device makes of them.

#ifndef SORTIE_TEST_UNIT_KERNELS_EXACTPROBLEM_H
#define SORTIE_TEST_UNIT_KERNELS_EXACTPROBLEM_H

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/exact/ExactGeometry.h"
#include "runtime/numerics/float.h"

namespace sortie::kernels {

using numerics::bitsOf; // of one float, which kernels call, besides KernelTest.h's
using numerics::Encoding;
using numerics::EncodingInfo;
using numerics::Format;
using numerics::FormatInfo;
using numerics::Glu;
using numerics::GluKind;
using numerics::RowKind;
using Bytes = std::vector<uint8_t>;

/// Bytes that start at a multiple of 64, all `fill` at first.
class AlignedBytes {
public:
  explicit AlignedBytes(int64_t size, uint8_t fill)
      : bytes(static_cast<size_t>(size) + kAlignment, fill) {}
  uint8_t *data() { return bytes.data() + offset(); }
  const uint8_t *data() const { return bytes.data() + offset(); }

private:
  static constexpr uintptr_t kAlignment = 64;
  size_t offset() const { return -reinterpret_cast<uintptr_t>(bytes.data()) & (kAlignment - 1); }
  Bytes bytes;
};

/// What the blocks of a matrix hold.
enum class Fill {
  Ordinary, ///< random codes and sub-scales, float scales of moderate size
  Awkward,  ///< the same, but about one row in five has a block with scales of any bits
  AnyBits,  ///< random bytes
  Highest,  ///< every bit of levels, sub-scales and minimums set, ordinary float scales
  Lowest,   ///< all of these clear
  Signed,   ///< only their top bits set: the most negative levels and sub-scales
};

/// Quantized weights as a file has them, and as the CPU device reads them.
struct ExactWeights {
  cpu::MatrixShape shape;
  Encoding encoding;
  Bytes raw;
  std::vector<std::byte> packed;

  /// `experts` matrices of `rows` x `columns`.
  ExactWeights(Encoding encoding, int64_t experts, int64_t rows, int64_t columns, Fill fill,
               Random &random);
  /// Packs `raw` again for the CPU device.
  void pack();
  cpu::Matrix matrix() const { return {shape, packed.data()}; }
};

/// Which activations a product reads.
enum class Inputs {
  Random,   ///< ordinary; some blocks are zeros, tiny, huge or have infinities and NaNs
  Positive, ///< all the same: every q is the largest
  Negative,
  Signs, ///< the same but for their signs
};

/// A Spec of ExactProduct.h as values.
struct ExactSpec {
  Encoding first;
  Encoding second;
  RowKind input;
  RowKind output;
  int rows;
  int columns;
  bool isGated;
  bool isGrouped;
  int slots;
  bool hasScale;
  Glu glu;
  int heads;
};
template <typename Spec> constexpr ExactSpec specOf() {
  return {Spec::kFirstEncoding,
          Spec::kSecondEncoding,
          Spec::kInput,
          Spec::kOutput,
          Spec::kN,
          Spec::kK,
          Spec::kIsGated,
          Spec::kIsGrouped,
          Spec::kSlots,
          Spec::kHasScale,
          Spec::kGlu,
          headsOf<Spec>()};
}

/// What a product runs on.
struct ExactCase {
  Ints rowsOfExpert; ///< of a dense product: the number of rows; of heads: the tokens of each
  bool hasBias = false;
  Fill fill = Fill::Ordinary;
  Inputs inputs = Inputs::Random;
  bool hasExpertScale = false;
};

/// All operands of a product.
struct ExactProblem {
  ExactSpec spec;
  ExactWeights first;
  ExactWeights second; ///< without rows where the product is not gated
  Ints offsets;
  Ints permutation;
  std::vector<Tile> tiles; ///< the map, two unused entries at its end
  AlignedBytes input;
  Floats scale;
  Floats firstBias; ///< or empty
  Floats secondBias;
  Floats firstExpertScale; ///< or empty
  Floats secondExpertScale;

  ExactProblem(const ExactSpec &spec, const ExactCase &values, Random &random);

  int32_t sortedRows() const { return offsets.back(); }
  /// A buffer for the output, unwritten, with a row more than it needs.
  AlignedBytes unwrittenOutput() const;
  int64_t outputBytes() const;

  /// What the CPU device computes, and the row behind it that it leaves alone.
  Bytes expected() const;

private:
  void makeTiles(const Ints &rowsOfExpert);
  void multiply(uint8_t *output) const;
  void multiplyGated(uint8_t *output) const;
};

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_EXACTPROBLEM_H
