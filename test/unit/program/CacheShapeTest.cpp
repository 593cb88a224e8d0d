// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the pages of a state hold, by the functions that append to it.

#include "runtime/program/CacheShape.h"

#include "test/unit/program/ProgramText.h"

#include "runtime/numerics/cache.h"
#include "runtime/program/Loader.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::test;

namespace {

/// A kernel writes rows of two inputs to a state. Each name with $ stands for something.
constexpr const char *kProgram = R"(
  moert.symbol @tokens max(4)
  moert.symbol @pages max(9)
  moert.kernel @append_0 "append" reads(2) writes(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.state @cache : $cache
  moert.func @append("a" %a: $a, "b" %b: $b) outs() arena(0) {
    %cache = moert.state_buffer @cache : $cache
    moert.launch @append_0 grid(1) reads(%a, %b) writes(%cache) work("$operation") : $a, $b, $cache
    moert.return
  })";
constexpr const char *kResources = R"(
{-#
  dialect_resources: {builtin: {image: "0x04000000050600"}}
#-}
)";

/// The rows have `first` and `second` elements, and a page of the state `words` words.
std::shared_ptr<const Program> programOf(const std::string &operation, int64_t first,
                                         int64_t second, int64_t words) {
  const auto rows = [](int64_t columns) {
    return "!moert.buffer<tokens x " + std::to_string(columns) + " x f32>";
  };
  std::string text = kProgram;
  const std::pair<std::string, std::string> kNames[] = {
      {"$cache", "!moert.buffer<pages x " + std::to_string(words) + " x i32>"},
      {"$operation", operation},
      {"$a", rows(first)},
      {"$b", rows(second)}};
  for (const auto &[name, meaning] : kNames)
    for (size_t at = 0; (at = text.find(name)) != std::string::npos;)
      text.replace(at, name.size(), meaning);
  text = cudaProgramText(text, kResources);
  return cantFail(loadProgram({text, "test"}));
}

numerics::ActivationWidth widthOf(int bits) {
  return bits == 16 ? numerics::ActivationWidth::Int16 : numerics::ActivationWidth::Int8;
}

} // namespace

/// Heads of public models, and of the smallest that leave no choice.
TEST(CacheShape, FollowsFromTheWordsOfAPage) {
  const std::pair<int64_t, std::pair<int64_t, int64_t>> kHeads[] = {
      {4, {128, 128}}, {8, {64, 64}}, {1, {256, 256}}, {32, {96, 96}}, {16, {192, 128}},
      {2, {32, 48}},   {1, {65, 7}},  {96, {32, 32}},  {7, {16, 16}}};
  for (const auto &[heads, elements] : kHeads)
    for (const int bits : {8, 16}) {
      const auto [key, value] = elements;
      const int64_t words = numerics::cachePageWords(widthOf(bits), heads, key, value, 0);
      const auto program = programOf("moert.append", heads * key, heads * value, words);
      const std::optional<CacheShape> shape = cacheShapeOf(*program, 0);
      ASSERT_TRUE(shape.has_value()) << heads << " x " << key << ", " << bits;
      EXPECT_EQ(shape->heads, heads);
      EXPECT_EQ(shape->key, key);
      EXPECT_EQ(shape->value, value);
      EXPECT_EQ(shape->rotated, 0);
      EXPECT_EQ(shape->bits, bits);
    }
}

TEST(CacheShape, OfLatents) {
  for (const int bits : {8, 16}) {
    const int64_t words = numerics::cachePageWords(widthOf(bits), 1, 512, 512, 64);
    const std::optional<CacheShape> shape =
        cacheShapeOf(*programOf("moert.append_latent", 512, 64, words), 0);
    ASSERT_TRUE(shape.has_value());
    EXPECT_EQ(shape->heads, 1);
    EXPECT_EQ(shape->key, 512);
    EXPECT_EQ(shape->value, 512);
    EXPECT_EQ(shape->rotated, 64);
    EXPECT_EQ(shape->bits, bits);
  }
}

TEST(CacheShape, IsNoneWhereNothingFits) {
  EXPECT_FALSE(cacheShapeOf(*programOf("moert.append", 64, 64, 64), 0).has_value());
  EXPECT_FALSE(cacheShapeOf(*programOf("moert.write_rows", 64, 64, 4352), 0).has_value());
}
