// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The program loader: what a loaded program says, and each reason to refuse one.

#include "ProgramText.h"
#include "StateText.h"

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
  EXPECT_EQ(program.arenaBytes(dense, {16}), 64u * 16);
  EXPECT_EQ(program.arenaBytes(dense, {3}), 64u * 3);
  ASSERT_EQ(dense.steps.size(), 2u);
  EXPECT_EQ(dense.steps[1].operation, "moert.matmul");
  EXPECT_EQ(dense.steps[1].label, "matrix.weight");
  EXPECT_EQ(dense.buffers[dense.outputs[0].buffer].shape[0], (Affine{1, 0}));
}

TEST(Loader, readsTheFingerprint) {
  Expected<std::shared_ptr<const Program>> loaded =
      load(programText(kDenseProgram, ", moert.weights_fingerprint = \"00000000deadbeef\""));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  EXPECT_EQ((*loaded)->fingerprint->value, 0xdeadbeefu);
  EXPECT_FALSE((*loaded)->fingerprint->keys) << "old programs cover all metadata";

  loaded = load(programText(kDenseProgram,
                            ", moert.weights_fingerprint = \"2:00000000deadbeef\", "
                            "moert.fingerprint_keys = [\"general.architecture\", \"a.b\"]"));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  EXPECT_EQ((*loaded)->fingerprint->value, 0xdeadbeefu);
  EXPECT_EQ(*(*loaded)->fingerprint->keys,
            (std::vector<std::string>{"general.architecture", "a.b"}));
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
  expectError(" \n", "is not a compiled program: it is empty");
  expectError("func.func @f() { return }",
              "is not a compiled program: it is a graph, as models are "
              "imported; compile it with sortie-opt");
  expectError("GGUF\3", "is not a compiled program: it is a model in GGUF");
  expectError("\x93NUMPY\1", "is not a compiled program: it is an array in the format .npy");
  expectError(
      programText(replaced(kDenseProgram, "4x8xf32\n  moert.weight @other",
                           "4x8xq9_9\n"
                           "  moert.weight @other")),
      "not a valid program: line 6, column 3: 'moert.weight' op unknown weight format 'q9_9'");
  EXPECT_EQ(toString(loadProgramFile("/nonexistent/p.mlirbc").takeError()),
            "/nonexistent/p.mlirbc: cannot read the program: No such file or directory");
}

TEST(Loader, readsWhatWeightsAreMadeOf) {
  const std::string text =
      programText(replaced(kDenseProgram, "@other \"other.weight\"",
                           "@other [\"a\", \"b\", \"c\", \"d\"] columns(8 of 24)"));
  for (const std::string &program : {text, bytecodeOf(text)}) {
    Expected<std::shared_ptr<const Program>> loaded = load(program);
    ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
    const WeightSpec &weight = (*loaded)->weights[2];
    EXPECT_EQ(weight.tensors, (std::vector<std::string>{"a", "b", "c", "d"}));
    EXPECT_EQ(weight.tensorShape(), ArrayRef<int64_t>({24}));
    EXPECT_EQ(weight.columnPart.first, 8);
    EXPECT_EQ(weight.rowPart.total, 0);
    EXPECT_EQ((*loaded)->functions[1].steps[0].label, "a to d columns 8 to 15");
  }
}

TEST(Loader, refusesOtherVersionsTargetsAndFeatures) {
  const std::string text = programText(kDenseProgram);
  expectError(
      replaced(text, "abi = 3", "abi = 2"),
      "has ABI version 2, this runtime runs versions 3 to 5; compile it with the sortie-opt");
  expectError(replaced(text, "abi = 3", "abi = 6"),
              "has ABI version 6, this runtime runs versions 3 to 5; use a newer runtime");
  expectError(replaced(text, "numerics = 1", "numerics = 77"),
              "keeps version 77 of the numerics contract, this runtime computes by version");
  expectError(replaced(text, "\"cpu\"", "\"tpu\""),
              "is compiled for target 'tpu', this runtime has 'cpu' and 'cuda'");
  expectError(replaced(text, "features = []", "features = [\"state\"]"),
              "needs the feature state, which this runtime does not have");
}

