// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which image of a kernel a GPU gets.

#include "runtime/cuda/ImageChoice.h"

#include "gtest/gtest.h"

using namespace llvm;
using sortie::cuda::ComputeCapability;

namespace {
/// The architecture chosen, "none" if there is none.
std::string choose(ArrayRef<StringRef> architectures, ComputeCapability device) {
  const std::optional<size_t> index = sortie::cuda::chooseImage(architectures, device);
  return index ? architectures[*index].str() : "none";
}
} // namespace

TEST(ImageChoice, theExactArchitectureComesFirst) {
  EXPECT_EQ(choose({"sm_80", "sm_90a", "compute_80"}, {9, 0}), "sm_90a");
  EXPECT_EQ(choose({"sm_80", "sm_89", "compute_89"}, {8, 9}), "sm_89");
  EXPECT_EQ(choose({"sm_90", "sm_90a"}, {9, 0}), "sm_90a");
  EXPECT_EQ(choose({"sm_90a", "sm_90"}, {9, 0}), "sm_90a");
}

TEST(ImageChoice, thenTheNewestOfTheSameMajorVersion) {
  EXPECT_EQ(choose({"sm_80", "sm_86", "sm_89", "compute_80"}, {8, 7}), "sm_86");
  EXPECT_EQ(choose({"sm_120", "sm_121", "compute_80"}, {12, 1}), "sm_121");
  EXPECT_EQ(choose({"sm_100", "compute_80"}, {10, 3}), "sm_100");
}

TEST(ImageChoice, specificCubinsRunOnTheirOwnArchitectureOnly) {
  EXPECT_EQ(choose({"sm_100a", "compute_80"}, {10, 3}), "compute_80");
  EXPECT_EQ(choose({"sm_100a", "compute_100a"}, {10, 3}), "none");
  EXPECT_EQ(choose({"compute_80", "compute_100a"}, {10, 0}), "compute_100a");
}

TEST(ImageChoice, thenTheNewestPtx) {
  EXPECT_EQ(choose({"sm_80", "compute_80", "compute_90"}, {12, 0}), "compute_90");
  EXPECT_EQ(choose({"sm_80", "compute_80", "compute_90"}, {9, 0}), "compute_90");
  EXPECT_EQ(choose({"sm_90a", "compute_80", "compute_90"}, {8, 9}), "compute_80");
}

TEST(ImageChoice, orNone) {
  EXPECT_EQ(choose({}, {9, 0}), "none");
  EXPECT_EQ(choose({"sm_80", "compute_80"}, {7, 5}), "none");
  EXPECT_EQ(choose({"sm_89"}, {8, 0}), "none");
  EXPECT_EQ(choose({"gfx942", "sm_", "sm_9", "sm_x", "compute_", "90"}, {9, 0}), "none");
}

TEST(ImageChoice, cubinsFromSm90OnWaitThemselves) {
  for (const char *image : {"sm_90", "sm_90a", "sm_100a", "sm_120"})
    EXPECT_TRUE(sortie::cuda::waitsForLaunchBefore(image)) << image;
  for (const char *image : {"sm_80", "sm_89", "compute_80", "compute_90", "compute_90a", "", "sm_"})
    EXPECT_FALSE(sortie::cuda::waitsForLaunchBefore(image)) << image;
}
