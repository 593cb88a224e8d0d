// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A small program for CUDA with every kind of step, its kernels as functions of the fake driver,
// and what it computes.

#ifndef SORTIE_TEST_UNIT_CUDA_TESTPROGRAM_H
#define SORTIE_TEST_UNIT_CUDA_TESTPROGRAM_H

#include "test/unit/cuda/FakeDriver.h"

#include "runtime/program/Program.h"

namespace sortie::test {

inline constexpr int64_t kColumns = 8;
inline constexpr int64_t kExperts = 2;
inline constexpr int64_t kMaxTokens = 64;

/// Function "layer"(x: tokens x 8 x f32, ids: tokens x 2 x i32) -> y: tokens x 8 x f32:
///   0 moert.dispatch  status and offsets of the ids
///   1 moert.check_ids
///   2 moert.rms_norm  act = x * norm           norm: bf16 [8], read as floats
///   3 checkpoint "act", 4 checkpoint "fused"
///   5 moert.matmul    product = act * W[0]^T   W: f32 [2, 8, 8], packed in panels of 3 rows
///   6 moert.copy      y = product
std::shared_ptr<Program> makeProgram();

/// Defines the program's kernels.
void addKernels(FakeDriver &driver);

/// What the program computes with weights of makeRandomSource(1).
std::vector<float> expectedAct(const Program &program, const std::vector<float> &x);
std::vector<float> expectedOutput(const Program &program, const std::vector<float> &x);

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_CUDA_TESTPROGRAM_H