namespace {

/// A function that copies x, in this space, to y, with this text behind its outputs.
std::string copyProgram(const std::string &space, const std::string &placement = "",
                        const std::string &device = "") {
  const std::string x = "!moert.buffer<8 x f32" + device + ", space = \"" + space + "\">";
  const std::string y = "!moert.buffer<8 x f32" + device + ">";
  return "moert.func @f(\"x\" %x: " + x + ") outs(\"y\" %y: " + y + ") " + placement +
         " {\n moert.copy %x outs(%y) : " + x + ", " + y + "\n moert.return\n}";
}

} // namespace

TEST(Loader, refusesSpacesThatATargetLacks) {
  expectError(programText(copyProgram("host")),
              "a buffer in space 'host'; target 'cpu' has space 'global' only");
  expectError(cudaProgramText(copyProgram("texture")),
              "a buffer in space 'texture'; target 'cuda' has spaces 'global' and 'host' only");
}

TEST(Loader, refusesPlacesThatThereAreNot) {
  expectError(programText(copyProgram("global", "target(\"tpu\")")),
              "function 'f' is for target 'tpu', this runtime has 'cpu' and 'cuda'");
  expectError(programText(copyProgram("global", "device(1)", ", device = 1")),
              "function 'f' is for device 1 of target 'cpu', of which there is device 0 alone");
  expectError(cudaProgramText(copyProgram("global", "device(1024)", ", device = 1024")),
              "function 'f' is for device 1024 of target 'cuda', numbers are at most 1023");
}

TEST(Loader, refusesUnplannedMemory) {
  std::string text = replaced(programText(kDenseProgram), "moert.buffer offset(0)", "moert.buffer");
  text = replaced(text, " arena(64*tokens)", "");
  expectError(text, "the program's memory has not been planned");
}

/// Rows of one symbol and of another, each with a region of the arena.
constexpr const char *kTwoSymbols = R"(
  moert.symbol @unused max(5)
  moert.symbol @tokens max(16)
  moert.symbol @rows max(4)
  moert.func @f("x" %x: !moert.buffer<tokens x 16 x f32>, "z" %z: !moert.buffer<2*rows x 16 x f32>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>, "u" %u: !moert.buffer<2*rows x 16 x f32>)
      arena(64*tokens, 128*rows+64) {
    %a = moert.buffer offset(0) : !moert.buffer<tokens x 16 x f32>
    moert.copy %x outs(%a) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    %b = moert.buffer offset(64) : !moert.buffer<2*rows x 16 x f32>
    moert.copy %z outs(%b) : !moert.buffer<2*rows x 16 x f32>, !moert.buffer<2*rows x 16 x f32>
    moert.copy %a outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.copy %b outs(%u) : !moert.buffer<2*rows x 16 x f32>, !moert.buffer<2*rows x 16 x f32>
    moert.return
  })";

