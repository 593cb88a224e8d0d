// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVRTC: what comes out for a chip and as PTX, what is said when something is wrong. These tests
// need the library and fail without it.

#include "codegen/Compiler.h"
#include "codegen/KernelHeaders.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"

#include <cstdlib>

using namespace llvm;
using namespace sortie::codegen;

namespace {

constexpr StringLiteral kSource = "#include <sortie_hardware.h>\n"
                                  "SORTIE_KERNEL(32, 1) copy(const float *x, float *y) {\n"
                                  "  y[sortie::hw::threadIndex()] = x[sortie::hw::threadIndex()];\n"
                                  "}\n"
                                  "SORTIE_EXPORT(copy)\n";

Nvrtc load() {
  Expected<Nvrtc> nvrtc = Nvrtc::load();
  if (!nvrtc)
    report_fatal_error(nvrtc.takeError());
  return std::move(*nvrtc);
}

TEST(NvrtcTest, ArchitecturesOfPtx) {
  for (StringRef name : {"compute_80", "compute_100"})
    EXPECT_TRUE(isPtxArchitecture(name)) << name.str();
  for (StringRef name : {"", "sm_80", "sm_90a", "compute_", "compute_8", "compute_90a", "80"})
    EXPECT_FALSE(isPtxArchitecture(name)) << name.str();
}

TEST(NvrtcTest, MakesCubinsAndPtx) {
  const Nvrtc nvrtc = load();
  Expected<Nvrtc::Output> cubin = nvrtc.compile("copy", kSource, "sm_80");
  ASSERT_TRUE(static_cast<bool>(cubin)) << toString(cubin.takeError());
  EXPECT_EQ(StringRef(cubin->image).take_front(4), "\177ELF");
  const std::optional<ResourceUsage> usage = parseResourceUsage(cubin->log, "copy");
  ASSERT_TRUE(usage) << cubin->log;
  EXPECT_GT(usage->registers, 0);
  EXPECT_TRUE(usage->isClean());

  Expected<Nvrtc::Output> ptx = nvrtc.compile("copy", kSource, "compute_80");
  ASSERT_TRUE(static_cast<bool>(ptx)) << toString(ptx.takeError());
  EXPECT_NE(ptx->image.find(".target sm_80"), std::string::npos);
  EXPECT_NE(ptx->image.find(".entry copy"), std::string::npos);
  EXPECT_EQ(ptx->image.back(), '\0');
  EXPECT_FALSE(parseResourceUsage(ptx->log, "copy"));
}

// The contract rounds twice where an fma would round once.
TEST(NvrtcTest, FusesNothing) {
  constexpr StringLiteral source =
      "extern \"C\" __global__ void k(float *x) { *x = x[1] * x[2] + x[3]; }\n";
  Expected<Nvrtc::Output> ptx = load().compile("k", source, "compute_80");
  ASSERT_TRUE(static_cast<bool>(ptx)) << toString(ptx.takeError());
  EXPECT_EQ(ptx->image.find("fma"), std::string::npos);
  EXPECT_NE(ptx->image.find("mul.rn.f32"), std::string::npos);
  EXPECT_EQ(ptx->image.find("ftz"), std::string::npos);
}

TEST(NvrtcTest, ErrorsShowTheLog) {
  Expected<Nvrtc::Output> output = load().compile("broken", "int x = y;\n", "sm_80");
  ASSERT_FALSE(static_cast<bool>(output));
  const std::string message = toString(output.takeError());
  EXPECT_NE(message.find("cannot compile kernel 'broken' for sm_80"), std::string::npos) << message;
  EXPECT_NE(message.find("broken.cu(1): error: identifier \"y\" is undefined"), std::string::npos)
      << message;
}

TEST(NvrtcTest, AFileThatIsNoLibraryIsAnError) {
  setenv("SORTIE_NVRTC", "/nowhere/libnvrtc.so.13", 1);
  Expected<Nvrtc> nvrtc = Nvrtc::load();
  unsetenv("SORTIE_NVRTC");
  ASSERT_FALSE(static_cast<bool>(nvrtc));
  const std::string message = toString(nvrtc.takeError());
  EXPECT_NE(message.find("SORTIE_NVRTC"), std::string::npos) << message;
  EXPECT_NE(message.find("/nowhere/libnvrtc.so.13"), std::string::npos) << message;
}

TEST(NvrtcTest, EveryIncludeOfTheHeadersIsEmbedded) {
  const ArrayRef<KernelHeader> headers(kKernelHeaders, kKernelHeaderCount);
  ASSERT_GT(headers.size(), 10u);
  for (const KernelHeader &header : headers) {
    StringRef text = header.text;
    while (text.contains("#include \"")) {
      text = text.substr(text.find("#include \"") + 10);
      const StringRef name = text.take_front(text.find('"'));
      EXPECT_TRUE(any_of(headers, [&](const KernelHeader &other) { return name == other.name; }))
          << header.name << " includes " << name.str();
    }
  }
}

TEST(CompilerTest, TheSecondTimeComesFromTheCache) {
  SmallString<128> folder;
  ASSERT_FALSE(sys::fs::createUniqueDirectory("sortie-compiler", folder));
  Expected<KernelCache> cache = KernelCache::open(folder);
  ASSERT_TRUE(static_cast<bool>(cache));
  const Compiler compiler(load(), *cache);
  const auto compile = [&](StringRef source, StringRef arch) {
    Expected<CompiledImage> image = compiler.compile("copy", source, arch);
    if (!image)
      report_fatal_error(image.takeError());
    return *image;
  };
  const CompiledImage first = compile(kSource, "sm_80");
  EXPECT_FALSE(first.cached);
  const CompiledImage second = compile(kSource, "sm_80");
  EXPECT_TRUE(second.cached);
  EXPECT_EQ(first.data, second.data);
  EXPECT_EQ(first.log, second.log);
  // Another chip and another source are other entries.
  EXPECT_FALSE(compile(kSource, "sm_90a").cached);
  EXPECT_FALSE(compile((kSource + "\n").str(), "sm_80").cached);
  // Without a cache, the same bytes are made again.
  Expected<CompiledImage> anew = Compiler(load(), std::nullopt).compile("copy", kSource, "sm_80");
  ASSERT_TRUE(static_cast<bool>(anew));
  EXPECT_FALSE(anew->cached);
  EXPECT_EQ(anew->data, first.data);
  ASSERT_FALSE(sys::fs::remove_directories(folder));
}

} // namespace
