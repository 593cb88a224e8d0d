// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of kernels share.

#include "test/unit/kernels/KernelTest.h"

#include "runtime/numerics/float.h"

#include <limits>

namespace sortie::kernels {

Floats randomFloats(int64_t count, Random &random) {
  std::uniform_real_distribution<float> value(-1.0f, 1.0f);
  Floats values(static_cast<size_t>(count));
  for (float &v : values)
    v = value(random);
  return values;
}

Floats anyFloats(int64_t count, Random &random) {
  Floats values(static_cast<size_t>(count));
  for (float &v : values)
    v = numerics::floatOf(static_cast<uint32_t>(random()));
  return values;
}

void makeAwkward(Floats &values, uint64_t rarity, Random &random) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kAwkward[] = {0.0f,  -0.0f, kInfinity, -kInfinity, kNan,
                                -kNan, 3e38f, 1e-40f,    -1e-30f,    0x1p-96f};
  for (float &v : values)
    if (random() % rarity == 0)
      v = kAwkward[random() % std::size(kAwkward)];
}

std::vector<uint32_t> bitsOf(const Floats &values) {
  std::vector<uint32_t> bits;
  bits.reserve(values.size());
  for (const float value : values)
    bits.push_back(numerics::bitsOf(value));
  return bits;
}

Ints statusOf(const std::optional<cpu::BadIndex> &bad) {
  if (!bad)
    return {0, 0, 0, 0};
  return {static_cast<int32_t>(bad->kind), static_cast<int32_t>(bad->position), bad->index,
          static_cast<int32_t>(bad->bound)};
}

cpu::Device referenceDevice() {
  static const std::unique_ptr<cpu::ThreadPool> pool = llvm::cantFail(cpu::ThreadPool::create(1));
  return cpu::deviceOf({cpu::Isa::Portable, *pool});
}

} // namespace sortie::kernels