TEST(Loader, takesSeveralSymbolsInAFunction) {
  Expected<std::shared_ptr<const Program>> loaded = load(programText(kTwoSymbols));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Function &function = (*loaded)->functions[0];
  EXPECT_EQ(function.symbols, (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(function.arena, (std::vector<Affine>{{64, 0, 0}, {128, 64, 1}}));
  EXPECT_EQ((*loaded)->arenaBytes(function, {0, 16, 4}), 64u * 16 + 128 * 4 + 64);
  EXPECT_EQ((*loaded)->arenaBytes(function, {0, 6, 4}), 64u * 6 + 128 * 4 + 64);
  const Buffer &rows = function.buffers[function.steps[1].writes[0]];
  EXPECT_EQ(rows.region, 1u);
  EXPECT_EQ(rows.shape[0], (Affine{2, 0, 1}));
  EXPECT_EQ(rows.shape[0].at({3, 4}), 8);
}

TEST(Loader, refusesOneOfSeveralSymbolsThatNoInputGives) {
  const char *program = R"(
  moert.symbol @tokens max(16)
  moert.symbol @experts max(4)
  moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>)
      arena(64*experts) {
    moert.copy %x outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
    moert.return
  })";
  expectError(programText(program), "no shape of an input gives the value of symbol 'experts'");
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

TEST(Loader, knowsStates) {
  Expected<std::shared_ptr<const Program>> loaded = load(bytecodeOf(programText(kStateProgram)));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Program &program = **loaded;
  ASSERT_EQ(program.states.size(), 3u);
  const State &ring = program.states[2];
  EXPECT_EQ(ring.name, "ring");
  EXPECT_EQ(ring.type, ElementType::I32);
  EXPECT_EQ(ArrayRef(ring.shape), ArrayRef<Affine>({{0, 4}, {0, 2}}));
  EXPECT_EQ(ring.bytes, (Affine{0, 32}));
  EXPECT_FALSE(program.symbols[0].isOfSession);
  const Buffer &buffer = program.functions[0].buffers[1];
  EXPECT_EQ(buffer.place, Buffer::Place::State);
  EXPECT_EQ(buffer.argument, 0u);
  EXPECT_TRUE(program.functions[0].outputs.empty());
}

TEST(Loader, knowsSymbolsOfTheSession) {
  Expected<std::shared_ptr<const Program>> loaded = load(programText(kSessionProgram));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Program &program = **loaded;
  EXPECT_FALSE(program.symbols[0].isOfSession);
  EXPECT_TRUE(program.symbols[1].isOfSession);
  EXPECT_EQ(program.states[1].bytes, (Affine{16, 8, 1}));
  // No input has to give it.
  EXPECT_EQ(program.functions[0].symbols, (std::vector<uint32_t>{0, 1}));
}

TEST(Loader, refusesWhatCannotBeOfStates) {
  expectError(
      programText(replaced(kStateProgram, "@ring : !moert.buffer<4 x 2 x i32>\n  moert.func",
                           "@ring : !moert.buffer<5 x 2 x i32>\n  moert.func")),
      "state @ring is '!moert.buffer<5 x 2 x i32>'");
  // The numbers of a check come from a kernel.
  expectError(cudaProgramText(
                  replaced(replaced(kLaunchProgram, "moert.check_ids %status experts(3) slots(2)",
                                    "moert.check_rows %given rows(3)"),
                           "\"ids\" %ids: !moert.buffer<tokens x 2 x i32>",
                           "\"ids\" %ids: !moert.buffer<tokens x 2 x i32>, \"given\" %given: "
                           "!moert.buffer<2 x i32>")),
              "checks an input of the function, a kernel's status is needed");
  expectError(
      cudaProgramText(replaced(replaced(kLaunchProgram,
                                        "moert.check_ids %status experts(3) slots(2) : "
                                        "!moert.buffer<2 x i32>",
                                        "moert.check_places %given : !moert.buffer<4 x i32>"),
                               "\"ids\" %ids: !moert.buffer<tokens x 2 x i32>",
                               "\"ids\" %ids: !moert.buffer<tokens x 2 x i32>, \"given\" %given: "
                               "!moert.buffer<4 x i32>")),
      "checks an input of the function, a kernel's status is needed");
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
  expectError(programText(program),
              "argument 'y' holds act8; callers can pass f32, f16, bf16 and i32 only");
}

//===- Indices that a program may not make up ----------------------------===//

TEST(Loader, refusesIndicesThatNoDispatchWrote) {
  const std::string text = programText(kDispatchProgram);
  expectError(replaced(replaced(text, "%x, %permutation slots(2)", "%x, %raw slots(2)"),
                       "\"weights\" %weights:",
                       "\"raw\" %raw: !moert.buffer<2*tokens x i32>, \"weights\" %weights:"),
              "'moert.gather' op reads as permutation what is not the permutation of a "
              "moert.dispatch, so its values cannot be trusted");
  expectError(replaced(text, "%rows inverse(%inverse) weights", "%rows inverse(%ids) weights"),
              "'moert.combine' op reads as inverse what is not the inverse of a moert.dispatch");
  expectError(replaced(text, "order(%inverse)", "order(%ids)"),
              "'moert.checkpoint' op reads as inverse what is not the inverse");
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

//===- Kernels and launches ----------------------------------------------===//

TEST(Loader, flattensKernels) {
  Expected<std::shared_ptr<const Program>> loaded = load(cudaProgramText(kLaunchProgram));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Program &program = **loaded;
  EXPECT_EQ(program.target, "cuda");
  ASSERT_EQ(program.kernels.size(), 3u);
  const Kernel &kernel = program.kernels[2];
  EXPECT_EQ(kernel.name, "product");
  EXPECT_EQ(kernel.entry, "sortie_product");
  EXPECT_EQ(kernel.reads, 2u);
  EXPECT_EQ(kernel.writes, 1u);
  EXPECT_EQ(kernel.extents, 1u);
  EXPECT_EQ(kernel.threads, 64u);
  EXPECT_EQ(ArrayRef(kernel.weights),
            ArrayRef({WeightForm::Packed, WeightForm::Raw, WeightForm::Floats}));
  ASSERT_EQ(kernel.images.size(), 2u);
  EXPECT_EQ(kernel.images[0].arch, "sm_90a");
  EXPECT_EQ(kernel.images[0].shared, 98304u);
  EXPECT_EQ(kernel.images[0].hash, "63781d171425a36312fa058d8712d5d0");
  EXPECT_EQ(kernel.images[0].data, (std::vector<uint8_t>{1, 2, 3, 4}));
  EXPECT_EQ(kernel.images[1].arch, "compute_80");
  EXPECT_EQ(kernel.images[1].data, (std::vector<uint8_t>{5, 6, 0}));
}

TEST(Loader, flattensVariants) {
  std::string text = cudaProgramText(kLaunchProgram);
  text = replaced(text, "shared = 98304,",
                  "shared = 98304, config = <threads = 384, cluster = [1, 2, 1]>,");
  text = replaced(text, "grid(5, 2*tokens+6 ceildiv 4 max 2*tokens)",
                  "grid(5, 2*tokens+6 ceildiv 4 max 2*tokens) variants [#moert.launch_variant<arch "
                  "= \"sm_90a\", grid = [#moert.grid<3>, #moert.grid<4*tokens>]>]");
  text = replaced(text, "pack(@pack rows(16) bytes(512))",
                  "pack(@pack rows(16) bytes(512)) packs [#moert.pack_variant<arch = \"sm_90a\", "
                  "pack = <@pack rows(64) bytes(2048)>>]");
  Expected<std::shared_ptr<const Program>> loaded = load(text);
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Program &program = **loaded;
  EXPECT_EQ(program.kernels[2].images[0].threads, 384u);
  EXPECT_EQ(program.kernels[2].images[0].cluster, (std::array<uint32_t, 3>{1, 2, 1}));
  EXPECT_EQ(program.kernels[2].images[1].threads, 0u);
  const auto &launch = std::get<KernelLaunch>(program.functions[0].steps[1].action);
  ASSERT_EQ(launch.variants.size(), 1u);
  EXPECT_EQ(launch.variants[0].arch, "sm_90a");
  EXPECT_EQ(launch.variants[0].grid[1].at(2), 8);
  ASSERT_EQ(program.weights[0].packVariants.size(), 1u);
  EXPECT_EQ(program.weights[0].packVariants[0].pack.bytes, 2048u);
}

TEST(Loader, refusesTensorMaps) {
  expectError(replaced(cudaProgramText(kLaunchProgram), "shared = 98304,",
                       "shared = 98304, config = <maps = [#moert.tensor_map<operand = weight, "
                       "index = 0, element = 1, dims = [#moert.extent<64>], strides = [], box = "
                       "[64]>]>,"),
              "kernel 'product': the image for sm_90a takes tensor maps, which this runtime does "
              "not encode");
}

/// Of programs that are older than the attribute, every launch does.
TEST(Loader, launchesOverlapThatSaySo) {
  const auto overlaps = [](const std::string &text, size_t step) {
    const auto program = cantFail(load(text));
    return std::get<KernelLaunch>(program->functions[0].steps[step].action).overlaps;
  };
  const std::string old = cudaProgramText(kLaunchProgram);
  EXPECT_TRUE(overlaps(old, 0));
  EXPECT_TRUE(overlaps(old, 1));
  const std::string today = replaced(replaced(old, "abi = 3", "abi = 5"), "extents(2*tokens)",
                                     "extents(2*tokens) overlaps");
  EXPECT_FALSE(overlaps(today, 0));
  EXPECT_TRUE(overlaps(today, 1));
}

TEST(Loader, flattensLaunches) {
  Expected<std::shared_ptr<const Program>> loaded = load(cudaProgramText(kLaunchProgram));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const Function &function = (*loaded)->functions[0];
  ASSERT_EQ(function.steps.size(), 4u);
  EXPECT_EQ(function.steps[0].operation, "moert.dispatch");
  const Step &dispatch = function.steps[0];
  EXPECT_EQ(std::get<KernelLaunch>(dispatch.action).kernel, 1u);
  EXPECT_EQ(std::get<KernelLaunch>(dispatch.action).operationsPerRow, 0u);
  EXPECT_EQ(dispatch.offsets, kNoBuffer);
  EXPECT_EQ(dispatch.writes.size(), 3u);

  EXPECT_EQ(function.steps[1].operation, "moert.matmul");
  EXPECT_EQ(function.steps[1].label, "matrix, router, bias");
  const Step &product = function.steps[1];
  const auto &launch = std::get<KernelLaunch>(product.action);
  EXPECT_EQ(launch.kernel, 2u);
  EXPECT_EQ(ArrayRef(product.weights), ArrayRef<WeightId>({0, 1, 2}));
  EXPECT_EQ(ArrayRef(launch.extents), ArrayRef({Affine{2, 0}}));
  EXPECT_EQ(product.reads[0], function.inputs[0].buffer);
  EXPECT_EQ(product.reads[1], dispatch.writes[0]);
  EXPECT_EQ(ArrayRef(product.writes), ArrayRef({function.outputs[0].buffer}));
  EXPECT_EQ(launch.operationsPerRow, 640u);
  EXPECT_EQ(product.offsets, dispatch.writes[0]);
  ASSERT_EQ(launch.grid.size(), 2u);
  EXPECT_EQ(launch.grid[0].at(9), 5);
  EXPECT_EQ(launch.grid[1].at(0), 0);
  EXPECT_EQ(launch.grid[1].at(1), 2); // ceil(8 / 4) = max
  EXPECT_EQ(launch.grid[1].at(2), 3); // ceil(10 / 4) < max

  const auto &check = std::get<CheckIds>(function.steps[3].action);
  EXPECT_EQ(function.steps[3].reads[0], dispatch.writes[1]);
  EXPECT_EQ(check.experts, 3);
  EXPECT_EQ(check.slots, 2);
}

TEST(Loader, notesTheFormsOfWeights) {
  Expected<std::shared_ptr<const Program>> loaded = load(cudaProgramText(kLaunchProgram));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  ArrayRef<WeightSpec> weights = (*loaded)->weights;
  EXPECT_TRUE(weights[0].usesPacked && !weights[0].usesRaw && !weights[0].usesFloats);
  EXPECT_TRUE(!weights[1].usesPacked && weights[1].usesRaw && !weights[1].usesFloats);
  EXPECT_TRUE(!weights[2].usesPacked && !weights[2].usesRaw && weights[2].usesFloats);
  EXPECT_FALSE(weights[1].pack);
  ASSERT_TRUE(weights[0].pack);
  EXPECT_EQ(weights[0].pack->kernel, 0u);
  EXPECT_EQ(weights[0].panels(), 3 * 3); // 40 rows in panels of 16
  EXPECT_EQ(weights[0].panelBytes(), 9u * 512);
}

TEST(Loader, readsKernelsFromBytecode) {
  Expected<std::shared_ptr<const Program>> loaded =
      load(bytecodeOf(cudaProgramText(kLaunchProgram)));
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  EXPECT_EQ((*loaded)->kernels[2].images[1].data, (std::vector<uint8_t>{5, 6, 0}));
  EXPECT_EQ((*loaded)->functions[0].steps.size(), 4u);
}

TEST(Loader, refusesDamagedImages) {
  const std::string text = cudaProgramText(kLaunchProgram);
  expectError(replaced(text, "product_sm_90a: \"0x0400000001020304\"",
                       "product_sm_90a: \"0x0400000001020305\""),
              "kernel 'product': the image for sm_90a is damaged: its bytes hash to ");
  expectError(replaced(text, "product_sm_90a: \"0x0400000001020304\"",
                       "product_sm_90a: \"0x04000000010203\""),
              "the image for sm_90a is damaged: it has 3 bytes, its type says 4");
  expectError(replaced(text, "product_sm_90a: \"0x0400000001020304\",", ""),
              "sm_90a is damaged: the program lacks the resource 'product_sm_90a'");
  expectError(replaced(replaced(text, "0x04000000050600", "0x04000000050607"),
                       "06bddef0b75d6e6154882f051f965fac", "aadf1512d177293f811b2ace3cf034e0"),
              "the image for compute_80 is damaged: PTX must end with a zero");
}

TEST(Loader, refusesKernelsThatAreNotCompiled) {
  const std::string source = R"(
  moert.kernel @k "k" reads(0) writes(1) threads(32)
    sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "void k();">])";
  expectError(cudaProgramText(source, ""),
              "kernel 'k' is not compiled; compile it with moert-compile-kernels");
}

