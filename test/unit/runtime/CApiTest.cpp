// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API from end to end: programs in text form, run with weights from memory, a callback and
// the generator.

#include "test/unit/gguf/GgufWriter.h"
#include "test/unit/program/DeviceText.h"
#include "test/unit/runtime/Engine.h"

#include "runtime/audit/ValueHash.h"

#include "gtest/gtest.h"

#include <cstring>
#include <map>
#include <memory>
#include <sched.h>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace sortie::test;

namespace {

std::vector<int64_t> extents(const int64_t *shape, size_t rank) { return {shape, shape + rank}; }

} // namespace

//===- Program -----------------------------------------------------------===//

TEST(CApi, saysWhereFunctionsRun) {
  const Engine engine(Engine::WholeText{cudaProgramText(kDeviceProgram, kDeviceResources)});
  const std::pair<const char *, size_t> expected[] = {{"cpu", 0}, {"cuda", 0}, {"cuda", 1}};
  for (size_t i = 0; i < std::size(expected); ++i) {
    sortie_function_info function = SORTIE_INIT(sortie_function_info);
    EXPECT_EQ(take(sortie_program_get_function(engine.program, i, &function)), "");
    EXPECT_STREQ(function.target, expected[i].first);
    EXPECT_EQ(function.device, expected[i].second);
  }
}

/// What is for the CPU needs no GPU.
TEST(CApi, runsTheFunctionsOfOneDeviceOfAProgram) {
  Engine engine(Engine::WholeText{cudaProgramText(kDeviceProgram, kDeviceResources)});
  const size_t function = 0;
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_RANDOM;
  options.functions = &function;
  options.function_count = 1;
  options.device = "cuda";
  EXPECT_EQ(engine.load(options),
            "device 'cuda' is asked for, test.mlir runs what is to be loaded on 'cpu'");
  options.device = "cpu";
  EXPECT_EQ(engine.load(options), "");
  EXPECT_EQ(engine.open(), "");
  EXPECT_STREQ(sortie_session_device(engine.session), "cpu");
  std::vector<float> x = {1, 2, 3}, y(3);
  const std::vector<Array> in = {{"x", SORTIE_F32, {1, 3}, x.data()}};
  const std::vector<Array> out = {{"y", SORTIE_F32, {1, 3}, y.data()}};
  EXPECT_EQ(run(engine.session, in, out), "");
  EXPECT_NE(y[0], 0);
  EXPECT_TRUE(contains(run(engine.session, in, out, nullptr, nullptr, 1),
                       "function 'times' belongs to device 0 of target 'cuda', for which nothing "
                       "has been loaded"));
}

TEST(CApi, saysWhereAProgramIsNotItsModel) {
  const Engine engine(kDenseProgram, ", moert.import_options = {experts_used = 4 : i64}");
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(engine.program, &info);
  EXPECT_STREQ(info.import_options, "{experts_used = 4 : i64}");
}

TEST(CApi, saysOfWhichSymbolsAFunctionIs) {
  const Engine engine(R"(
  moert.symbol @tokens max(16)
  moert.symbol @rows max(4)
  moert.func @f("x" %x: !moert.buffer<tokens x f32>, "z" %z: !moert.buffer<3*rows x f32>)
      outs("y" %y: !moert.buffer<tokens x f32>, "u" %u: !moert.buffer<3*rows x f32>) arena(0) {
    moert.copy %x outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
    moert.copy %z outs(%u) : !moert.buffer<3*rows x f32>, !moert.buffer<3*rows x f32>
    moert.return
  })");
  sortie_function_info function = SORTIE_INIT(sortie_function_info);
  EXPECT_EQ(take(sortie_program_get_function(engine.program, 0, &function)), "");
  EXPECT_EQ(function.symbol, SIZE_MAX);
  EXPECT_EQ(std::vector<size_t>(function.symbols, function.symbols + function.symbol_count),
            (std::vector<size_t>{0, 1}));
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  EXPECT_EQ(take(sortie_program_get_output(engine.program, 0, 1, &value)), "");
  EXPECT_EQ(value.shape[0].per_symbol, 3);
  EXPECT_EQ(value.shape_symbols[0], 1u);
  EXPECT_EQ(function.activation_bits, 0);
  function = {};
  function.struct_size = offsetof(sortie_function_info, activation_bits);
  EXPECT_EQ(take(sortie_program_get_function(engine.program, 0, &function)), "");
  EXPECT_EQ(llvm::StringRef(function.target), "cpu");
  // As in the version before functions said where they run.
  function = {};
  function.struct_size = offsetof(sortie_function_info, target);
  EXPECT_EQ(take(sortie_program_get_function(engine.program, 0, &function)), "");
  EXPECT_EQ(function.symbol_count, 2u);
  EXPECT_EQ(function.target, nullptr);
  function.struct_size = offsetof(sortie_function_info, symbol_count);
  EXPECT_EQ(take(sortie_program_get_function(engine.program, 0, &function)),
            "function 'f' has several symbols, which this caller's version of sortie_function_info "
            "cannot say; build the caller with a newer sortie.h");
}

