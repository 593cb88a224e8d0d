// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything but the matrix products, bit for bit against the headers of runtime/numerics.

#include "test/unit/cpu/OperationCalls.h"
#include "test/unit/cpu/Reference.h"
#include "test/unit/cpu/TestDevices.h"

#include "runtime/numerics/activation.h"
#include "runtime/numerics/combine.h"
#include "runtime/numerics/norm.h"
#include "runtime/numerics/route.h"

#include "gtest/gtest.h"

#include <cstring>
#include <limits>

namespace sortie::cpu {
namespace {

using namespace numerics;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Random bit patterns: every magnitude, subnormals, infinities, NaNs of any payload.
std::vector<float> anyFloats(int64_t count, Random &random) {
  std::vector<float> values(static_cast<size_t>(count));
  for (float &value : values)
    value = floatOf(static_cast<uint32_t>(random()));
  return values;
}

/// Values around the limits of exp and of the clamps, and special ones.
std::vector<float> awkwardFloats() {
  std::vector<float> values = {0.0f,     -0.0f,   1.0f,      -1.0f,      7.0f,   -7.0f,
                               7.00001f, 88.7f,   88.73f,    89.0f,      89.1f,  -87.3f,
                               -88.0f,   -103.9f, -104.0f,   -105.0f,    1e-40f, -1e-40f,
                               1e38f,    -1e38f,  kInfinity, -kInfinity, kNan,   -kNan};
  for (int i = 0; i < 2000; ++i)
    values.push_back(static_cast<float>(i - 1000) * 0.11f);
  return values;
}

TEST(Elementwise, Glu) {
  Random random(31);
  std::vector<float> gate = awkwardFloats();
  const std::vector<float> more = anyFloats(5003, random);
  gate.insert(gate.end(), more.begin(), more.end());
  std::vector<float> up(gate.rbegin(), gate.rend());
  for (const Glu &params : {Glu{}, Glu{GluKind::SwigluClamped, 1.702f, 7.0f}}) {
    std::vector<float> expected(gate.size());
    for (size_t i = 0; i < gate.size(); ++i)
      expected[i] = canonicalNan(applyGlu(params, gate[i], up[i]));
    for (const TestDevice &device : testDevices()) {
      std::vector<float> actual(gate.size());
      glu(gate.data(), up.data(), static_cast<int64_t>(gate.size()), params, actual.data(),
          Device{*device.kernels, testPool(2)});
      ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << device.name;
    }
  }
}

TEST(Elementwise, Quantize) {
  Random random(32);
  for (RowKind kind : {RowKind::Int8, RowKind::Int16})
    for (int64_t columns : {1, 16, 127, 128, 129, 352, 2880}) {
      const int64_t rows = 9;
      std::vector<float> x = randomFloats(rows * columns, random);
      const auto row = [&](int64_t r) { return x.data() + r * columns; };
      std::fill_n(row(1), columns, 0.0f);
      std::fill_n(row(2), columns, 0x1p-97f);
      std::fill_n(row(3), columns, -0x1p-96f);
      row(4)[columns / 2] = kNan;
      row(5)[0] = -kInfinity;
      std::fill_n(row(6), columns, std::numeric_limits<float>::max());
      for (int64_t i = 0; i < columns; ++i) // ties of the rounding
        row(7)[i] = (static_cast<float>(i % 200) - 99.5f) / 127.0f * 2.0f;
      const int64_t stride = actRowBytes(kind, columns);
      std::vector<std::byte> expected(static_cast<size_t>(rows * stride));
      for (int64_t r = 0; r < rows; ++r) {
        const std::vector<std::byte> one = referenceActRow(row(r), columns, kind);
        std::memcpy(expected.data() + r * stride, one.data(), one.size());
      }
      for (const TestDevice &device : testDevices()) {
        std::vector<std::byte> actual(expected.size());
        quantize(x.data(), rows, columns, kind, actual.data(),
                 Device{*device.kernels, testPool(2)});
        ASSERT_EQ(actual, expected) << device.name << ", K = " << columns;
      }
    }
}

TEST(Elementwise, RmsNorm) {
  Random random(33);
  for (int64_t columns : {1, 15, 16, 17, 352, 1024, 1025, 2880}) {
    const int64_t rows = 4;
    std::vector<float> x = randomFloats(rows * columns, random);
    std::fill_n(x.begin(), columns, 0.0f);
    x[static_cast<size_t>(columns)] = kNan;
    const std::vector<float> weight = randomFloats(columns, random);
    std::vector<float> expected(x.size());
    for (int64_t r = 0; r < rows; ++r)
      numerics::rmsNorm(x.data() + r * columns, weight.data(), columns, 1e-6f,
                        expected.data() + r * columns);
    for (const TestDevice &device : testDevices()) {
      std::vector<float> actual(x.size());
      rmsNorm(x.data(), weight.data(), 1e-6f, rows, columns, actual.data(),
              Device{*device.kernels, testPool(2)});
      ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << device.name << ", K = " << columns;
    }
  }
}

TEST(Elementwise, AddMakesNansCanonical) {
  Random random(34);
  const std::vector<float> a = anyFloats(40001, random);
  const std::vector<float> b = anyFloats(40001, random);
  std::vector<float> expected(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    expected[i] = canonicalNan(numerics::add(a[i], b[i]));
  for (const TestDevice &device : testDevices()) {
    std::vector<float> actual(a.size());
    add(a.data(), b.data(), static_cast<int64_t>(a.size()), actual.data(),
        Device{*device.kernels, testPool(2)});
    ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << device.name;
  }
}

TEST(Elementwise, Scale) {
  Random random(39);
  std::vector<float> x = anyFloats(40001, random);
  x[0] = kInfinity;
  x[1] = kNan;
  for (const float factor : {0.22f, -3.0f, 0.0f, 0x1p-140f}) {
    std::vector<float> expected(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      expected[i] = canonicalNan(numerics::mul(factor, x[i]));
    for (const TestDevice &device : testDevices()) {
      std::vector<float> actual(x.size());
      scale(x.data(), factor, static_cast<int64_t>(x.size()), actual.data(),
            Device{*device.kernels, testPool(2)});
      ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << device.name;
    }
  }
}

TEST(Elementwise, Combine) {
  Random random(35);
  const int64_t tokens = 5;
  for (int64_t k : {1, 2, 8})
    for (int64_t columns : {16, 37, 512})
      for (int variant = 0; variant < 4; ++variant) {
        const bool isSorted = (variant & 1) != 0;
        const bool isWeighted = (variant & 2) != 0;
        const std::vector<float> rows = randomFloats(tokens * k * columns, random);
        const std::vector<float> zeros(static_cast<size_t>(columns));
        const std::vector<float> weights = randomFloats(tokens * k, random);
        std::vector<int32_t> inverse(static_cast<size_t>(tokens * k));
        for (size_t i = 0; i < inverse.size(); ++i)
          inverse[i] = static_cast<int32_t>(inverse.size() - 1 - i);
        inverse[0] = -1; // the expert of this slot is elsewhere
        std::vector<float> expected(static_cast<size_t>(tokens * columns));
        for (int64_t t = 0; t < tokens; ++t) {
          std::vector<const float *> slots;
          for (int64_t j = 0; j < k; ++j) {
            const int64_t slot = t * k + j;
            const int64_t row = isSorted ? inverse[static_cast<size_t>(slot)] : slot;
            slots.push_back(row < 0 ? zeros.data() : rows.data() + row * columns);
          }
          combineSlots(slots.data(), isWeighted ? weights.data() + t * k : nullptr,
                       static_cast<int>(k), columns, expected.data() + t * columns);
        }
        for (const TestDevice &device : testDevices()) {
          std::vector<float> actual(expected.size());
          combine(rows.data(), isSorted ? inverse.data() : nullptr,
                  isWeighted ? weights.data() : nullptr, tokens, k, columns, actual.data(),
                  Device{*device.kernels, testPool(2)});
          ASSERT_EQ(bitsOf(actual), bitsOf(expected)) << device.name;
        }
      }
}

/// Logits with ties, NaNs and infinities among them.
std::vector<float> awkwardLogits(int64_t rows, int experts, Random &random) {
  std::vector<float> logits = randomFloats(rows * experts, random);
  for (size_t i = 0; i < logits.size(); ++i) {
    const uint64_t die = random() % 64;
    if (die == 0 && i > 0)
      logits[i] = logits[i - 1];
    else if (die == 1 && i / static_cast<size_t>(experts) % 3 == 1)
      logits[i] = kNan;
    else if (die == 2 && i / static_cast<size_t>(experts) % 3 == 2)
      logits[i] = random() % 2 == 0 ? kInfinity : -kInfinity;
    else if (die == 3)
      logits[i] = random() % 2 == 0 ? 0.0f : -0.0f;
  }
  return logits;
}

void checkRoute(const RouteParams &params, bool biased, uint64_t seed) {
  Random random(seed);
  const int64_t rows = 31;
  const std::vector<float> logits = awkwardLogits(rows, params.experts, random);
  const std::vector<float> bias = randomFloats(params.experts, random);
  const auto slots = static_cast<size_t>(rows * params.selected);
  std::vector<int32_t> expectedIds(slots);
  std::vector<float> expected(slots);
  std::vector<float> scores(static_cast<size_t>(params.experts));
  for (int64_t r = 0; r < rows; ++r)
    routeToken(params, logits.data() + r * params.experts, biased ? bias.data() : nullptr,
               scores.data(), expectedIds.data() + r * params.selected,
               expected.data() + r * params.selected);
  for (const TestDevice &device : testDevices()) {
    std::vector<int32_t> ids(slots);
    std::vector<float> weights(slots);
    route(logits.data(), biased ? bias.data() : nullptr, rows, params, ids.data(), weights.data(),
          Device{*device.kernels, testPool(2)});
    ASSERT_EQ(ids, expectedIds) << device.name;
    ASSERT_EQ(bitsOf(weights), bitsOf(expected)) << device.name;
  }
}

TEST(Elementwise, Route) {
  for (Scoring scoring :
       {Scoring::Softmax, Scoring::Sigmoid, Scoring::SoftmaxAfterTopK, Scoring::Raw})
    for (int variant = 0; variant < 8; ++variant) {
      SCOPED_TRACE("variant " + std::to_string(variant));
      RouteParams params{};
      params.experts = 128;
      params.selected = 8;
      params.scoring = scoring;
      params.normalize = (variant & 1) != 0;
      params.scale = (variant & 2) != 0 ? 2.5f : 1.0f;
      checkRoute(params, (variant & 4) != 0, 36);
    }
}

TEST(Elementwise, RouteShapes) {
  for (auto [experts, selected, groups, used] :
       std::initializer_list<std::array<int, 4>>{{1, 1, 1, 1},
                                                 {8, 2, 1, 1},
                                                 {33, 5, 1, 1},
                                                 {60, 4, 1, 1},
                                                 {256, 8, 8, 4},
                                                 {64, 6, 64, 8},
                                                 {1024, 32, 16, 3}}) {
    SCOPED_TRACE(experts);
    RouteParams params{};
    params.experts = experts;
    params.selected = selected;
    params.groups = groups;
    params.groupsUsed = used;
    params.scoring = Scoring::Sigmoid;
    params.normalize = true;
    checkRoute(params, true, 37);
  }
}

TEST(Elementwise, GatherAndUnsort) {
  Random random(38);
  const int64_t columns = 33;
  const std::vector<float> x = randomFloats(4 * columns, random);
  const std::vector<int32_t> permutation = {7, 0, 3, 5};
  std::vector<float> gathered(4 * columns);
  const Device device{portableKernels(), testPool(2)};
  gather(x.data(), permutation.data(), 4, 2, columns, gathered.data(), device);
  for (int64_t r = 0; r < 4; ++r)
    for (int64_t i = 0; i < columns; ++i)
      ASSERT_EQ(gathered[static_cast<size_t>(r * columns + i)],
                x[static_cast<size_t>(permutation[static_cast<size_t>(r)] / 2 * columns + i)]);

  const std::vector<int32_t> inverse = {2, -1, 0, 3, 1};
  std::vector<float> unsorted(5 * columns, 9.0f);
  unsort(x.data(), inverse.data(), 5, columns, unsorted.data(), device);
  for (int64_t s = 0; s < 5; ++s)
    for (int64_t i = 0; i < columns; ++i) {
      const int32_t row = inverse[static_cast<size_t>(s)];
      ASSERT_EQ(unsorted[static_cast<size_t>(s * columns + i)],
                row < 0 ? 0.0f : x[static_cast<size_t>(row * columns + i)]);
    }
}

} // namespace
} // namespace sortie::cpu
