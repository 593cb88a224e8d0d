// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/modelfile/ModelFile.h"

#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace sortie {

ModelFile::~ModelFile() = default;

std::string ModelTensor::describe() const {
  std::string extents;
  for (const int64_t extent : reverse(dimensions))
    extents += (Twine(extents.empty() ? "" : "x") + Twine(extent)).str();
  return "tensor '" + name + "' (" + typeName + ", " + extents + ")";
}

bool isSameShape(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  auto isWide = [](int64_t extent) { return extent != 1; };
  return equal(make_filter_range(a, isWide), make_filter_range(b, isWide));
}

} // namespace sortie
