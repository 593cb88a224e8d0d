// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What weights need of a model's file, whatever its kind: its tensors, where their bytes are, and
// what tells it from other models. runtime/gguf is one kind.

#ifndef SORTIE_RUNTIME_MODELFILE_MODELFILE_H
#define SORTIE_RUNTIME_MODELFILE_MODELFILE_H

#include "runtime/numerics/encoding.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie {

/// A fingerprint of a model with its rule.
struct ModelFingerprint {
  uint64_t value = 0;
  /// The metadata keys that it covers; without a list, it covers all.
  std::optional<std::vector<std::string>> keys;
};

/// A tensor of a model.
struct ModelTensor {
  std::string name;
  /// The file's name of its type, for messages.
  std::string typeName;
  /// How the type stores weights; null for a type that Sortie does not compute with.
  const numerics::EncodingInfo *encoding = nullptr;
  /// The first is the innermost.
  llvm::SmallVector<int64_t, 4> dimensions;
  /// The data in the mapped file. Empty when `encoding` is null (its size is not known), or when
  /// the file holds no data.
  llvm::ArrayRef<uint8_t> bytes;
  /// Where the tensor is: path of the file and offset of the data in it.
  llvm::StringRef file;
  uint64_t offset = 0;

  /// Row-major: the last is the innermost, as in NumPy.
  llvm::SmallVector<int64_t> shape() const {
    return llvm::SmallVector<int64_t>(llvm::reverse(dimensions));
  }
  /// "tensor 'a.weight' (q4_K, 8x256)".
  std::string describe() const;
};

/// Whether two shapes are the same but for dimensions of one, wherever they are: writers drop those
/// at the outer end of a shape, and readers take them as given. So are the bytes of two such arrays
/// of one encoding, for a row of blocks is at least a block long, in both.
bool isSameShape(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

/// An open model: one file, or all files of a split one.
class ModelFile {
public:
  virtual ~ModelFile();

  /// The path of the (first) file.
  virtual llvm::StringRef name() const = 0;
  /// The tensor with this name, or null.
  virtual const ModelTensor *findTensor(llvm::StringRef name) const = 0;
  /// The model's fingerprint by the rule of another one; nothing when data is missing.
  virtual std::optional<uint64_t> fingerprint(const ModelFingerprint &rule) const = 0;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_MODELFILE_MODELFILE_H
