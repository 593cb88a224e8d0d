// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of a caller's arrays.

#include "runtime/capi/Tensors.h"

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Options.h"

using namespace llvm;
using namespace sortie;

/// More than any argument of a program has; more cannot be told from a rank that was never set.
static constexpr size_t kMaxRank = 8;

static Expected<TensorView> toTensorView(const sortie_tensor &given) {
  if (!given.name)
    return nullError("the name of a tensor");
  const std::string name = given.name;
  if (given.rank > kMaxRank)
    return makeError("'" + name + "' has " + Twine(given.rank) + " dimensions, at most " +
                     Twine(kMaxRank) + " are possible");
  if (given.rank != 0 && !given.shape)
    return nullError("the shape of '" + name + "'");
  if (const int dtype = numberOf(given.dtype); dtype < SORTIE_F32 || dtype > SORTIE_BF16)
    return makeError("the dtype of '" + name + "' is " + Twine(dtype) +
                     ", which is none of sortie_dtype");
  static constexpr HostType kTypes[] = {HostType::F32, HostType::I32, HostType::F16,
                                        HostType::BF16};
  if (const int memory = numberOf(given.memory); memory < SORTIE_HOST || memory > SORTIE_DEVICE)
    return makeError("the memory of '" + name + "' is " + Twine(memory) +
                     ", which is none of sortie_memory");
  TensorView tensor{name, kTypes[given.dtype], static_cast<std::byte *>(given.data), {}, {}};
  tensor.space = given.memory == SORTIE_DEVICE ? MemorySpace::Device : MemorySpace::Host;
  tensor.shape.append(given.shape, given.shape + given.rank);
  if (given.strides)
    tensor.strides.append(given.strides, given.strides + given.rank);
  else
    tensor.strides = contiguousStrides(tensor.shape, hostTypeBytes(tensor.type));
  return tensor;
}

Expected<std::vector<TensorView>> sortie::toTensorViews(const sortie_tensor *given, size_t count,
                                                        const Function &function,
                                                        ArrayRef<Argument> arguments,
                                                        StringRef kind) {
  if (count != 0 && !given)
    return nullError("the list of " + kind + "s");
  if (count > arguments.size())
    return makeError("function '" + function.name + "': " + Twine(count) + " " + kind +
                     "s are given, it has " + Twine(arguments.size()));
  std::vector<TensorView> tensors;
  for (size_t i = 0; i < count; ++i) {
    Expected<sortie_tensor> element = readElement(given, i);
    if (!element)
      return element.takeError();
    Expected<TensorView> tensor = toTensorView(*element);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}
