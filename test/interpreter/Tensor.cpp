// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Tensor.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace sortie::interpreter;

Tensor::Tensor(ArrayRef<int64_t> shape, double fill)
    : shape(shape), elements(product_of(shape), fill) {}

int64_t Tensor::rows() const { return product_of(ArrayRef(shape).drop_back()); }

ArrayRef<double> Tensor::row(int64_t index) const {
  return ArrayRef(elements).slice(index * columns(), columns());
}

MutableArrayRef<double> Tensor::row(int64_t index) {
  return MutableArrayRef(elements).slice(index * columns(), columns());
}
