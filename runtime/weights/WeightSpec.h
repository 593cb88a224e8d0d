// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program says about a weight that it needs: which tensors of the model file, or parts of
// them, hold its rows.

#ifndef SORTIE_RUNTIME_WEIGHTS_WEIGHTSPEC_H
#define SORTIE_RUNTIME_WEIGHTS_WEIGHTSPEC_H

#include "runtime/weights/MatrixLayout.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie {

/// How a device packs a weight: a kernel makes one panel of `bytes` bytes of each `rows` rows of an
/// expert.
struct WeightPack {
  uint32_t kernel; ///< index into Program::kernels
  int64_t rows;
  uint64_t bytes;
};

/// How it packs the weight for kernels whose image is for this architecture.
struct WeightPackVariant {
  std::string arch;
  WeightPack pack;
};

/// Rows of a weight that lie one behind the other in a tensor of the model file.
struct TensorPiece {
  const std::string &tensor;
  uint64_t offset; ///< in bytes, from the start of the tensor
  uint64_t size;   ///< in bytes
  int64_t rows;
};

struct WeightSpec {
  /// Names in the model: one, or several of one shape and encoding, one for each expert.
  std::vector<std::string> tensors;
  numerics::Encoding encoding;
  /// Row-major, 1 to 3 dimensions. Of several tensors the first dimension counts them.
  llvm::SmallVector<int64_t, 3> shape;
  /// How the program's steps read it: as the matrix of a product, as plain floats (norms, biases).
  bool isMatrix = false;
  bool isVector = false;
  /// In a program for CUDA: how it is packed, and the forms in which kernels read it.
  std::optional<WeightPack> pack = std::nullopt;
  std::vector<WeightPackVariant> packVariants = {}; // NOLINT(readability-redundant-member-init)
  bool usesPacked = false;
  bool usesRaw = false;
  bool usesFloats = false;
  /// The rows of each of a tensor's matrices, and the columns of each row, that the weight is.
  DimensionPart rowPart = {};
  DimensionPart columnPart = {};
  /// How the tensor stores matrices. If they are transposed, `rowPart` is a part of the weight's
  /// columns, and `columnPart` is whole.
  MatrixLayout layout = {}; // NOLINT(readability-redundant-member-init)

  bool isStacked() const { return tensors.size() > 1; }
  /// Row-major shape of each tensor in the model, which may have more or fewer dimensions of one.
  llvm::SmallVector<int64_t, 3> tensorShape() const;
  /// How many of `rowCount` rows from `firstRow` on lie together, or, if they are transposed, are
  /// of one matrix.
  int64_t rowsTogether(int64_t firstRow, int64_t rowCount) const;
  /// The first `rowCount` rows from `firstRow` on, or as many of them as lie together. Both are
  /// whole strips of rows that the encoding stores together. The weight is not transposed.
  TensorPiece piece(int64_t firstRow, int64_t rowCount) const;
  /// A piece of a transposed weight of floats: element `column` of `rowCount` rows of one matrix
  /// from `firstRow` on.
  TensorPiece columnPiece(int64_t firstRow, int64_t rowCount, int64_t column) const;
  /// Of a transposed weight, the rows of the tensor that are the columns of a matrix, as the tensor
  /// stores them.
  TensorPiece matrixPiece(int64_t matrix) const;

  int64_t columns() const { return shape.back(); }
  /// Rows of all experts together.
  int64_t rows() const {
    int64_t count = 1;
    for (const int64_t extent : llvm::ArrayRef(shape).drop_back())
      count *= extent;
    return count;
  }
  numerics::EncodingInfo info() const { return numerics::encodingInfo(encoding); }
  /// How the model stores it, which differs from `encoding` where blocks are decoded.
  numerics::EncodingInfo storedInfo() const {
    return numerics::encodingInfo(layout.stored.value_or(encoding));
  }
  uint64_t rowBytes() const { return numerics::rowBytes(info(), columns()); }
  uint64_t bytes() const { return rows() * rowBytes(); }
  /// The same as the model stores it.
  uint64_t storedBytes() const;

  /// A matrix [N, K] is one expert.
  int64_t experts() const { return shape.size() == 3 ? shape.front() : 1; }
  int64_t rowsOfExpert() const { return rows() / experts(); }
  /// Panels of all experts together, as `pack` makes them, and their bytes.
  int64_t panels() const { return experts() * ((rowsOfExpert() + pack->rows - 1) / pack->rows); }
  uint64_t panelBytes() const { return panels() * pack->bytes; }

  /// "tensor 'blk.0.ffn_norm.weight' (f32, 2048)", "rows 0 to 3 of tensor 'w' (f32, 8x64)",
  /// "tensors 'a' to 'h' (q4_K, 512x256)".
  std::string describe() const;
  /// The same of one of its tensors.
  std::string describeTensor(llvm::StringRef name) const;
  /// The short form for reports: "blk.0.ffn_norm.weight", "w rows 0 to 3", "a to h".
  std::string label() const;
  /// Equal for weights of two programs that have the same values if the models are the same. Must
  /// name all that says which bytes of a model the weight is.
  std::string identity() const;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_WEIGHTSPEC_H
