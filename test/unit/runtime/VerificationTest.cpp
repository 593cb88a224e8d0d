// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verification of weights through the C API.

#include "test/unit/gguf/GgufWriter.h"
#include "test/unit/runtime/Engine.h"

#include "runtime/include/sortie/sortie.h"
#include "runtime/weights/TensorHasher.h"

#include "gtest/gtest.h"

#include <limits>

using namespace sortie::test;

namespace {

struct Told {
  sortie_finding_kind kind;
  std::string tensor;
  int64_t expert;
  int64_t row;
  uint64_t count;
  std::string message;
};

/// kDenseProgram, its model in memory, and what verification says.
struct Verification {
  std::vector<float> norm = std::vector<float>(8, 1.0f);
  std::vector<float> matrix = std::vector<float>(32, 0.5f);
  std::vector<float> other = std::vector<float>(32, 2.0f);
  bool hasOther = true;

  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  sortie_weights_options weights = SORTIE_INIT(sortie_weights_options);
  sortie_verify_info info = SORTIE_INIT(sortie_verify_info);
  sortie_error_code code = SORTIE_ERROR_IO;
  std::vector<Told> findings;

  static std::string hashOf(const std::vector<float> &values) {
    const auto pool = llvm::cantFail(sortie::cpu::ThreadPool::create(1));
    const llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t *>(values.data()),
                                        values.size() * sizeof(float));
    return sortie::printHash(llvm::cantFail(
        sortie::hashTensors(bytes, *pool, [](uint64_t, uint64_t) { return true; }))[0]);
  }

  /// The attribute that records the hashes of the tensors as they are now.
  std::string hashes() const {
    return ", moert.weight_hashes = {\"norm.weight\" = \"" + hashOf(norm) +
           "\", \"matrix.weight\" = \"" + hashOf(matrix) + "\", \"other.weight\" = \"" +
           hashOf(other) + "\"}";
  }

  /// The message of the error; "" for none.
  std::string run(const Engine &loaded, bool values = false) {
    GgufWriter writer;
    auto add = [&](const char *name, const std::vector<uint64_t> &dimensions,
                   const std::vector<float> &floats) {
      writer.addTensor(name, 0, dimensions,
                       std::string(reinterpret_cast<const char *>(floats.data()),
                                   floats.size() * sizeof(float)));
    };
    add("norm.weight", {8}, norm);
    add("matrix.weight", {8, 4}, matrix);
    if (hasOther)
      add("other.weight", {8, 4}, other);
    const std::string file = writer.finish();
    const void *buffer = file.data();
    const size_t size = file.size();
    if (weights.source == 0)
      weights.source = SORTIE_WEIGHTS_MEMORY;
    weights.buffers = &buffer;
    weights.buffer_sizes = &size;
    weights.buffer_count = 1;
    weights.callbacks = &callbacks;
    sortie_verify_options options = SORTIE_INIT(sortie_verify_options);
    options.values = values;
    options.user = &findings;
    options.finding = [](void *user, const sortie_finding *told) {
      static_cast<std::vector<Told> *>(user)->push_back(
          {told->kind, told->tensor, told->expert, told->row, told->count, told->message});
    };
    findings.clear();
    return take(sortie_weights_verify(loaded.program, &weights, &options, &info), &code);
  }
};

} // namespace

TEST(Verification, whatIsAsItWasHashedPasses) {
  Verification verification;
  const Engine loaded(kDenseProgram, verification.hashes());
  EXPECT_EQ(verification.run(loaded), "");
  EXPECT_EQ(verification.run(loaded, /*values=*/true), "");
  EXPECT_TRUE(verification.findings.empty());
  EXPECT_EQ(verification.info.tensor_count, 3u);
  EXPECT_EQ(verification.info.hash_count, 3u);
  EXPECT_EQ(verification.info.byte_count, (8u + 32 + 32) * 4);
  EXPECT_EQ(verification.info.finding_count, 0u);

  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(loaded.program, &info);
  EXPECT_EQ(info.hash_count, 3u);
  EXPECT_EQ(info.fingerprint_rule, 0);
}

TEST(Verification, everyTensorThatDiffersIsTold) {
  Verification verification;
  const Engine loaded(kDenseProgram, verification.hashes());
  verification.matrix[17] = 0.25f;
  verification.norm[7] = -1.0f;
  const std::string message = verification.run(loaded);
  EXPECT_TRUE(contains(message, "tensors at fault: matrix.weight, norm.weight. Download"))
      << message;
  EXPECT_EQ(verification.code, SORTIE_ERROR_INVALID);
  ASSERT_EQ(verification.findings.size(), 2u);
  const Told &told = verification.findings[0];
  EXPECT_EQ(told.kind, SORTIE_FINDING_HASH);
  EXPECT_EQ(told.tensor, "matrix.weight");
  EXPECT_EQ(told.row, -1);
  EXPECT_EQ(told.message, "its bytes hash to " + Verification::hashOf(verification.matrix) +
                              ", test.mlir was compiled for " +
                              Verification::hashOf(std::vector<float>(32, 0.5f)));
  EXPECT_EQ(verification.findings[1].tensor, "norm.weight");
  EXPECT_EQ(verification.info.finding_count, 2u) << "filled though it is an error";

  // What the function does not read does not matter.
  const size_t second = 1;
  verification.weights.functions = &second;
  verification.weights.function_count = 1;
  EXPECT_EQ(verification.run(loaded), "");
  EXPECT_EQ(verification.info.tensor_count, 1u);
}

