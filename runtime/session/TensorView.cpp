// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strided copies.

#include "runtime/session/TensorView.h"

#include "runtime/numerics/float.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstring>

using namespace llvm;

namespace sortie {

int64_t hostTypeBytes(HostType type) {
  return type == HostType::F16 || type == HostType::BF16 ? 2 : 4;
}

const char *hostTypeName(HostType type) {
  switch (type) {
  case HostType::F32:
    return "f32";
  case HostType::I32:
    return "i32";
  case HostType::F16:
    return "f16";
  case HostType::BF16:
    return "bf16";
  }
  return "";
}

SmallVector<int64_t, 4> contiguousStrides(ArrayRef<int64_t> shape, int64_t elementBytes) {
  SmallVector<int64_t, 4> strides(shape.size());
  int64_t stride = elementBytes;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    // A shape that nobody has checked yet may be too large for any memory.
    if (MulOverflow(stride, shape[i], stride))
      stride = INT64_MAX;
  }
  return strides;
}

int64_t TensorView::elements() const {
  int64_t count = 1;
  for (const int64_t extent : shape)
    if (MulOverflow(count, extent, count))
      return INT64_MAX;
  return count;
}

bool TensorView::isContiguous() const {
  const int64_t bytes = hostTypeBytes(type);
  if (reinterpret_cast<uintptr_t>(data) % bytes != 0)
    return false;
  const SmallVector<int64_t, 4> expected = contiguousStrides(shape, bytes);
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] > 1 && strides[i] != expected[i])
      return false;
  return true;
}

std::pair<int64_t, int64_t> TensorView::byteRange() const {
  // Strides are the caller's: what reaches beyond all memory ends at its end.
  int64_t first = 0;
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t reach;
    int64_t &end = strides[i] < 0 ? first : last;
    if (MulOverflow(shape[i] - 1, strides[i], reach) || AddOverflow(end, reach, end))
      end = strides[i] < 0 ? INT64_MIN : INT64_MAX;
  }
  if (AddOverflow(last, hostTypeBytes(type), last))
    last = INT64_MAX;
  return {first, last};
}

/// Calls `visit(element)` for the address of each element in row-major order.
static void forEachElement(const TensorView &tensor, function_ref<void(std::byte *)> visit) {
  const int64_t count = tensor.elements();
  SmallVector<int64_t, 4> index(tensor.shape.size());
  std::byte *element = tensor.data;
  for (int64_t i = 0; i < count; ++i) {
    visit(element);
    for (size_t d = index.size(); d-- > 0;) {
      if (++index[d] < tensor.shape[d]) {
        element += tensor.strides[d];
        break;
      }
      element -= tensor.strides[d] * (tensor.shape[d] - 1);
      index[d] = 0;
    }
  }
}

void copyIn(const TensorView &tensor, HostType type, std::byte *destination) {
  const int64_t bytes = hostTypeBytes(type);
  forEachElement(tensor, [&](const std::byte *element) {
    if (tensor.type == type) {
      std::memcpy(destination, element, bytes);
    } else {
      uint16_t bits;
      std::memcpy(&bits, element, sizeof(bits));
      const float value =
          tensor.type == HostType::F16 ? numerics::fromHalf(bits) : numerics::fromBFloat16(bits);
      std::memcpy(destination, &value, sizeof(value));
    }
    destination += bytes;
  });
}

void copyOut(const std::byte *source, const TensorView &tensor) {
  const int64_t bytes = hostTypeBytes(tensor.type);
  forEachElement(tensor, [&](std::byte *element) {
    std::memcpy(element, source, bytes);
    source += bytes;
  });
}

} // namespace sortie