TEST(CApi, describesAProgram) {
  const Engine engine(kDenseProgram, ", moert.weights_fingerprint = \"0123456789abcdef\"");
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(engine.program, &info);
  EXPECT_EQ(info.function_count, 2u);
  EXPECT_STREQ(info.target, "cpu");
  EXPECT_STREQ(info.contract, "run, batch, device");
  EXPECT_TRUE(info.has_fingerprint);
  EXPECT_EQ(info.fingerprint, 0x0123456789abcdefu);
  EXPECT_EQ(info.import_options, nullptr);

  size_t second = 0;
  EXPECT_EQ(take(sortie_program_find_function(engine.program, "second", &second)), "");
  EXPECT_EQ(second, 1u);
  sortie_error_code code = SORTIE_ERROR_INVALID;
  EXPECT_EQ(take(sortie_program_find_function(engine.program, "third", &second), &code),
            "test.mlir: has no function 'third'; it has: dense, second");
  EXPECT_EQ(code, SORTIE_ERROR_NOT_FOUND);

  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  EXPECT_EQ(take(sortie_program_get_output(engine.program, 0, 0, &value)), "");
  EXPECT_STREQ(value.name, "y");
  EXPECT_EQ(value.rank, 2u);
  EXPECT_EQ(value.shape[0].per_symbol, 1);
  EXPECT_EQ(value.shape[1].constant, 4);
  EXPECT_EQ(value.shape_symbols[0], 0u);
  EXPECT_EQ(value.shape_symbols[1], SIZE_MAX);
  EXPECT_EQ(take(sortie_program_get_input(engine.program, 0, 5, &value)),
            "there is no input 5: there are 1");

  sortie_weight_info weight = SORTIE_INIT(sortie_weight_info);
  EXPECT_EQ(take(sortie_program_get_weight(engine.program, 1, &weight)), "");
  EXPECT_STREQ(weight.tensor, "matrix.weight");
  EXPECT_STREQ(weight.format, "f32");
  EXPECT_EQ(weight.file_bytes, 128u);
  ASSERT_EQ(weight.tensor_count, 1u);
  EXPECT_STREQ(weight.tensors[0], "matrix.weight");
  EXPECT_EQ(extents(weight.tensor_shape, weight.tensor_rank), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(weight.first_row, 0);
  EXPECT_EQ(weight.first_column, 0);
  int uses = -1;
  EXPECT_EQ(take(sortie_program_uses_weight(engine.program, 1, 1, &uses)), "");
  EXPECT_EQ(uses, 0);
}

TEST(CApi, describesPartsOfTensorsAndSeveral) {
  const Engine engine(replaced(kDenseProgram, R"(@other "other.weight")",
                               R"(@other "other.weight" rows(3 of 12) columns(16 of 32))") +
                      R"(
  moert.weight @stacked ["a", "b"] rows(1 of 5) : 2x3x8xf32)");
  sortie_weight_info weight = SORTIE_INIT(sortie_weight_info);
  EXPECT_EQ(take(sortie_program_get_weight(engine.program, 2, &weight)), "");
  EXPECT_STREQ(weight.tensor, "other.weight");
  EXPECT_EQ(weight.tensor_count, 1u);
  EXPECT_EQ(extents(weight.shape, weight.rank), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(extents(weight.tensor_shape, weight.tensor_rank), (std::vector<int64_t>{12, 32}));
  EXPECT_EQ(weight.first_row, 3);
  EXPECT_EQ(weight.first_column, 16);
  EXPECT_EQ(weight.file_bytes, 128u);
  EXPECT_EQ(take(sortie_program_get_weight(engine.program, 3, &weight)), "");
  EXPECT_STREQ(weight.tensor, "a");
  ASSERT_EQ(weight.tensor_count, 2u);
  EXPECT_STREQ(weight.tensors[1], "b");
  EXPECT_EQ(extents(weight.shape, weight.rank), (std::vector<int64_t>{2, 3, 8}));
  EXPECT_EQ(extents(weight.tensor_shape, weight.tensor_rank), (std::vector<int64_t>{5, 8}));
  EXPECT_EQ(weight.first_row, 1);
}

TEST(CApi, memoryIsKnownBeforehand) {
  const Engine engine(kDenseProgram);
  sortie_memory_info all = SORTIE_INIT(sortie_memory_info), one = all, few = all;
  const size_t second = 1, first = 0;
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 0, 3, &all)), "");
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, &second, 1, 0, 3, &one)), "");
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, &first, 1, 2, 3, &few)), "");
  EXPECT_EQ(all.arena_bytes, 64u * 16);
  EXPECT_EQ(few.arena_bytes, 64u * 2);
  EXPECT_EQ(one.arena_bytes, 0u);
  EXPECT_LT(one.weight_bytes, all.weight_bytes);
  EXPECT_EQ(all.scratch_bytes % 3, 0u);
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, -1, 3, &all)),
            "the limit of tokens is -1, it must be positive, or 0 for the program's own");
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 17, 3, &all)),
            "test.mlir: memory for 17 tokens is asked for, the program was compiled for at most "
            "16; ask for fewer, or compile it with a larger max-tokens");
}