TEST(Verification, missingTensorsAndFingerprintsAreFindings) {
  Verification verification;
  const Engine loaded(kDenseProgram,
                      verification.hashes() + ", moert.weights_fingerprint = \"0123456789abcdef\"");
  verification.hasOther = false;
  EXPECT_TRUE(contains(verification.run(loaded), "tensors at fault: other.weight."));
  ASSERT_EQ(verification.findings.size(), 2u);
  EXPECT_EQ(verification.findings[0].kind, SORTIE_FINDING_FINGERPRINT);
  EXPECT_EQ(verification.findings[0].tensor, "");
  EXPECT_EQ(verification.findings[1].kind, SORTIE_FINDING_TENSOR);
  EXPECT_TRUE(contains(verification.findings[1].message, "has no tensor 'other.weight'"));
  EXPECT_EQ(verification.info.tensor_count, 2u);
}

TEST(Verification, tensorsWithoutHashAreFindingsWhereOthersHaveOne) {
  Verification verification;
  const Engine loaded(kDenseProgram, ", moert.weight_hashes = {\"norm.weight\" = \"" +
                                         Verification::hashOf(verification.norm) + "\"}");
  EXPECT_NE(verification.run(loaded), "");
  ASSERT_EQ(verification.findings.size(), 2u);
  EXPECT_EQ(verification.findings[0].kind, SORTIE_FINDING_NO_HASH);
  EXPECT_EQ(verification.findings[0].message, "test.mlir records no hash of it");
  EXPECT_EQ(verification.info.hash_count, 1u);
}

TEST(Verification, valuesAreCheckedWithoutHashes) {
  Verification verification;
  const Engine loaded(kDenseProgram);
  EXPECT_TRUE(contains(verification.run(loaded), "test.mlir: records no hashes of its weights"));
  EXPECT_EQ(verification.code, SORTIE_ERROR_UNSUPPORTED);
  EXPECT_EQ(verification.run(loaded, /*values=*/true), "");
  EXPECT_EQ(verification.info.hash_count, 0u);
  verification.other[8 * 3 + 2] = std::numeric_limits<float>::infinity();
  verification.other[8 * 3 + 4] = std::numeric_limits<float>::quiet_NaN();
  const std::string message = verification.run(loaded, /*values=*/true);
  EXPECT_TRUE(contains(message, "has scales, minimums or weights that are not finite; tensors at "
                                "fault: other.weight. test.mlir records no hashes"))
      << message;
  ASSERT_EQ(verification.findings.size(), 2u);
  const Told &told = verification.findings[1];
  EXPECT_EQ(told.kind, SORTIE_FINDING_VALUE);
  EXPECT_EQ(told.expert, -1);
  EXPECT_EQ(told.row, 3);
  EXPECT_EQ(told.count, 2u);
  EXPECT_EQ(told.message, "row 3, column 4: the weight is NaN");
}

TEST(Verification, aModelThatIsWhatItWasIsNotCalledDamagedForItsValues) {
  Verification verification;
  verification.norm[5] = std::numeric_limits<float>::quiet_NaN();
  const Engine loaded(kDenseProgram, verification.hashes());
  EXPECT_EQ(verification.run(loaded), "") << "the hashes agree";
  const std::string message = verification.run(loaded, /*values=*/true);
  EXPECT_TRUE(contains(message, "that are not finite; tensors at fault: norm.weight. Its bytes are "
                                "those that test.mlir was compiled for"))
      << message;
  EXPECT_FALSE(contains(message, "damaged"));
  EXPECT_EQ(verification.code, SORTIE_ERROR_INVALID);

  // With another finding it is not what it was.
  verification.matrix[0] = 7.0f;
  const std::string damaged = verification.run(loaded, /*values=*/true);
  EXPECT_TRUE(contains(damaged, "or is damaged; tensors at fault: matrix.weight, norm.weight. "
                                "Download or convert"))
      << damaged;
}

TEST(Verification, argumentsAreChecked) {
  Verification verification;
  const Engine loaded(kDenseProgram, verification.hashes());
  EXPECT_EQ(take(sortie_weights_verify(nullptr, &verification.weights, nullptr, nullptr)),
            "an argument of sortie_weights_verify is a null pointer");
  EXPECT_EQ(take(sortie_weights_verify(loaded.program, nullptr, nullptr, nullptr)),
            "an argument of sortie_weights_verify is a null pointer");
  sortie_verify_info unset = {};
  EXPECT_TRUE(
      contains(take(sortie_weights_verify(loaded.program, &verification.weights, nullptr, &unset)),
               "sortie_verify_info.struct_size is 0"));
  for (const auto source : {SORTIE_WEIGHTS_RANDOM, SORTIE_WEIGHTS_CALLBACK}) {
    verification.weights.source = source;
    verification.weights.read = [](void *, const char *, uint64_t, uint64_t, void *) { return 1; };
    EXPECT_TRUE(contains(verification.run(loaded),
                         "weights that come from no file cannot be verified; give a GGUF file"));
    EXPECT_EQ(verification.code, SORTIE_ERROR_UNSUPPORTED);
  }
  verification.weights.source = SORTIE_WEIGHTS_MEMORY;
  verification.callbacks.cancelled = [](void *) { return 1; };
  EXPECT_EQ(verification.run(loaded), "cancelled while tensors were being read");
  EXPECT_EQ(verification.code, SORTIE_ERROR_CANCELLED);
}
