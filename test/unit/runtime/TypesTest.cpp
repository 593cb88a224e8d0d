// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs and outputs of all types through the C API, several of each.

#include "Engine.h"

using namespace sortie::test;

namespace {

/// Each input in another type, and integers as they are.
constexpr const char *kTypes = R"(
  moert.symbol @tokens max(16)
  moert.func @types("f16" %h: !moert.buffer<tokens x 2 x f16>, "bf16" %b: !moert.buffer<tokens x 2 x bf16>,
                    "i32" %i: !moert.buffer<tokens x i32>, "f32" %f: !moert.buffer<tokens x 2 x f32>)
      outs("half" %y: !moert.buffer<tokens x 2 x f16>, "bfloat" %z: !moert.buffer<tokens x 2 x bf16>,
           "integer" %j: !moert.buffer<tokens x i32>, "sum" %s: !moert.buffer<tokens x 2 x f32>)
      arena(192*tokens) {
    %0 = moert.buffer offset(0) : !moert.buffer<tokens x 2 x f32>
    %1 = moert.buffer offset(64*tokens) : !moert.buffer<tokens x 2 x f32>
    %2 = moert.buffer offset(128*tokens) : !moert.buffer<tokens x 2 x f32>
    moert.convert %h outs(%0) : !moert.buffer<tokens x 2 x f16>, !moert.buffer<tokens x 2 x f32>
    moert.convert %b outs(%1) : !moert.buffer<tokens x 2 x bf16>, !moert.buffer<tokens x 2 x f32>
    moert.add %0, %1 outs(%2)
      : !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 2 x f32>
    moert.add %2, %f outs(%s)
      : !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 2 x f32>
    moert.convert %s outs(%y) : !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 2 x f16>
    moert.convert %s outs(%z) : !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 2 x bf16>
    moert.copy %i outs(%j) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>
    moert.return
  })";

using Halves = std::vector<uint16_t>;

/// Of two tokens.
struct Types {
  Engine engine = Engine(kTypes);
  Halves f16 = {0x3c00, 0x4000, 0x4200, 0x4400};  // 1 to 4
  Halves bf16 = {0x4120, 0x41a0, 0x41f0, 0x4220}; // 10 to 40
  std::vector<int32_t> i32 = {7, -8};
  std::vector<float> f32 = {100, 200, 300, 0x1p20f};
  Halves half = Halves(4), bfloat = Halves(4);
  std::vector<int32_t> integer = std::vector<int32_t>(2);
  std::vector<float> sum = std::vector<float>(4);
  std::vector<Array> inputs = {{"f16", SORTIE_F16, {2, 2}, f16.data()},
                               {"bf16", SORTIE_BF16, {2, 2}, bf16.data()},
                               {"i32", SORTIE_I32, {2}, i32.data()},
                               {"f32", SORTIE_F32, {2, 2}, f32.data()}};
  std::vector<Array> outputs = {{"half", SORTIE_F16, {2, 2}, half.data()},
                                {"bfloat", SORTIE_BF16, {2, 2}, bfloat.data()},
                                {"integer", SORTIE_I32, {2}, integer.data()},
                                {"sum", SORTIE_F32, {2, 2}, sum.data()}};

  Types() {
    EXPECT_EQ(engine.loadRandom(), "");
    EXPECT_EQ(engine.open(), "");
  }
  std::string run() const { return sortie::test::run(engine.session, inputs, outputs); }
  void expectResults() const {
    EXPECT_EQ(sum, std::vector<float>({111, 222, 333, 0x1p20f + 44}));
    EXPECT_EQ(half, Halves({0x56f0, 0x5af0, 0x5d34, 0x7c00}));
    EXPECT_EQ(bfloat, Halves({0x42de, 0x435e, 0x43a6, 0x4980})); // 333 is a tie
    EXPECT_EQ(integer, i32);
  }
};

} // namespace

TEST(Types, ofInputsAndOutputs) {
  Types types;
  EXPECT_EQ(types.run(), "");
  types.expectResults();
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  const sortie_dtype dtypes[] = {SORTIE_F16, SORTIE_BF16, SORTIE_I32, SORTIE_F32};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(take(sortie_program_get_input(types.engine.program, 0, i, &value)), "");
    EXPECT_EQ(value.dtype, dtypes[i]);
    EXPECT_EQ(take(sortie_program_get_output(types.engine.program, 0, i, &value)), "");
    EXPECT_EQ(value.dtype, dtypes[i]);
  }
}

TEST(Types, ofArraysWithGaps) {
  Types types;
  Halves in(16), out(16, 9);
  for (size_t i = 0; i < 4; ++i)
    in[15 - 4 * i] = types.f16[i];
  types.inputs[0] = {"f16", SORTIE_F16, {2, 2}, &in[15], {-16, -8}};
  types.outputs[1] = {"bfloat", SORTIE_BF16, {2, 2}, &out[1], {12, 6}};
  EXPECT_EQ(types.run(), "");
  for (size_t i = 0; i < 4; ++i)
    types.bfloat[i] = out[1 + 3 * i];
  types.expectResults();
  EXPECT_EQ(out[2], 9);
}

TEST(Types, mustBeThoseOfTheFunction) {
  Types types;
  types.inputs[0].dtype = SORTIE_BF16;
  EXPECT_EQ(types.run(), "function 'types': input 'f16' holds bf16, f16 is needed; convert it");
  types.inputs[0].dtype = SORTIE_F32;
  EXPECT_EQ(types.run(), "function 'types': input 'f16' holds f32, f16 is needed; convert it");
  types.inputs[0].dtype = SORTIE_F16;
  types.outputs[1].dtype = SORTIE_F16;
  EXPECT_EQ(types.run(), "function 'types': output 'bfloat' holds f16, bf16 is needed; convert it");
}

/// Functions of one program: weights that both read, and scratch of the larger one.
TEST(Types, functionsShareWeightsAndScratch) {
  const Engine engine(
      replaced(kDenseProgram, "moert.matmul %x, @other", "moert.matmul %x, @matrix"));
  sortie_memory_info all = SORTIE_INIT(sortie_memory_info), first = all, second = all;
  const size_t functions[] = {0, 1};
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, functions, 1, 0, 1, &first)), "");
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, functions + 1, 1, 0, 1, &second)), "");
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, functions, 2, 0, 1, &all)), "");
  EXPECT_EQ(all.weight_bytes, first.weight_bytes);
  EXPECT_LT(second.weight_bytes, first.weight_bytes);
  EXPECT_GT(second.weight_bytes, 0u);
  EXPECT_EQ(all.arena_bytes, std::max(first.arena_bytes, second.arena_bytes));
}