TEST(Loader, refusesOperationsOfAnotherTarget) {
  expectError(cudaProgramText(kDenseProgram, ""),
              "function 'dense': moert.rms_norm: is not an operation of target 'cuda'; compile the "
              "program with moert-select-kernels");
  expectError(replaced(cudaProgramText(kLaunchProgram), "\"cuda\"", "\"cpu\""),
              "function 'f': moert.launch: is not an operation of target 'cpu'");
  expectError(programText(R"(
  moert.func @f("s" %s: !moert.buffer<2 x i32>) outs("y" %y: !moert.buffer<2 x i32>) {
    moert.copy %s outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
    moert.check_ids %s experts(3) slots(2) : !moert.buffer<2 x i32>
    moert.return
  })"),
              "function 'f': moert.check_ids: is not an operation of target 'cpu'");
}

TEST(Loader, refusesGridsThatDoNotFit) {
  const std::string text = cudaProgramText(kLaunchProgram);
  auto withGrid = [&](const std::string &grid) {
    return replaced(text, "grid(5, 2*tokens+6 ceildiv 4 max 2*tokens)", "grid(" + grid + ")");
  };
  EXPECT_EQ(errorOf(withGrid("2147483647, 65535, 65535")), "no error");
  EXPECT_EQ(errorOf(withGrid("134217727*tokens+15, 4095*tokens+15, tokens")), "no error");
  EXPECT_EQ(errorOf(withGrid("134217728*tokens ceildiv 2, 4096*tokens max 65535")), "no error");
  expectError(withGrid("134217728*tokens"),
              "function 'f': moert.launch: dimension 0 of the grid of kernel 'product' has "
              "2147483648 thread blocks at the bound of its symbol, the limit is 2147483647");
  expectError(withGrid("1, 4096*tokens"), "dimension 1 of the grid of kernel 'product' has 65536");
  expectError(withGrid("1, 1, 65536"), "dimension 2 of the grid of kernel 'product' has 65536");
  expectError(
      replaced(withGrid("281474976710656*tokens"), "@tokens max(16)", "@tokens max(2147483647)"),
      "dimension 0 of the grid of kernel 'product' has more than 2^63 thread blocks");
}