TEST(CApi, noThreadsMeansAllThatTheProcessMayUse) {
  const Engine engine(kDenseProgram);
  sortie_memory_info one = SORTIE_INIT(sortie_memory_info), all = one;
  EXPECT_GE(sortie_available_processors(), 1);
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 0, 1, &one)), "");
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 0, 0, &all)), "");
  EXPECT_EQ(all.scratch_bytes, one.scratch_bytes * sortie_available_processors());
  std::thread([&] { // a mask of its own
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(sched_getcpu(), &mask);
    ASSERT_EQ(sched_setaffinity(0, sizeof(mask), &mask), 0);
    EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 0, 0, &all)), "");
  })
      .join();
  EXPECT_EQ(all.scratch_bytes, one.scratch_bytes);
}

TEST(CApi, nullIsDestroyed) {
  sortie_program_destroy(nullptr);
  sortie_weights_destroy(nullptr);
  sortie_session_destroy(nullptr);
  sortie_run_destroy(nullptr);
  sortie_error_destroy(nullptr);
}

TEST(CApi, missingFilesAreNotFound) {
  sortie_program *program = nullptr;
  sortie_error_code code = SORTIE_ERROR_INVALID;
  EXPECT_TRUE(contains(take(sortie_program_open("/nonexistent.mlirbc", &program), &code),
                       "/nonexistent.mlirbc: cannot read the program"));
  EXPECT_EQ(code, SORTIE_ERROR_NOT_FOUND);
  EXPECT_EQ(program, nullptr);
}

//===- Weights -----------------------------------------------------------===//

namespace {

/// The model of kDenseProgram.
std::string denseModel() {
  GgufWriter writer;
  auto floats = [](size_t count, float value) {
    std::string bytes;
    for (size_t i = 0; i < count; ++i)
      bytes += GgufWriter::number(value);
    return bytes;
  };
  writer.addTensor("norm.weight", 0, {8}, floats(8, 1.0f));
  writer.addTensor("matrix.weight", 0, {8, 4}, floats(32, 0.5f));
  return writer.finish();
}

sortie_weights_options fromMemory(const void *const *buffer, const size_t *size) {
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_MEMORY;
  options.buffers = buffer;
  options.buffer_sizes = size;
  options.buffer_count = 1;
  return options;
}

} // namespace

TEST(CApi, loadsTheWeightsOfTheFunctionsAskedFor) {
  Engine engine(kDenseProgram);
  const std::string model = denseModel(); // lacks other.weight, which only the second one reads
  const void *buffer = model.data();
  const size_t size = model.size();
  sortie_weights_options options = fromMemory(&buffer, &size);
  EXPECT_TRUE(contains(engine.load(options), "has no tensor 'other.weight' (f32, 4x8)"));
  const size_t first = 0;
  options.functions = &first;
  options.function_count = 1;
  EXPECT_EQ(engine.load(options), "");
  EXPECT_EQ(engine.open(), "");

  std::vector<float> x(16, 3.0f), y(8);
  const std::vector<Array> in = {{"x", SORTIE_F32, {2, 8}, x.data()}};
  const std::vector<Array> out = {{"y", SORTIE_F32, {2, 4}, y.data()}};
  EXPECT_EQ(run(engine.session, in, out), "");
  for (const float value : y)
    EXPECT_NEAR(value, 4.0f, 1e-5f); // 8 normalised ones times one half
  EXPECT_TRUE(contains(run(engine.session, in, out, nullptr, nullptr, 1),
                       "tensor 'other.weight' (f32, 4x8) has not been loaded"));
  EXPECT_EQ(run(engine.session, in, out, nullptr, nullptr, 7),
            "there is no function 7: there are 2");
}

TEST(CApi, otherModelsAreRefusedByFingerprint) {
  Engine engine(kDenseProgram, ", moert.weights_fingerprint = \"0123456789abcdef\"");
  const std::string model = denseModel();
  const void *buffer = model.data();
  const size_t size = model.size();
  const std::string message = engine.load(fromMemory(&buffer, &size));
  EXPECT_TRUE(contains(message, "weights in memory, part 1: has fingerprint ")) << message;
  EXPECT_TRUE(contains(message, "compiled for a model with fingerprint 0123456789abcdef"));
  EXPECT_EQ(engine.loadRandom(), "");
}

TEST(CApi, callbacksDeliverWeights) {
  Engine engine(kDenseProgram);
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_CALLBACK;
  EXPECT_TRUE(contains(engine.load(options), "the weights callback is a null pointer"));
  options.read = [](void *, const char *, uint64_t, uint64_t size, void *destination) {
    const float one = 1.0f;
    for (uint64_t i = 0; i < size; i += 4)
      std::memcpy(static_cast<char *>(destination) + i, &one, 4);
    return 0;
  };
  EXPECT_EQ(engine.load(options), "");
  options.read = [](void *, const char *, uint64_t, uint64_t, void *) { return 1; };
  sortie_weights *none = nullptr;
  sortie_error_code code = SORTIE_ERROR_INVALID;
  EXPECT_TRUE(contains(take(sortie_weights_create(engine.program, &options, &none), &code),
                       "the weights callback failed for tensor 'norm.weight'"));
  EXPECT_EQ(code, SORTIE_ERROR_IO);
}

