// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashes of tensors: against test/reference/model_hashes.py, and the same with every number of
// threads.

#include "runtime/weights/TensorHasher.h"

#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;

namespace {

std::vector<uint8_t> pattern(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<uint8_t>(i % 251);
  return bytes;
}

std::vector<std::string> hash(ArrayRef<std::vector<uint8_t>> tensors, int threads) {
  const auto pool = cantFail(cpu::ThreadPool::create(threads));
  const std::vector<ArrayRef<uint8_t>> views(tensors.begin(), tensors.end());
  std::vector<std::string> digits;
  for (const TensorHash &value :
       cantFail(hashTensors(views, *pool, [](uint64_t, uint64_t) { return true; })))
    digits.push_back(printHash(value));
  return digits;
}

} // namespace

TEST(TensorHasher, isWhatTheReferenceGives) {
  std::vector<std::vector<uint8_t>> tensors;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1024}, kHashSlabBytes - 1, kHashSlabBytes,
                            kHashSlabBytes + 1, 3 * kHashSlabBytes - 7})
    tensors.push_back(pattern(size));
  const std::vector<std::string> expected = {
      "71e0a99173564931c0b8acc52d2685a8", "a9acaef31dd9374f2d37170551b2c41e",
      "1b16f97c1b69c419bd2786de78649fb7", "4761f4e9efc066b3600a754dc47bb482",
      "3bc43061ebefde3000c34f1d4ca7903a", "90e7323c30b4c709743e8e6df62aea01",
      "0de884d79dd6188bc59cd74c7854590c"};
  for (const int threads : {1, 2, 5})
    EXPECT_EQ(hash(tensors, threads), expected) << threads;
  for (const std::string &digits : expected)
    EXPECT_EQ(printHash(parseHash(digits)), digits);
}

TEST(TensorHasher, everyByteCounts) {
  std::vector<std::vector<uint8_t>> tensors = {pattern(2 * kHashSlabBytes + 10)};
  const std::vector<std::string> original = hash(tensors, 2);
  for (const size_t at :
       {size_t{0}, size_t{5000}, kHashSlabBytes - 1, kHashSlabBytes, 2 * kHashSlabBytes + 9}) {
    tensors[0][at] ^= 4;
    EXPECT_NE(hash(tensors, 2), original) << at;
    tensors[0][at] ^= 4;
  }
  tensors[0].push_back(0);
  EXPECT_NE(hash(tensors, 2), original) << "a zero more";
}

TEST(TensorHasher, reportsProgressAndCanBeCancelled) {
  const auto pool = cantFail(cpu::ThreadPool::create(2));
  const std::vector<uint8_t> first = pattern(70 * kHashSlabBytes), second = pattern(3);
  const ArrayRef<uint8_t> tensors[] = {first, second};
  std::vector<uint64_t> reports;
  cantFail(hashTensors(tensors, *pool, [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, first.size() + second.size());
    reports.push_back(done);
    return true;
  }));
  EXPECT_EQ(reports, (std::vector<uint64_t>{64 * kHashSlabBytes, 70 * kHashSlabBytes + 3}));
  Expected<std::vector<TensorHash>> cancelled =
      hashTensors(tensors, *pool, [](uint64_t, uint64_t) { return false; });
  ASSERT_FALSE(bool(cancelled));
  EXPECT_EQ(errorToErrorCode(cancelled.takeError()), std::errc::operation_canceled);
}
