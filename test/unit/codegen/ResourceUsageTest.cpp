// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ptxas says of a kernel's resources.

#include "codegen/ResourceUsage.h"

#include "gtest/gtest.h"

using namespace sortie::codegen;

namespace {

constexpr llvm::StringLiteral kLog = R"(k.cu(3): warning #177-D: variable "x" was declared
ptxas info    : 80 bytes gmem, 160 bytes cmem[4]
ptxas info    : Compiling entry function 'first' for 'sm_80'
ptxas info    : Function properties for first
ptxas         .     296 bytes stack frame, 548 bytes spill stores, 632 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 1024 bytes smem, 296 bytes cumulative stack size, 408 bytes cmem[0]
ptxas info    : Compile time = 13.733 ms
ptxas info    : Compiling entry function 'first_clean' for 'sm_80'
ptxas info    : Function properties for first_clean
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 24 registers, used 0 barriers, 368 bytes cmem[0]
)";

TEST(ResourceUsageTest, ReadsEveryNumber) {
  const std::optional<ResourceUsage> usage = parseResourceUsage(kLog, "first");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->registers, 255);
  EXPECT_EQ(usage->stack, 296);
  EXPECT_EQ(usage->spillStores, 548);
  EXPECT_EQ(usage->spillLoads, 632);
  EXPECT_EQ(usage->staticShared, 1024);
  EXPECT_FALSE(usage->isClean());
}

TEST(ResourceUsageTest, KnowsKernelsApart) {
  const std::optional<ResourceUsage> usage = parseResourceUsage(kLog, "first_clean");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->registers, 24);
  EXPECT_EQ(usage->staticShared, 0);
  EXPECT_TRUE(usage->isClean());
}

TEST(ResourceUsageTest, NothingIsKnownWithoutALog) {
  EXPECT_FALSE(parseResourceUsage("", "first"));
  EXPECT_FALSE(parseResourceUsage(kLog, "second"));
  EXPECT_FALSE(parseResourceUsage("Compiling entry function 'first' for 'sm_80'", "first"));
}

TEST(ResourceUsageTest, EachUseOfLocalMemoryIsUnclean) {
  EXPECT_TRUE((ResourceUsage{.registers = 255}.isClean()));
  EXPECT_FALSE((ResourceUsage{.stack = 8}.isClean()));
  EXPECT_FALSE((ResourceUsage{.spillStores = 8}.isClean()));
  EXPECT_FALSE((ResourceUsage{.spillLoads = 8}.isClean()));
  EXPECT_FALSE((ResourceUsage{.staticShared = 8}.isClean()));
}

} // namespace