TEST(CApi, callbacksAreAskedForTensorsOfTheModel) {
  Engine engine(replaced(kDenseProgram, R"(@other "other.weight")",
                         R"(@other "other.weight" rows(2 of 12))"));
  std::map<std::string, uint64_t> firstOffset;
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_CALLBACK;
  options.read_user = &firstOffset;
  options.read = [](void *user, const char *tensor, uint64_t offset, uint64_t size, void *to) {
    static_cast<std::map<std::string, uint64_t> *>(user)->emplace(tensor, offset);
    std::memset(to, 0, size);
    return 0;
  };
  EXPECT_EQ(engine.load(options), "");
  const std::map<std::string, uint64_t> expected = {
      {"norm.weight", 0}, {"matrix.weight", 0}, {"other.weight", 2 * 8 * sizeof(float)}};
  EXPECT_EQ(firstOffset, expected);
}

namespace {

/// Gives each value of a tensor its number, and counts its calls.
int countingRead(void *user, const char *, uint64_t offset, uint64_t size, void *destination) {
  ++*static_cast<int *>(user);
  for (uint64_t i = 0; i < size; i += 4) {
    const auto value = static_cast<float>(offset + i) / 64;
    std::memcpy(static_cast<char *>(destination) + i, &value, 4);
  }
  return 0;
}

std::vector<float> runDense(const Engine &engine, size_t function) {
  std::vector<float> x(16), y(8);
  for (size_t i = 0; i < 16; ++i)
    x[i] = static_cast<float>(i) - 7;
  EXPECT_EQ(run(engine.session, {{"x", SORTIE_F32, {2, 8}, x.data()}},
                {{"y", SORTIE_F32, {2, 4}, y.data()}}, nullptr, nullptr, function),
            "");
  return y;
}

sortie_weights_info infoOf(const Engine &engine) {
  sortie_weights_info info = SORTIE_INIT(sortie_weights_info);
  EXPECT_EQ(take(sortie_weights_get_info(engine.weights, &info)), "");
  return info;
}

} // namespace

TEST(CApi, aSecondProgramSharesWeights) {
  int calls = 0;
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_CALLBACK;
  options.read = countingRead;
  options.read_user = &calls;
  Engine alone(kDenseProgram);
  EXPECT_EQ(alone.load(options), "");
  EXPECT_EQ(alone.open(), "");
  const uint64_t whole = infoOf(alone).bytes;
  EXPECT_STREQ(infoOf(alone).device, "cpu");
  EXPECT_EQ(infoOf(alone).shared_bytes, 0u);

  const size_t first = 0;
  options.functions = &first;
  options.function_count = 1;
  auto part = std::make_unique<Engine>(kDenseProgram);
  EXPECT_EQ(part->load(options), "");
  const uint64_t some = infoOf(*part).bytes;
  calls = 0;
  options.function_count = 0;
  options.share = part->weights;
  Engine engine(replaced(kDenseProgram, "max(16)", "max(4)")); // another program
  EXPECT_EQ(engine.load(options), "");
  EXPECT_EQ(calls, 1); // other.weight
  EXPECT_EQ(infoOf(engine).shared_bytes, some);
  EXPECT_EQ(infoOf(engine).bytes, whole - some);
  part.reset();
  EXPECT_EQ(engine.open(), "");
  for (const size_t function : {0, 1})
    EXPECT_EQ(runDense(engine, function), runDense(alone, function));
}

TEST(CApi, weightsOfAnotherModelAreNotShared) {
  Engine a(kDenseProgram), b(kDenseProgram);
  EXPECT_EQ(a.loadRandom(1), "");
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_RANDOM;
  options.seed = 2;
  options.share = a.weights;
  EXPECT_EQ(
      b.load(options),
      "random:seed=2: holds other tensors (random:seed=2) than what the weights to share were "
      "loaded from (random:seed=1); share weights of the same model");
  const std::string model = denseModel();
  std::string changed = model; // in the last tensor
  changed[changed.size() - 8] ^= 1;
  const void *buffer = model.data();
  const size_t size = model.size(), first = 0;
  options = fromMemory(&buffer, &size);
  options.functions = &first;
  options.function_count = 1;
  Engine c(kDenseProgram), d(kDenseProgram), e(kDenseProgram);
  EXPECT_EQ(c.load(options), "");
  options.share = c.weights;
  EXPECT_EQ(d.load(options), "");
  EXPECT_EQ(infoOf(d).bytes, 0u);
  EXPECT_EQ(infoOf(d).shared_bytes, infoOf(c).bytes);
  buffer = changed.data();
  const std::string message = e.load(options);
  EXPECT_TRUE(contains(message, "weights in memory, part 1: holds other tensors (model "))
      << message;
}

TEST(CApi, weightsBelongToTheirProgram) {
  Engine a(kDenseProgram), b(kDenseProgram);
  EXPECT_EQ(a.loadRandom(), "");
  EXPECT_TRUE(contains(take(sortie_session_create(b.program, a.weights, nullptr, &b.session)),
                       "created for another program"));
}

TEST(CApi, packingCanBeCancelled) {
  Engine engine(kDenseProgram);
  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  callbacks.cancelled = [](void *) { return 1; };
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  options.source = SORTIE_WEIGHTS_RANDOM;
  options.callbacks = &callbacks;
  sortie_error_code code = SORTIE_ERROR_INVALID;
  take(sortie_weights_create(engine.program, &options, &engine.weights), &code);
  EXPECT_EQ(code, SORTIE_ERROR_CANCELLED);
}

//===- Sessions ----------------------------------------------------------===//

