// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes and kinds of buffers.

#include "passes/selection/LaunchBuilder.h"

using namespace mlir;

namespace sortie::selection {

moert::BufferType typeOf(Value buffer) { return cast<moert::BufferType>(buffer.getType()); }

moert::ExtentAttr rowsOf(Value buffer) {
  return moert::ExtentAttr::product(buffer.getContext(), typeOf(buffer).getShape().drop_back());
}

moert::ExtentAttr elementsOf(Value buffer) {
  return moert::ExtentAttr::product(buffer.getContext(), typeOf(buffer).getShape());
}

numerics::RowKind rowKindOf(Value buffer) {
  switch (typeOf(buffer).getKind()) {
  case moert::ElementKind::F32:
    return numerics::RowKind::F32;
  case moert::ElementKind::Act8:
    return numerics::RowKind::Int8;
  case moert::ElementKind::Act16:
    return numerics::RowKind::Int16;
  case moert::ElementKind::I32:
  case moert::ElementKind::BF16:
  case moert::ElementKind::F16:
    break;
  }
  llvm_unreachable("the verifier has seen that these are rows");
}

SmallVector<LaunchBuilder::Update, 2> LaunchBuilder::takeUpdates() {
  SmallVector<Update, 2> updates;
  SmallVector<Value> others;
  for (auto [number, buffer] : llvm::enumerate(reads)) {
    const auto *found = llvm::find(writes, buffer);
    if (found == writes.end())
      others.push_back(buffer);
    else
      updates.push_back(
          {static_cast<unsigned>(number), static_cast<unsigned>(found - writes.begin())});
  }
  reads = std::move(others);
  return updates;
}

} // namespace sortie::selection
