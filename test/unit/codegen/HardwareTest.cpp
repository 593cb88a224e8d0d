// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of the headers of kernels that no kernel uses yet: NVRTC compiles them, and what
// instructions come out.

#include "codegen/Compiler.h"

#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie::codegen;

namespace {

std::string compile(StringRef name, StringRef source, StringRef architecture) {
  Expected<Nvrtc> nvrtc = Nvrtc::load();
  if (!nvrtc)
    report_fatal_error(nvrtc.takeError());
  Expected<Nvrtc::Output> output = nvrtc->compile(name, source, architecture);
  if (!output) {
    ADD_FAILURE() << toString(output.takeError());
    return {};
  }
  EXPECT_EQ(output->log.find("warning"), std::string::npos) << output->log;
  if (isPtxArchitecture(architecture))
    return std::move(output->image);
  const std::optional<ResourceUsage> usage = parseResourceUsage(output->log, name);
  EXPECT_TRUE(usage && usage->isClean()) << output->log;
  return std::move(output->image);
}

void expectInstructions(StringRef ptx, ArrayRef<StringRef> instructions) {
  for (StringRef instruction : instructions)
    EXPECT_TRUE(ptx.contains(instruction)) << instruction.str();
}

// The kernel that the emulation runs.
TEST(HardwareTest, Pipeline) {
  const auto file = MemoryBuffer::getFile(SORTIE_SOURCE "/test/unit/emulation/BulkPipeline.h");
  ASSERT_TRUE(static_cast<bool>(file));
  const StringRef source = (*file)->getBuffer();
  for (StringRef architecture : {"sm_90", "sm_90a"})
    compile("bulkPipeline", source, architecture);
  expectInstructions(
      compile("bulkPipeline", source, "compute_90"),
      {"mbarrier.init.shared::cta.b64", "fence.mbarrier_init.release.cluster;",
       "mbarrier.inval.shared::cta.b64", "mbarrier.arrive.shared::cta.b64 _,",
       "mbarrier.arrive.expect_tx.shared::cta.b64 _,", "mbarrier.try_wait.parity.shared::cta.b64",
       "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [",
       "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [",
       "bar.sync "});
}

// The kernels that the emulation runs.
TEST(HardwareTest, ProductsOfWarpgroups) {
  const auto file = MemoryBuffer::getFile(SORTIE_SOURCE "/test/unit/emulation/WarpgroupProducts.h");
  ASSERT_TRUE(static_cast<bool>(file));
  const StringRef source = (*file)->getBuffer();
  compile("warpgroupProducts64", source, "sm_90a");
  const std::string ptx = compile("warpgroupProducts64", source, "compute_90");
  for (StringRef width : {"16", "32", "48", "64"})
    expectInstructions(ptx,
                       {("wgmma.mma_async.sync.aligned.m64n" + width + "k32.s32.s8.s8 {").str(),
                        ("wgmma.mma_async.sync.aligned.m64n" + width + "k16.f32.f16.f16 {").str()});
  expectInstructions(ptx, {"wgmma.fence.sync.aligned;", "wgmma.commit_group.sync.aligned;",
                           "wgmma.wait_group.sync.aligned 1;", "wgmma.wait_group.sync.aligned 0;",
                           "setmaxnreg.inc.sync.aligned.u32 256;",
                           "setmaxnreg.dec.sync.aligned.u32 40;"});
}

TEST(HardwareTest, WhatThePipelineDoesNotUse) {
  constexpr StringLiteral source =
      "#include <sortie_hardware_sm90.h>\n"
      "using namespace sortie;\n"
      "SORTIE_KERNEL(64, 1) deepBox(SORTIE_IN_PLACE hw::TensorMap map, hw::Mbarrier *unused) {\n"
      "  hw::fenceBeforeCopies();\n"
      "  hw::copyBox(hw::sharedMemory<char>(128), map, 1, 2, 3, "
      "hw::sharedMemory<hw::Mbarrier>());\n"
      "  hw::arriveThreads(1, 64);\n"
      "}\n";
  compile("deepBox", source, "sm_90a");
  constexpr StringLiteral packs = "#include <sortie_hardware_sm90.h>\n"
                                  "SORTIE_KERNEL(32, 1) pack(float *x, unsigned *y) {\n"
                                  "  y[0] = sortie::hw::packHalves(x[0], x[1]);\n"
                                  "}\n";
  expectInstructions(compile("pack", packs, "compute_90"), {"cvt.rn.f16x2.f32 "});
  expectInstructions(
      compile("deepBox", source, "compute_90"),
      {"fence.proxy.async.shared::cta;", "bar.arrive ",
       "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes ["});
}

// Named barriers are for all chips; the other header has nothing there.
TEST(HardwareTest, OlderChips) {
  constexpr StringLiteral source = "#include <sortie_hardware_sm90.h>\n"
                                   "using namespace sortie;\n"
                                   "SORTIE_KERNEL(64, 1) meet() {\n"
                                   "  if (hw::warpIndex() == 0)\n"
                                   "    hw::arriveThreads(1, 64);\n"
                                   "  else\n"
                                   "    hw::syncThreads(1, 64);\n"
                                   "}\n";
  for (StringRef architecture : {"sm_80", "sm_89"})
    compile("meet", source, architecture);
}

} // namespace