TEST(CApi, sessionOptionsAreChecked) {
  Engine engine(kDenseProgram);
  EXPECT_EQ(engine.loadRandom(), "");
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.cpu_isa = "mmx";
  EXPECT_TRUE(contains(engine.open(&options), "instruction set 'mmx' is not known; available"));
  options = SORTIE_INIT(sortie_session_options);
  options.device = "cuda";
  EXPECT_TRUE(contains(engine.open(&options), "device 'cuda' is asked for, test.mlir is compiled "
                                              "for 'cpu'"));
  options = SORTIE_INIT(sortie_session_options);
  options.threads = -1;
  EXPECT_TRUE(contains(engine.open(&options), "the number of threads is -1"));
  options = SORTIE_INIT(sortie_session_options);
  options.max_tokens = 17;
  EXPECT_TRUE(contains(engine.open(&options), "memory for 17 tokens is asked for, the program was "
                                              "compiled for at most 16"));
  options.max_tokens = -1;
  EXPECT_TRUE(contains(engine.open(&options), "limit of tokens is -1"));
}

TEST(CApi, stridesOfOneRowMayBeAnything) {
  Mix mix;
  std::vector<Array> inputs = {{"x", SORTIE_F32, {1, 8}, mix.x.data(), {INT64_MIN, 4}},
                               {"ids", SORTIE_I32, {1, 2}, mix.ids.data(), {INT64_MAX, 4}},
                               {"weights", SORTIE_F32, {1, 2}, mix.weights.data()}};
  // The second dimension backwards, so that the row is copied.
  EXPECT_EQ(run(mix.engine.session, inputs,
                {{"y", SORTIE_F32, {1, 8}, mix.y.data() + 7, {INT64_MAX, -4}}}),
            "");
  for (size_t i = 0; i < 8; ++i)
    EXPECT_EQ(mix.y[7 - i], mix.expected()[i]);
}

TEST(CApi, runsAndReportsCompletion) {
  Mix mix;
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()), "");
  EXPECT_EQ(mix.y, mix.expected());
  int isComplete = 0;
  EXPECT_EQ(take(sortie_session_query(mix.engine.session, &isComplete)), "");
  EXPECT_EQ(isComplete, 1);
  EXPECT_EQ(take(sortie_session_wait(mix.engine.session)), "");
}

TEST(CApi, submittedRunsAreCompleteOnTheCpu) {
  Mix mix;
  const RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_run *run = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &run)), "");
  EXPECT_EQ(mix.y, mix.expected());
  int isComplete = 0;
  EXPECT_EQ(take(sortie_run_query(run, &isComplete)), "");
  EXPECT_EQ(isComplete, 1);
  EXPECT_EQ(take(sortie_run_wait(run)), "");
  sortie_session_destroy(mix.engine.session);
  mix.engine.session = nullptr;
  EXPECT_EQ(take(sortie_run_wait(run)), "");
  sortie_run_destroy(run);
  sortie_run_destroy(nullptr);
}

TEST(CApi, submittedRunsFillOutputsWithGapsAndOutliveTheirSession) {
  Mix mix;
  std::vector<float> y(32, -1.0f);
  const RunOptions arguments(mix.inputs(), {{"y", SORTIE_F32, {2, 8}, y.data(), {64, 4}}});
  sortie_run *run = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &run)), "");
  const std::vector<float> expected = mix.expected();
  EXPECT_EQ(std::vector<float>(y.begin() + 16, y.begin() + 24),
            std::vector<float>(expected.begin() + 8, expected.end()));
  sortie_session_destroy(mix.engine.session);
  mix.engine.session = nullptr;
  EXPECT_EQ(take(sortie_run_wait(run)), "");
  sortie_run_destroy(run);
}

TEST(CApi, errorsOfSubmittedRunsAreToldByWait) {
  Mix mix;
  mix.ids[2] = 4;
  const RunOptions arguments(mix.inputs(), mix.outputs());
  sortie_run *run = nullptr;
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, &run)), "");
  EXPECT_TRUE(contains(take(sortie_run_wait(run)), "slot 2 (token 1, choice 0) has expert id 4"));
  EXPECT_EQ(take(sortie_session_wait(mix.engine.session)), "");
  sortie_run_destroy(run);
  EXPECT_EQ(take(sortie_session_submit(mix.engine.session, &arguments.options, nullptr)), "");
  int isComplete = 0;
  EXPECT_EQ(take(sortie_session_query(mix.engine.session, &isComplete)), "");
  EXPECT_EQ(isComplete, 1);
  EXPECT_TRUE(contains(take(sortie_session_wait(mix.engine.session)), "has expert id 4"));
  EXPECT_EQ(take(sortie_session_wait(mix.engine.session)), "");
}

TEST(CApi, submissionsAreChecked) {
  Mix mix;
  RunOptions arguments(mix.inputs(), mix.outputs());
  auto submit = [&] {
    return take(sortie_session_submit(mix.engine.session, &arguments.options, nullptr));
  };
  const sortie_observer observer = SORTIE_INIT(sortie_observer);
  arguments.options.observer = &observer;
  EXPECT_EQ(submit(), "a submitted run calls nobody; leave observer and callbacks NULL, or call "
                      "sortie_session_run");
  arguments.options.observer = nullptr;
  arguments.options.function = 1;
  EXPECT_EQ(submit(), "there is no function 1: there are 1");
  arguments.options.function = 0;
  arguments.options.input_count = 2;
  EXPECT_EQ(submit(), "function 'mix': input 'weights' is missing");
}

