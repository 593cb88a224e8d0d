// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler reads and writes: no damaged program comes through, and a program's bytes say
// nothing of the folder that its source lay in.

#include "tools/sortie-opt/SealedBytecode.h"

#include "dialect/moe/MoeDialect.h"
#include "dialect/moert/MoertDialect.h"
#include "dialect/moert/Seal.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace sortie;

namespace {

constexpr StringLiteral kProgram = R"(
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.weight @norm "norm.weight" : 8xf32
  moert.func @layer("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>) arena(0) {
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>
    moert.return
  }
})";

constexpr StringLiteral kGraph = R"(
func.func @layer(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
})";

class SealedBytecodeTest : public ::testing::Test {
protected:
  SealedBytecodeTest() {
    registry.insert<moe::MoeDialect, moert::MoertDialect, func::FuncDialect>();
  }

  /// Bytecode of a text that stands in a file of this name, without a seal.
  std::string write(StringRef text, StringRef file) const {
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, ParserConfig(&context), file);
    EXPECT_TRUE(module);
    std::string bytecode;
    llvm::raw_string_ostream os(bytecode);
    EXPECT_TRUE(succeeded(writeBytecodeToFile(*module, os)));
    return bytecode;
  }

  std::string writeSealed(StringRef text, StringRef file = "test.mlir",
                          bool keepLocations = false) const {
    std::string bytecode = write(text, file);
    EXPECT_EQ(
        toString(sealOutput(bytecode, {.dialects = registry, .keepLocations = keepLocations})), "");
    return bytecode;
  }

  bool isAccepted(StringRef input) const {
    return !errorToBool(checkInputSeal(input, {.dialects = registry}));
  }

  /// What MLIR itself makes of the input, which the driver reads when the seal is right.
  bool canBeRead(StringRef input) const {
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    const ScopedDiagnosticHandler silence(&context, [](Diagnostic &) { return success(); });
    return static_cast<bool>(parseSourceString<ModuleOp>(input, ParserConfig(&context)));
  }

  DialectRegistry registry;
};

TEST_F(SealedBytecodeTest, NoFlippedBitOfAProgramComesThrough) {
  std::string bytecode = writeSealed(kProgram);
  EXPECT_TRUE(isAccepted(bytecode) && canBeRead(bytecode));
  size_t seen = 0;
  for (size_t index = 0; index < bytecode.size(); ++index)
    for (int bit = 0; bit < 8; ++bit) {
      bytecode[index] ^= static_cast<char>(1 << bit);
      const bool accepted = isAccepted(bytecode);
      // What is no bytecode any more, or of a version that nobody knows, cannot be read.
      EXPECT_FALSE(accepted && canBeRead(bytecode)) << "byte " << index << ", bit " << bit;
      seen += accepted ? 0 : 1;
      bytecode[index] ^= static_cast<char>(1 << bit);
    }
  EXPECT_GT(seen, 8 * (bytecode.size() - 5));
}

TEST_F(SealedBytecodeTest, SaysWhatIsWrongWithTheSeal) {
  std::string bytecode = writeSealed(kProgram);
  bytecode.back() ^= 1;
  std::string message = toString(checkInputSeal(bytecode, {.dialects = registry}));
  EXPECT_NE(message.find("is damaged: its contents hash to"), std::string::npos) << message;
  message = toString(checkInputSeal(write(kProgram, "test.mlir"), {.dialects = registry}));
  EXPECT_NE(message.find("the program has no seal"), std::string::npos) << message;
  EXPECT_NE(message.find("--allow-unsealed"), std::string::npos) << message;
}

TEST_F(SealedBytecodeTest, ReadsTextAndGraphsWithoutASeal) {
  EXPECT_TRUE(isAccepted(kProgram));
  EXPECT_TRUE(isAccepted(kGraph));
  EXPECT_TRUE(isAccepted(write(kGraph, "test.mlir")));
  EXPECT_TRUE(isAccepted("ML\xefR")); // The driver reports what cannot be read.
}

TEST_F(SealedBytecodeTest, AGraphIsSealedAsWell) {
  std::string bytecode = writeSealed(kGraph);
  EXPECT_TRUE(moert::hasSeal(bytecode));
  EXPECT_TRUE(isAccepted(bytecode));
  bytecode.back() ^= 1;
  EXPECT_FALSE(isAccepted(bytecode));
}

TEST_F(SealedBytecodeTest, AProgramIsTheSameInEveryFolder) {
  const std::string moved = "// a comment\n\n" + kProgram.str();
  EXPECT_EQ(writeSealed(kProgram, "a.mlir"), writeSealed(moved, "/home/somebody/b.mlir"));
  EXPECT_NE(writeSealed(kProgram, "a.mlir", /*keepLocations=*/true),
            writeSealed(kProgram, "b.mlir", /*keepLocations=*/true));
  // A graph is not finished: errors of passes still have to say where.
  EXPECT_NE(writeSealed(kGraph, "a.mlir"), writeSealed(kGraph, "b.mlir"));
}

TEST_F(SealedBytecodeTest, SealingTwiceChangesNothing) {
  std::string bytecode = writeSealed(kProgram);
  const std::string once = bytecode;
  EXPECT_EQ(toString(sealOutput(bytecode, {.dialects = registry})), "");
  EXPECT_EQ(bytecode, once);
}

} // namespace
