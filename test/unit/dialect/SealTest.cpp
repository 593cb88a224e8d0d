// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seal of a program: every change of a file is noticed, and MLIR reads sealed files as before.

#include "dialect/moert/Seal.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace sortie::moert;

namespace {

constexpr StringLiteral kBlobName = "test.blob";
constexpr size_t kBlobAlignment = 64;
constexpr char kBlobElements[] = "a blob that a kernel might be, aligned in the file";

std::unique_ptr<MLIRContext> makeContext() {
  auto context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->allowUnregisteredDialects();
  return context;
}

/// Bytecode of a module with one blob, which makes alignment matter.
std::string writeModule(StringRef producer) {
  const std::unique_ptr<MLIRContext> context = makeContext();
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(context.get()));
  const auto type =
      RankedTensorType::get(sizeof(kBlobElements), IntegerType::get(context.get(), 8));
  auto blob = DenseResourceElementsAttr::get(
      type, "blob",
      HeapAsmResourceBlob::allocateAndCopyWithAlign(ArrayRef<char>(kBlobElements), kBlobAlignment));
  (*module)->setAttr(kBlobName, blob);
  std::string bytecode;
  llvm::raw_string_ostream os(bytecode);
  EXPECT_TRUE(succeeded(writeBytecodeToFile(*module, os, BytecodeWriterConfig(producer))));
  return bytecode;
}

std::string writeSealed() {
  std::string bytecode = writeModule(kUnsealedProducer);
  EXPECT_EQ(toString(sealBytecode(bytecode)), "");
  return bytecode;
}

bool isSealed(StringRef bytecode) { return !errorToBool(checkSeal(bytecode)); }

TEST(SealTest, SealsWithoutMovingABit) {
  const std::string unsealed = writeModule(kUnsealedProducer);
  const std::string sealed = writeSealed();
  EXPECT_TRUE(isSealed(sealed));
  ASSERT_EQ(sealed.size(), unsealed.size());
  size_t changed = 0;
  for (size_t i = 0; i < sealed.size(); ++i)
    changed += sealed[i] != unsealed[i];
  EXPECT_LE(changed, 32u);
}

TEST(SealTest, IsAFunctionOfTheContents) {
  std::string again = writeSealed();
  EXPECT_EQ(again, writeSealed());
  EXPECT_EQ(toString(sealBytecode(again)), "");
  EXPECT_EQ(again, writeSealed());
}

TEST(SealTest, MessagesHaveNoBytesOfADamagedSeal) {
  std::string bytecode = writeSealed();
  const size_t digits = bytecode.find("sortie:") + 7;
  bytecode[digits + 3] = '\x1b';
  EXPECT_EQ(toString(checkSeal(bytecode)),
            "the seal of the bytecode is damaged; compile the program again, or copy it again");
}

TEST(SealTest, NoticesEveryChangedBit) {
  std::string bytecode = writeSealed();
  for (size_t i = 0; i < bytecode.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      bytecode[i] ^= static_cast<char>(1 << bit);
      EXPECT_FALSE(isSealed(bytecode)) << "byte " << i << ", bit " << bit;
      bytecode[i] ^= static_cast<char>(1 << bit);
    }
  EXPECT_TRUE(isSealed(bytecode));
}

TEST(SealTest, NoticesEveryTruncation) {
  const std::string bytecode = writeSealed();
  for (size_t size = 0; size < bytecode.size(); ++size)
    EXPECT_FALSE(isSealed(StringRef(bytecode).take_front(size))) << size;
}

TEST(SealTest, NoticesWhatIsAppended) {
  EXPECT_FALSE(isSealed(writeSealed() + std::string(1, '\0')));
}

TEST(SealTest, RefusesWhatHasNoSeal) {
  EXPECT_EQ(toString(checkSeal("module {}")), "not MLIR bytecode");
  std::string foreign = writeModule("MLIR22.1.8");
  EXPECT_TRUE(isBytecode(foreign));
  EXPECT_NE(toString(checkSeal(foreign)).find("has no seal"), std::string::npos);
  EXPECT_NE(toString(sealBytecode(foreign)).find("has no seal"), std::string::npos);
  EXPECT_EQ(foreign, writeModule("MLIR22.1.8"));
}

TEST(SealTest, SaysBothHashes) {
  std::string bytecode = writeSealed();
  bytecode.back() ^= 1;
  const std::string message = toString(checkSeal(bytecode));
  EXPECT_NE(message.find("the program is damaged: its contents hash to "), std::string::npos);
  EXPECT_NE(message.find("its seal says "), std::string::npos);
}

// A file is mapped at a page: the blob must be read where it lies, with its alignment.
TEST(SealTest, BlobsStayMapped) {
  const std::string bytecode = writeSealed();
  std::unique_ptr<llvm::WritableMemoryBuffer> page =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(bytecode.size(), "sealed",
                                                        llvm::Align(4096));
  llvm::copy(bytecode, page->getBufferStart());
  const ArrayRef<char> mapped = page->getBuffer();

  const std::unique_ptr<MLIRContext> context = makeContext();
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(page), SMLoc());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, ParserConfig(context.get()));
  ASSERT_TRUE(module);
  auto blob = (*module)->getAttrOfType<DenseResourceElementsAttr>(kBlobName);
  ASSERT_TRUE(blob);
  const ArrayRef<char> data = blob.getRawHandle().getBlob()->getData();
  EXPECT_EQ(StringRef(data.data(), data.size()), StringRef(kBlobElements, sizeof(kBlobElements)));
  EXPECT_GE(data.begin(), mapped.begin());
  EXPECT_LE(data.end(), mapped.end());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data.data()) % kBlobAlignment, 0u);
}

} // namespace