TEST(CApi, zeroTokensAreValid) {
  Mix mix;
  EXPECT_EQ(run(mix.engine.session,
                {{"x", SORTIE_F32, {0, 8}, nullptr},
                 {"ids", SORTIE_I32, {0, 2}, nullptr},
                 {"weights", SORTIE_F32, {0, 2}, nullptr}},
                {{"y", SORTIE_F32, {0, 8}, nullptr}}),
            "");
}

TEST(CApi, acceptsStridesAndHalves) {
  Mix mix;
  std::vector<float> x(40), y(40, -1.0f);
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t c = 0; c < 8; ++c)
      x[t * 20 + c * 2] = mix.x[t * 8 + c];
  std::vector<uint16_t> weights = {0x3c00, 0x3800, 0x4000, 0x3400}; // the same as halves
  std::vector<Array> inputs = mix.inputs();
  inputs[0] = {"x", SORTIE_F32, {2, 8}, x.data(), {80, 8}};
  inputs[2] = {"weights", SORTIE_F16, {2, 2}, weights.data()};
  // The output backwards in memory, with gaps.
  EXPECT_EQ(run(mix.engine.session, inputs, {{"y", SORTIE_F32, {2, 8}, y.data() + 39, {-80, -8}}}),
            "");
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t c = 0; c < 8; ++c)
      EXPECT_EQ(y[39 - t * 20 - c * 2], mix.expected()[t * 8 + c]);
  EXPECT_EQ(y[38], -1.0f);
}

TEST(CApi, bfloat16InputsAreWidened) {
  Mix mix;
  std::vector<uint16_t> x;
  for (const float value : mix.x) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    x.push_back(static_cast<uint16_t>(bits >> 16)); // small integers are exact
  }
  std::vector<Array> inputs = mix.inputs();
  inputs[0] = {"x", SORTIE_BF16, {2, 8}, x.data()};
  EXPECT_EQ(run(mix.engine.session, inputs, mix.outputs()), "");
  EXPECT_EQ(mix.y, mix.expected());
}

#if defined(__x86_64__)
TEST(CApi, callersMayFlushSubnormals) {
  Mix mix;
  for (float &value : mix.x)
    value *= 0x1p-140f;
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()), "");
  const std::vector<float> expected = mix.y;
  EXPECT_NE(expected[1], 0.0f);

  constexpr unsigned kFlushAndRoundUp = 0x1f80 | 0x8040 | 0x4000;
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(kFlushAndRoundUp);
  mix.y.assign(16, -1.0f);
  const std::string message = run(mix.engine.session, mix.inputs(), mix.outputs());
  const unsigned after = _mm_getcsr();
  _mm_setcsr(saved);
  EXPECT_EQ(message, "");
  EXPECT_EQ(after, kFlushAndRoundUp);
  EXPECT_EQ(mix.y, expected);
}
#endif

TEST(CApi, timesRepeatedRuns) {
  Mix mix;
  const std::vector<Array> in = mix.inputs(), out = mix.outputs();
  std::vector<sortie_tensor> inputs, outputs;
  for (const Array &array : in)
    inputs.push_back(array.tensor());
  for (const Array &array : out)
    outputs.push_back(array.tensor());
  sortie_run_options options = SORTIE_INIT(sortie_run_options);
  options.inputs = inputs.data(), options.input_count = inputs.size();
  options.outputs = outputs.data(), options.output_count = outputs.size();
  uint64_t times[3] = {};
  EXPECT_EQ(take(sortie_session_time(mix.engine.session, &options, 3, times)), "");
  for (const uint64_t time : times)
    EXPECT_GT(time, 0u);
  EXPECT_EQ(mix.y, mix.expected());
  options.function = 9;
  EXPECT_EQ(take(sortie_session_time(mix.engine.session, &options, 3, times)),
            "there is no function 9: there are 1");
  EXPECT_STREQ(sortie_session_device(mix.engine.session), "cpu");
}

TEST(CApi, deviceMemoryIsForGpus) {
  Mix mix;
  std::vector<sortie_tensor> inputs;
  const std::vector<Array> in = mix.inputs();
  for (const Array &array : in)
    inputs.push_back(array.tensor());
  const std::vector<Array> out = mix.outputs();
  const sortie_tensor output = out[0].tensor();
  sortie_run_options options = SORTIE_INIT(sortie_run_options);
  options.inputs = inputs.data(), options.input_count = inputs.size();
  options.outputs = &output, options.output_count = 1;
  inputs[1].memory = SORTIE_DEVICE;
  EXPECT_EQ(take(sortie_session_run(mix.engine.session, &options)),
            "function 'mix': input 'ids' is in device memory, which the CPU does not read; copy it "
            "to the host");
  const int other = 7;
  std::memcpy(&inputs[1].memory, &other, sizeof(other));
  EXPECT_EQ(take(sortie_session_run(mix.engine.session, &options)),
            "the memory of 'ids' is 7, which is none of sortie_memory");
}

