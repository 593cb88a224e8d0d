// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a device runs of a program with variants.

#include "runtime/cuda/Variants.h"

#include "test/unit/cuda/TestProgram.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::test;
using namespace sortie::cuda;

namespace {

/// The test program with a grid and a pack of their own for sm_90a.
std::shared_ptr<Program> makeVariants() {
  const std::shared_ptr<Program> program = makeProgram();
  auto &product = std::get<KernelLaunch>(program->functions[0].steps[5].action);
  product.variants = {{"sm_90a", {{{3, 0}, 1, /*roundsDown=*/false, std::nullopt}}}};
  WeightSpec &matrix = program->weights[1];
  matrix.packVariants = {{"sm_90a", {matrix.pack->kernel, 2 * matrix.pack->rows, 4096}}};
  return program;
}

const KernelLaunch &productOf(const Program &program) {
  return std::get<KernelLaunch>(program.functions[0].steps[5].action);
}

TEST(Variants, aProgramWithoutAnyIsItself) {
  FakeDriver fake;
  const std::shared_ptr<const Program> program = makeProgram();
  EXPECT_EQ(cantFail(resolveVariants(*fake.open(), program, {0})), program);
}

TEST(Variants, followTheImages) {
  FakeDriver fake;
  fake.capability = {9, 0};
  const auto program = makeVariants();
  const auto resolved = cantFail(resolveVariants(*fake.open(), program, {0}));
  EXPECT_EQ(productOf(*resolved).grid[0].at(5), 15);
  EXPECT_TRUE(productOf(*resolved).variants.empty());
  EXPECT_EQ(resolved->weights[1].pack->bytes, 4096u);
  EXPECT_TRUE(resolved->weights[1].packVariants.empty());
}

TEST(Variants, othersAreAsThereWereNone) {
  FakeDriver fake;
  fake.capability = {8, 0};
  const auto program = makeVariants();
  const auto resolved = cantFail(resolveVariants(*fake.open(), program, {0}));
  EXPECT_EQ(productOf(*resolved).grid[0].at(5), productOf(*makeProgram()).grid[0].at(5));
  EXPECT_EQ(resolved->weights[1].pack->bytes, makeProgram()->weights[1].pack->bytes);
}

TEST(Variants, aKernelWithoutAnImageIsAnError) {
  FakeDriver fake;
  fake.capability = {7, 5};
  auto resolved = resolveVariants(*fake.open(), makeVariants(), {0});
  ASSERT_FALSE(resolved);
  EXPECT_NE(toString(resolved.takeError()).find("compile the program with chip=sm_75"),
            std::string::npos);
}

} // namespace
