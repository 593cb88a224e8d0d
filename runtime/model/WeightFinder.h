// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights that a part of a model is made of: they are looked up in the file by their names and
// checked for shape and type.

#ifndef SORTIE_RUNTIME_MODEL_WEIGHTFINDER_H
#define SORTIE_RUNTIME_MODEL_WEIGHTFINDER_H

#include "runtime/model/NameFilter.h"
#include "runtime/model/TensorNames.h"

#include "runtime/gguf/Model.h"
#include "runtime/weights/MatrixLayout.h"

#include "llvm/ADT/SmallPtrSet.h"

#include <map>

namespace sortie::model {

/// A weight: its type and where the file has it.
struct Weight {
  /// One, or one for each expert.
  llvm::SmallVector<const gguf::Tensor *, 1> tensors;
  numerics::Encoding encoding;
  /// Row-major, as the model takes it: the last is the contraction dimension of a matrix.
  llvm::SmallVector<int64_t, 3> shape;
  /// The part of the tensor's rows (of a matrix) or columns that it is; all by default.
  DimensionPart rows = {};
  DimensionPart columns = {};
  MatrixLayout layout = {}; // NOLINT(readability-redundant-member-init)
};

/// Weights by the names that they usually have.
class WeightSet {
public:
  /// A weight that is known to be there.
  const Weight &get(TensorName name) const { return weights.find(name)->second; }
  bool has(TensorName name) const { return weights.contains(name); }
  /// Whether a weight is made of this tensor.
  bool reads(const gguf::Tensor &tensor) const { return tensors.contains(&tensor); }

  void add(TensorName name, Weight weight);

private:
  std::map<TensorName, Weight> weights;
  llvm::SmallPtrSet<const gguf::Tensor *, 16> tensors;
};

/// What a weight must be.
struct WeightSpec {
  /// The usual name.
  TensorName name;
  /// Row-major: the last is the contraction dimension of a matrix.
  llvm::SmallVector<int64_t, 3> shape;
  /// Norms and biases are added and multiplied in fp32 and stored so; matrices have any format.
  bool isMatrix = false;
  bool isOptional = false;
  /// The names of its tensors in this file, if not the usual: one, or one for each expert.
  // Without an initializer, g++ warns of every weight that leaves it out.
  llvm::SmallVector<std::string, 1> tensors = {}; // NOLINT(readability-redundant-member-init)
  /// The part of the tensor's rows (of a matrix) or elements that the weight is; all by default.
  DimensionPart part = {};
  /// How the tensor stores a matrix. Blocks that are transposed are decoded to f32.
  MatrixLayout layout = {}; // NOLINT(readability-redundant-member-init)
};

/// Looks for the weights of one part of a model, such as a layer.
class WeightFinder {
public:
  /// Names are looked up behind `prefix`, and those that `ignored` matches are not there. `need`
  /// says in errors who needs what is missing: "layer 0 of architecture llama needs it".
  WeightFinder(const gguf::Model &model, const NameFilter &ignored, std::string prefix,
               std::string need)
      : model(model), ignored(ignored), prefix(std::move(prefix)), need(std::move(need)) {}

  /// Adds the weights that `specs` describe to `found`. Errors name the tensor: missing, another
  /// shape, a type that is not supported.
  llvm::Error find(llvm::ArrayRef<WeightSpec> specs, WeightSet &found) const;

  /// The tensor with this name behind the prefix, or null if it is not there or to be left out.
  const gguf::Tensor *lookUp(llvm::StringRef name) const;
  /// The name of a tensor that has the prefix, without it.
  llvm::StringRef shortName(const gguf::Tensor &tensor) const {
    return llvm::StringRef(tensor.name).drop_front(prefix.size());
  }
  /// `tensor` is a whole name.
  llvm::Error makeTensorError(llvm::StringRef tensor, const llvm::Twine &problem) const;

private:
  llvm::Error findOne(const WeightSpec &spec, WeightSet &found) const;
  llvm::Error useTensor(const WeightSpec &spec, const gguf::Tensor &tensor, WeightSet &found) const;
  llvm::Error useExperts(const WeightSpec &spec, WeightSet &found) const;
  llvm::Error checkTensor(const gguf::Tensor &tensor, bool isMatrix,
                          llvm::ArrayRef<int64_t> shape) const;
  /// The error for a tensor that is needed and missing or to be left out.
  llvm::Error makeMissingError(llvm::StringRef name) const;
  std::string fullName(llvm::StringRef name) const { return (prefix + name).str(); }

  const gguf::Model &model;
  const NameFilter &ignored;
  std::string prefix;
  std::string need;
};

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_WEIGHTFINDER_H