TEST(CApi, dtypesAreTheEnumerators) {
  Mix mix;
  RunOptions arguments(mix.inputs(), mix.outputs());
  for (const int other : {-1, 4, INT32_MAX}) {
    std::memcpy(&arguments.in[1].dtype, &other, sizeof(other));
    EXPECT_EQ(take(sortie_session_run(mix.engine.session, &arguments.options)),
              "the dtype of 'ids' is " + std::to_string(other) + ", which is none of sortie_dtype");
  }
}

TEST(CApi, badArgumentsAreNamed) {
  Mix mix;
  auto withInput = [&](size_t index, Array array) {
    std::vector<Array> inputs = mix.inputs();
    inputs[index] = std::move(array);
    return run(mix.engine.session, inputs, mix.outputs());
  };
  EXPECT_EQ(withInput(0, {"z", SORTIE_F32, {2, 8}, mix.x.data()}),
            "function 'mix': has no input 'z'; it has: x, ids, weights");
  EXPECT_EQ(withInput(0, {"ids", SORTIE_I32, {2, 2}, mix.ids.data()}),
            "function 'mix': input 'ids' is given twice");
  EXPECT_EQ(withInput(0, {"x", SORTIE_I32, {2, 8}, mix.x.data()}),
            "function 'mix': input 'x' holds i32, f32 is needed; convert it");
  EXPECT_EQ(withInput(0, {"x", SORTIE_F32, {2, 7}, mix.x.data()}),
            "function 'mix': input 'x' has shape 2 x 7, tokens x 8 is needed");
  EXPECT_EQ(withInput(0, {"x", SORTIE_F32, {16}, mix.x.data()}),
            "function 'mix': input 'x' has shape 16, tokens x 8 is needed");
  EXPECT_EQ(withInput(0, {"x", SORTIE_F32, {1, 8}, mix.x.data()}),
            "function 'mix': input 'ids' gives 2 for 'tokens', input 'x' gives 1");
  EXPECT_EQ(withInput(0, {"x", SORTIE_F32, {2, 8}, nullptr}),
            "function 'mix': input 'x' has no data (a null pointer)");
  EXPECT_TRUE(
      contains(withInput(0, {"x", SORTIE_F32, {INT64_MAX, 8}, mix.x.data()}), "impossible shape"));
  EXPECT_TRUE(contains(withInput(0, {"x", SORTIE_F32, {-1, 8}, mix.x.data()}), "impossible shape"));

  EXPECT_EQ(withInput(0, {"x", SORTIE_F32, {2, 8}, mix.x.data(), {INT64_MAX, 4}}),
            "function 'mix': input 'x' has impossible strides 9223372036854775807, 4 (bytes) for "
            "its shape 2 x 8: elements would be outside of all memory");
  EXPECT_TRUE(contains(withInput(0, {"x", SORTIE_F32, {2, 8}, mix.x.data(), {INT64_MIN, 4}}),
                       "has impossible strides -9223372036854775808, 4"));

  std::vector<Array> fewer = mix.inputs();
  fewer.pop_back();
  EXPECT_EQ(run(mix.engine.session, fewer, mix.outputs()),
            "function 'mix': input 'weights' is missing");
  EXPECT_EQ(
      run(mix.engine.session, mix.inputs(), {{"y", SORTIE_F32, {3, 8}, mix.y.data()}}),
      "function 'mix': output 'y' has shape 3 x 8, tokens x 8 is needed with tokens = 2, from "
      "input 'x'");
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), {{"y", SORTIE_F16, {2, 8}, mix.y.data()}}),
            "function 'mix': output 'y' holds f16, f32 is needed; convert it");
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), {{"y", SORTIE_F32, {2, 8}, mix.x.data() + 4}}),
            "function 'mix': output 'y' overlaps the memory of 'x'; give it memory of its own");
  EXPECT_EQ(
      run(mix.engine.session, mix.inputs(), {{"y", SORTIE_F32, {2, 8}, mix.y.data(), {0, 4}}}),
      "function 'mix': output 'y' overlaps itself: elements of it share memory (strides 0, 4 "
      "bytes); give it memory of its own");
}

TEST(CApi, interleavedColumnsDoNotOverlap) {
  Mix mix;
  std::vector<float> both(32); // columns of x, then of y, in each row
  for (size_t i = 0; i < 16; ++i)
    both[i / 8 * 16 + i % 8] = mix.x[i];
  std::vector<Array> inputs = mix.inputs();
  inputs[0] = {"x", SORTIE_F32, {2, 8}, both.data(), {64, 4}};
  EXPECT_EQ(run(mix.engine.session, inputs, {{"y", SORTIE_F32, {2, 8}, both.data() + 8, {64, 4}}}),
            "");
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(both[i / 8 * 16 + i % 8], mix.x[i]);
    EXPECT_EQ(both[i / 8 * 16 + 8 + i % 8], mix.expected()[i]);
  }
  EXPECT_TRUE(contains(
      run(mix.engine.session, inputs, {{"y", SORTIE_F32, {2, 8}, both.data() + 7, {64, 4}}}),
      "output 'y' overlaps the memory of 'x'"));
}

