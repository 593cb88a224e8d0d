// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The search for weights.

#include "runtime/model/WeightFinder.h"

#include "runtime/gguf/TensorType.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::ArrayRef;
using llvm::Error;
using llvm::SmallVector;
using llvm::StringRef;
using llvm::Twine;

static std::string describeShape(ArrayRef<int64_t> shape) {
  return llvm::join(llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }), "x");
}

void WeightSet::add(TensorName name, Weight weight) {
  tensors.insert_range(weight.tensors);
  weights[name] = std::move(weight);
}

const gguf::Tensor *WeightFinder::lookUp(StringRef name) const {
  const std::string full = fullName(name);
  return ignored.matches(full) ? nullptr : model.findTensor(full);
}

Error WeightFinder::makeTensorError(StringRef tensor, const Twine &problem) const {
  return sortie::makeError(model.name() + ": tensor '" + tensor + "' " + problem);
}

Error WeightFinder::checkTensor(const gguf::Tensor &tensor, bool isMatrix,
                                ArrayRef<int64_t> shape) const {
  if (!tensor.encoding)
    return makeTensorError(tensor.name, "is stored as " + gguf::tensorTypeName(tensor.type) +
                                            ", which this version does not compute with; "
                                            "supported are " +
                                            gguf::supportedTensorTypes());
  if (!isMatrix && tensor.encoding->encoding != numerics::Encoding::F32)
    return makeTensorError(tensor.name, Twine("is stored as ") + tensor.encoding->name +
                                            "; norms, biases and scales must be f32");
  if (!isSameShape(tensor.shape(), shape))
    return makeTensorError(tensor.name, "has shape " + describeShape(tensor.shape()) +
                                            ", expected " + describeShape(shape) +
                                            " from the metadata");
  return Error::success();
}

Error WeightFinder::makeMissingError(StringRef name) const {
  const std::string full = fullName(name);
  if (ignored.matches(full) && model.findTensor(full))
    return makeTensorError(full, "is matched by " + ignored.optionName() + ", but " + need);
  return makeTensorError(full, "is missing; " + need);
}

Error WeightFinder::useTensor(const WeightSpec &spec, const gguf::Tensor &tensor,
                              WeightSet &found) const {
  Weight weight = {{&tensor}, {}, spec.shape, {}, {}, spec.layout};
  (spec.isMatrix ? weight.rows : weight.columns) = spec.part;
  if (Error error =
          checkTensor(tensor, spec.isMatrix,
                      tensorShapeOf(spec.shape, weight.rows, weight.columns, weight.layout)))
    return error;
  weight.encoding = tensor.encoding->encoding;
  if (spec.layout.isTransposed && numerics::isQuantized(*tensor.encoding)) {
    weight.layout.stored = weight.encoding;
    weight.encoding = numerics::Encoding::F32;
  }
  found.add(spec.name, std::move(weight));
  return Error::success();
}

Error WeightFinder::useExperts(const WeightSpec &spec, WeightSet &found) const {
  Weight weight = {{}, {}, spec.shape};
  for (const std::string &name : spec.tensors) {
    const gguf::Tensor *tensor = lookUp(name);
    if (!tensor)
      return makeMissingError(name);
    if (Error error = checkTensor(*tensor, spec.isMatrix, ArrayRef(spec.shape).drop_front()))
      return error;
    const gguf::Tensor &first = weight.tensors.empty() ? *tensor : *weight.tensors.front();
    if (tensor->type != first.type)
      return makeTensorError(tensor->name, Twine("is stored as ") + tensor->encoding->name +
                                               " and '" + first.name + "' as " +
                                               first.encoding->name +
                                               "; the experts of a layer must be stored alike");
    weight.tensors.push_back(tensor);
    weight.encoding = tensor->encoding->encoding;
  }
  found.add(spec.name, std::move(weight));
  return Error::success();
}

Error WeightFinder::findOne(const WeightSpec &spec, WeightSet &found) const {
  if (spec.tensors.size() > 1)
    return useExperts(spec, found);
  const std::string name = spec.tensors.empty() ? spec.name.str() : spec.tensors.front();
  if (const gguf::Tensor *tensor = lookUp(name))
    return useTensor(spec, *tensor, found);
  return spec.isOptional ? Error::success() : makeMissingError(name);
}

Error WeightFinder::find(ArrayRef<WeightSpec> specs, WeightSet &found) const {
  for (const WeightSpec &spec : specs)
    if (Error error = findOne(spec, found))
      return error;
  return Error::success();
}