TEST(Loader, roundsGridsDown) {
  const std::string text =
      replaced(cudaProgramText(kLaunchProgram), "2*tokens+6 ceildiv 4 max 2*tokens",
               "2*tokens+6 floordiv 4 max 2*tokens");
  Expected<std::shared_ptr<const Program>> loaded = load(text);
  ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
  const auto &product = std::get<KernelLaunch>((*loaded)->functions[0].steps[1].action);
  EXPECT_EQ(product.grid[1].at(0), 0); // max
  EXPECT_EQ(product.grid[1].at(2), 2); // floor(10 / 4)
  EXPECT_EQ(product.grid[1].at(3), 3); // floor(12 / 4)
}

TEST(Loader, refusesExtentsThatDoNotFit) {
  const std::string text =
      replaced(cudaProgramText(kLaunchProgram), "2*tokens+6 ceildiv 4 max 2*tokens", "1");
  EXPECT_EQ(errorOf(replaced(text, "extents(2*tokens)", "extents(134217727*tokens+15)")),
            "no error");
  expectError(replaced(text, "extents(2*tokens)", "extents(134217728*tokens)"),
              "function 'f': moert.launch: extent 134217728*tokens of kernel 'product' exceeds "
              "2^31 - 1 at the bound of its symbol");
  expectError(replaced(replaced(text, "extents(2*tokens)", "extents(281474976710656*tokens)"),
                       "@tokens max(16)", "@tokens max(2147483647)"),
              "extent 281474976710656*tokens of kernel 'product' exceeds 2^31 - 1");
}