TEST(CApi, tooManyTokensAreRefused) {
  Mix mix;
  std::vector<float> x(17 * 8), y(17 * 8), weights(34);
  std::vector<int32_t> ids(34);
  const std::vector<Array> inputs = {{"x", SORTIE_F32, {17, 8}, x.data()},
                                     {"ids", SORTIE_I32, {17, 2}, ids.data()},
                                     {"weights", SORTIE_F32, {17, 2}, weights.data()}};
  const std::vector<Array> outputs = {{"y", SORTIE_F32, {17, 8}, y.data()}};
  EXPECT_EQ(run(mix.engine.session, inputs, outputs),
            "function 'mix': 'tokens' is 17, at most 16 were compiled in; split the input, or "
            "compile with a larger max-tokens");
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.max_tokens = 1;
  sortie_session *small = nullptr;
  EXPECT_EQ(take(sortie_session_create(mix.engine.program, mix.engine.weights, &options, &small)),
            "");
  EXPECT_EQ(run(small, mix.inputs(), mix.outputs()),
            "function 'mix': 'tokens' is 2, at most 1 were reserved by this session; make one with "
            "more");
  sortie_session_destroy(small);
}

TEST(CApi, expertIdsOutOfRangeAreNamed) {
  Mix mix;
  for (const int32_t bad : {4, -1, INT32_MAX, INT32_MIN}) {
    mix.ids[3] = bad;
    EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()),
              "function 'mix': slot 3 (token 1, choice 1) has expert id " + std::to_string(bad) +
                  ", ids are 0 to 3; correct the ids that the caller passes");
  }
}

TEST(CApi, expertsOutsideOfARangeContributeNothing) {
  std::string program = replaced(kDispatchProgram, "experts(4)", "experts(4) range [2, 2]");
  for (size_t at = program.find("<5 x i32>"); at != std::string::npos;
       at = program.find("<5 x i32>"))
    program.replace(at, 9, "<3 x i32>");
  Mix mix(program);
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs()), "");
  std::vector<float> expected(16); // expert 0, the second choice of the first token, is elsewhere
  for (size_t i = 0; i < 16; ++i)
    expected[i] = mix.x[i] * (i < 8 ? 1.0f : 2.25f);
  EXPECT_EQ(mix.y, expected);
}

TEST(CApi, runsCanBeCancelledBetweenSteps) {
  Mix mix;
  int asked = 0;
  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  callbacks.user = &asked;
  callbacks.cancelled = [](void *user) { return ++*static_cast<int *>(user) == 3 ? 1 : 0; };
  sortie_error_code code = SORTIE_ERROR_INVALID;
  EXPECT_TRUE(
      contains(run(mix.engine.session, mix.inputs(), mix.outputs(), nullptr, &callbacks, 0, &code),
               "cancelled before step 2 of 5"));
  EXPECT_EQ(code, SORTIE_ERROR_CANCELLED);
}

TEST(CApi, observersSeeStepsAndCheckpoints) {
  struct Seen {
    std::vector<std::string> operations;
    std::map<std::string, uint64_t> hashes;
    std::vector<std::string> absent;
  } seen;
  sortie_observer observer = SORTIE_INIT(sortie_observer);
  observer.user = &seen;
  observer.step = [](void *user, const sortie_step_info *info) {
    EXPECT_LE(info->begin_ns, info->end_ns);
    EXPECT_GT(info->bytes, 0u);
    static_cast<Seen *>(user)->operations.push_back(info->operation);
  };
  observer.checkpoint = [](void *user, const char *name, int isPresent, uint64_t hash) {
    if (isPresent)
      static_cast<Seen *>(user)->hashes[name] = hash;
    else
      static_cast<Seen *>(user)->absent.push_back(name);
  };
  Mix mix;
  EXPECT_EQ(run(mix.engine.session, mix.inputs(), mix.outputs(), &observer), "");
  EXPECT_EQ(seen.operations,
            std::vector<std::string>({"moert.dispatch", "moert.gather", "moert.combine"}));
  EXPECT_EQ(seen.absent, std::vector<std::string>({"fused"}));

  // The rows in canonical order: each token's row once for each slot.
  std::vector<float> rows;
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t slot = 0; slot < 2; ++slot)
      rows.insert(rows.end(), mix.x.begin() + t * 8, mix.x.begin() + t * 8 + 8);
  EXPECT_EQ(seen.hashes.at("rows"),
            sortie::hashRows(reinterpret_cast<std::byte *>(rows.data()), 4, 32));
  EXPECT_EQ(seen.hashes.at("mix:y"),
            sortie::hashRows(reinterpret_cast<std::byte *>(mix.y.data()), 2, 32));
}

TEST(CApi, sessionsShareProgramAndWeightsAcrossThreads) {
  Mix mix;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&mix] {
      sortie_session_options options = SORTIE_INIT(sortie_session_options);
      options.threads = 1;
      sortie_session *session = nullptr;
      EXPECT_EQ(
          take(sortie_session_create(mix.engine.program, mix.engine.weights, &options, &session)),
          "");
      std::vector<float> y(16);
      for (int repeat = 0; repeat < 20; ++repeat)
        EXPECT_EQ(run(session, mix.inputs(), {{"y", SORTIE_F32, {2, 8}, y.data()}}), "");
      EXPECT_EQ(y, mix.expected());
      sortie_session_destroy(session);
    });
  for (std::thread &thread : threads)
    thread.join();
}
