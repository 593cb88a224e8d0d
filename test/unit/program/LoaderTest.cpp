// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program loader: what a loaded program says, and each reason to refuse one.

#include "ProgramText.h"

#include "dialect/moert/MoertOps.h"
#include "dialect/moert/Seal.h"
#include "runtime/program/Loader.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::test;

namespace {

Expected<std::shared_ptr<const Program>> load(const std::string &bytes) {
  return loadProgram({bytes, "test.mlirbc"});
}

std::string errorOf(const std::string &bytes) {
  Expected<std::shared_ptr<const Program>> program = load(bytes);
  return program ? "no error" : toString(program.takeError());
}

/// The sealed bytecode of a program in text form.
std::string bytecodeOf(const std::string &text) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<moert::MoertDialect>();
  const auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  std::string bytes;
  raw_string_ostream stream(bytes);
  EXPECT_TRUE(succeeded(mlir::writeBytecodeToFile(
      *module, stream, mlir::BytecodeWriterConfig(moert::kUnsealedProducer))));
  EXPECT_FALSE(errorToBool(moert::sealBytecode(bytes)));
  return bytes;
}

void expectError(const std::string &bytes, const std::string &part) {
  const std::string message = errorOf(bytes);
  EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(message.find("test.mlirbc"), 0u) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

} // namespace

TEST(Loader, flattensAProgram) {
  Expected<std::shared_ptr<const Program>> loaded = load(programText(kDenseProgram));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Program &program = **loaded;
  EXPECT_EQ(program.contract, "run, batch, device");
  EXPECT_EQ(program.producer, "test");
  EXPECT_FALSE(program.fingerprint);
  ASSERT_EQ(program.symbols.size(), 1u);
  EXPECT_EQ(program.symbols[0].max, 16);

  ASSERT_EQ(program.weights.size(), 3u);
  EXPECT_TRUE(program.weights[0].isVector && !program.weights[0].isMatrix);
  EXPECT_TRUE(program.weights[1].isMatrix && !program.weights[1].isVector);
  EXPECT_EQ(program.weights[1].describe(), "tensor 'matrix.weight' (f32, 4x8)");

  ASSERT_EQ(program.functions.size(), 2u);
  const Function &dense = program.functions[0];
  EXPECT_TRUE(dense.weights.test(0) && dense.weights.test(1) && !dense.weights.test(2));
  EXPECT_EQ(program.arenaBytes(dense, 0), 64u * 16);
  EXPECT_EQ(program.arenaBytes(dense, 3), 64u * 3);
  ASSERT_EQ(dense.steps.size(), 2u);
  EXPECT_EQ(dense.steps[1].operation, "moert.matmul");
  EXPECT_EQ(dense.steps[1].label, "matrix.weight");
  EXPECT_EQ(dense.buffers[dense.outputs[0].buffer].shape[0], (Affine{1, 0}));
}

TEST(Loader, readsTheFingerprint) {
  Expected<std::shared_ptr<const Program>> loaded =
      load(programText(kDenseProgram, ", moert.weights_fingerprint = \"00000000deadbeef\""));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  EXPECT_EQ((*loaded)->fingerprint, 0xdeadbeefu);
}

TEST(Loader, readsSealedBytecode) {
  Expected<std::shared_ptr<const Program>> loaded = load(bytecodeOf(programText(kDispatchProgram)));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  EXPECT_EQ((*loaded)->functions[0].steps.size(), 5u);
}

TEST(Loader, everyChangedByteOfBytecodeIsRefused) {
  const std::string bytes = bytecodeOf(programText(kDispatchProgram));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << i % 8);
    expectError(damaged, ": ");
  }
}

TEST(Loader, everyTruncationOfBytecodeIsRefused) {
  const std::string bytes = bytecodeOf(programText(kDispatchProgram));
  for (size_t size = 0; size < bytes.size(); ++size)
    expectError(bytes.substr(0, size), ": ");
}

TEST(Loader, refusesWhatIsNoProgram) {
  expectError("", "is not a compiled program");
  expectError("module {}", "the module has no attribute 'moert.program'");
  expectError("this is no MLIR", "test.mlirbc: not a valid program: line 1, column 1: ");
  expectError("func.func @f() { return }", "not a valid program");
  expectError(
      programText(replaced(kDenseProgram, "4x8xf32\n  moert.weight @other",
                           "4x8xq9_9\n"
                           "  moert.weight @other")),
      "not a valid program: line 6, column 3: 'moert.weight' op unknown weight format 'q9_9'");
  EXPECT_EQ(toString(loadProgramFile("/nonexistent/p.mlirbc").takeError()),
            "/nonexistent/p.mlirbc: cannot read the program: No such file or directory");
}

