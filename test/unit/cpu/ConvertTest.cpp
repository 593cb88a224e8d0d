// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversions between widths of floats, for every instruction set.

#include "test/unit/cpu/OperationCalls.h"
#include "test/unit/cpu/TestDevices.h"

#include "gtest/gtest.h"

#include <random>
#include <vector>

namespace sortie::cpu {
namespace {

template <typename From, typename To> void test(const std::vector<From> &x) {
  const auto columns = static_cast<int64_t>(x.size()) / 3;
  for (const TestDevice &device : testDevices()) {
    std::vector<To> y(3 * columns);
    convert(x.data(), 3, columns, y.data(), Device{*device.kernels, testPool(2)});
    for (size_t i = 0; i < y.size(); ++i) {
      To expected;
      numerics::convert(x[i], expected);
      // Bits tell NaNs and zeros apart. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
      ASSERT_EQ(std::memcmp(&y[i], &expected, sizeof(To)), 0) << device.name << " " << i;
    }
  }
}

TEST(Convert, HasTheBitsOfTheContract) {
  std::mt19937_64 random(41);
  std::vector<float> wide(3 * 12345);
  std::vector<numerics::Half> halves(3 * 12345);
  std::vector<numerics::BFloat16> bfloats(3 * 12345);
  for (size_t i = 0; i < wide.size(); ++i) {
    wide[i] = numerics::floatOf(static_cast<uint32_t>(random()));
    if (i % 2) // the range of halves
      wide[i] = static_cast<float>(static_cast<int64_t>(random())) * 0x1p-50f;
    halves[i].bits = bfloats[i].bits = static_cast<uint16_t>(random());
  }
  test<float, numerics::Half>(wide);
  test<float, numerics::BFloat16>(wide);
  test<numerics::Half, float>(halves);
  test<numerics::BFloat16, float>(bfloats);
}

} // namespace
} // namespace sortie::cpu