TEST(Loader, refusesLaunchesOverASymbolThatNoInputGives) {
  const std::string text = replaced(cudaProgramText(kLaunchProgram), "moert.symbol @tokens max(16)",
                                    "moert.symbol @tokens max(16) moert.symbol @other max(16)");
  for (const char *grid : {"grid(5, other)", "grid(5, 1 max other)"})
    expectError(replaced(text, "grid(5, 2*tokens+6 ceildiv 4 max 2*tokens)", grid),
                "no shape of an input gives the value of symbol 'other'");
  expectError(replaced(text, "extents(2*tokens)", "extents(other)"),
              "no shape of an input gives the value of symbol 'other'");
}

TEST(Loader, refusesKernelsBeyondTheLimitsOfCuda) {
  const std::string text = cudaProgramText(kLaunchProgram);
  expectError(replaced(text, "shared = 98304", "shared = 232449"),
              "shared memory of an image must be 0 to 232448 bytes, got 232449");
  expectError(replaced(text, "threads(64)", "threads(1056)"),
              "threads must be a multiple of 32 from 32 to 1024, got 1056");
}

//===- Products by cuBLAS ------------------------------------------------===//

/// A product with a matrix in the file's bf16, and one that is packed so.
static std::string cublasText() {
  const std::string text = cudaProgramText(R"(
  moert.symbol @tokens max(16)
  moert.kernel @round "sortie_round" reads(1) writes(1) threads(256) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "63781d171425a36312fa058d8712d5d0",
                 data = dense_resource<dispatch_sm_90> : tensor<4xi8>>]
  moert.kernel @pack "sortie_pack" reads(1) writes(1) extents(2) threads(256) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "63781d171425a36312fa058d8712d5d0",
                 data = dense_resource<pack_sm_90> : tensor<4xi8>>]
  moert.weight @raw "raw" : 4x8xbf16
  moert.weight @packed "packed" pack(@pack rows(1) bytes(16)) : 4x8xf16
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 4 x f32>, "z" %z: !moert.buffer<tokens x 4 x f32>)
      arena(64*tokens) {
    %b = moert.buffer offset(0) : !moert.buffer<tokens x 8 x bf16>
    moert.launch @round grid(tokens) reads(%x) writes(%b) work("moert.matmul")
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x bf16>
    moert.cublas_matmul %b, @raw outs(%y)
      : !moert.buffer<tokens x 8 x bf16>, !moert.buffer<tokens x 4 x f32>
    moert.cublas_matmul %b, @packed outs(%z)
      : !moert.buffer<tokens x 8 x bf16>, !moert.buffer<tokens x 4 x f32>
    moert.return
  })",
                                           R"(
{-#
  dialect_resources: {builtin: {
    pack_sm_90: "0x0400000001020304",
    dispatch_sm_90: "0x0400000001020304"
  }}
#-}
)");
  return replaced(text, "contract = [run, batch, device], features = []",
                  "contract = [run], features = [\"cublas\"]");
}