TEST(Loader, refusesOtherVersionsTargetsAndFeatures) {
  const std::string text = programText(kDenseProgram);
  expectError(replaced(text, "abi = 1", "abi = 2"),
              "has ABI version 2, this runtime runs version 1; compile it with the sortie-opt");
  expectError(replaced(text, "numerics = 1", "numerics = 77"),
              "keeps version 77 of the numerics contract, this runtime computes by version");
  expectError(replaced(text, "\"cpu\"", "\"tpu\""),
              "is compiled for target 'tpu', this runtime has 'cpu' and 'cuda'");
  expectError(replaced(text, "features = []", "features = [\"state\"]"),
              "needs the feature state, which this runtime does not have");
}

TEST(Loader, refusesOtherDevicesAndSpaces) {
  const std::string text = programText(R"(
  moert.symbol @tokens max(16)
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32, WHERE>) {
    moert.copy %x outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32, WHERE>
    moert.return
  })");
  for (const std::string where : {"device = 1", "space = \"host\""}) {
    std::string placed = text;
    for (size_t at = placed.find("WHERE"); at != std::string::npos; at = placed.find("WHERE"))
      placed.replace(at, 5, where);
    expectError(placed, "this runtime has device 0 and space 'global' only");
  }
}

TEST(Loader, refusesUnplannedMemory) {
  std::string text = replaced(programText(kDenseProgram), "moert.buffer offset(0)", "moert.buffer");
  text = replaced(text, " arena(64*tokens)", "");
  expectError(text, "the program's memory has not been planned");
}

TEST(Loader, refusesSeveralSymbolsInAFunction) {
  const char *program = R"(
  moert.symbol @tokens max(16)
  moert.symbol @experts max(4)
  moert.func @f("x" %x: !moert.buffer<tokens x f32>, "e" %e: !moert.buffer<experts x f32>)
      outs("y" %y: !moert.buffer<tokens x f32>) {
    moert.copy %x outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
    moert.return
  })";
  expectError(programText(program), "uses symbol 'experts' where others use 'tokens'");
}

TEST(Loader, refusesASymbolThatNoInputGives) {
  const char *program = R"(
  moert.symbol @tokens max(16)
  moert.func @f("x" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>)
      arena(64*tokens+64) {
    moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
    moert.return
  })";
  expectError(programText(program), "no shape of an input gives the value of symbol 'tokens'");
}

TEST(Loader, refusesQuantizedArguments) {
  const char *program = R"(
  moert.symbol @tokens max(16)
  moert.func @f("x" %x: !moert.buffer<tokens x 128 x f32>)
      outs("y" %y: !moert.buffer<tokens x 128 x act8>) {
    moert.quantize %x outs(%y)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 128 x act8>
    moert.return
  })";
  expectError(programText(program), "argument 'y' holds act8; callers can pass f32 and i32 only");
}

//===- Indices that a program may not make up ------------------------------===//

TEST(Loader, refusesIndicesThatNoDispatchWrote) {
  const std::string text = programText(kDispatchProgram);
  expectError(replaced(replaced(text, "%x, %permutation slots(2)", "%x, %raw slots(2)"),
                       "\"weights\" %weights:",
                       "\"raw\" %raw: !moert.buffer<2*tokens x i32>, \"weights\" %weights:"),
              "function 'mix': moert.gather: its permutation are not the permutation of a "
              "moert.dispatch");
  expectError(replaced(text, "%rows inverse(%inverse) weights", "%rows inverse(%ids) weights"),
              "moert.combine: its inverse are not the inverse of a moert.dispatch");
  expectError(replaced(text, "order(%inverse)", "order(%ids)"),
              "moert.checkpoint: its inverse are not the inverse");
}

TEST(Loader, trustsCopiesOfIndices) {
  std::string text = programText(kDispatchProgram);
  text = replaced(text, "arena(256*tokens+64)", "arena(320*tokens+64)");
  text = replaced(text, "%x, %permutation slots(2)", "%x, %copied slots(2)");
  text.insert(text.find("    moert.gather"),
              "    %copied = moert.buffer offset(256*tokens+64) : !moert.buffer<2*tokens x i32>\n"
              "    moert.copy %permutation outs(%copied) : !moert.buffer<2*tokens x i32>, "
              "!moert.buffer<2*tokens x i32>\n");
  EXPECT_EQ(errorOf(text), "no error");
}

TEST(Loader, refusesGroupsOfOtherRows) {
  // The offsets count two rows a token, the product has one.
  const char *program = R"(
  moert.symbol @tokens max(16)
  moert.weight @w "w" : 4x4x8xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<tokens x 4 x f32>) arena(128*tokens+64) {
    %permutation = moert.buffer offset(64) : !moert.buffer<2*tokens x i32>
    %inverse = moert.buffer offset(64*tokens+64) : !moert.buffer<tokens x 2 x i32>
    %offsets = moert.buffer offset(0) : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    moert.matmul %x, @w offsets(%offsets) arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<5 x i32>, !moert.buffer<tokens x 4 x f32>
    moert.return
  })";
  expectError(programText(program),
              "another number of rows than the moert.dispatch of its offsets");
}