TEST(Loader, readsProductsByCublas) {
  for (const std::string &text : {cublasText(), bytecodeOf(cublasText())}) {
    Expected<std::shared_ptr<const Program>> loaded = load(text);
    ASSERT_TRUE(bool(loaded)) << toString(loaded.takeError());
    const Function &function = (*loaded)->functions[0];
    EXPECT_TRUE(function.usesCublas);
    EXPECT_EQ(function.buffers[3].type, ElementType::BF16);
    EXPECT_EQ(function.buffers[3].bytes, (Affine{16, 0}));
    ASSERT_EQ(function.steps.size(), 3u);
    EXPECT_EQ(function.steps[1].operation, "moert.cublas_matmul");
    EXPECT_EQ(function.steps[1].label, "raw");
    EXPECT_EQ(std::get<CublasMatmul>(function.steps[1].action).form, WeightForm::Raw);
    EXPECT_EQ(std::get<CublasMatmul>(function.steps[2].action).form, WeightForm::Packed);
    EXPECT_TRUE((*loaded)->weights[0].usesRaw && !(*loaded)->weights[0].usesPacked);
    EXPECT_TRUE(!(*loaded)->weights[1].usesRaw && (*loaded)->weights[1].usesPacked);
  }
}

TEST(Loader, refusesProductsByCublasElsewhere) {
  expectError(replaced(cublasText(), "contract = [run]", "contract = [run, batch]"),
              "the library does not keep the program's contract [run, batch]");
  expectError(replaced(cublasText(), "features = [\"cublas\"]", "features = []"),
              "the program must have the feature \"cublas\"");
}

TEST(Loader, refusesMoreRowsThanCublasCounts) {
  std::string text = replaced(cublasText(), "max(16)", "max(2147483647)");
  EXPECT_EQ(errorOf(text), "no error");
  for (size_t at = 0; (at = text.find("<tokens x", at)) != std::string::npos; at += 5)
    text.replace(at, 9, "<2*tokens x");
  expectError(
      replaced(text, "arena(64*tokens)", "arena(128*tokens)"),
      "moert.cublas_matmul: has more rows than cuBLAS counts (2^31 - 1) at the bound of its "
      "symbol; compile it with a smaller max-tokens");
}
