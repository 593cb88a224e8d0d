// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cache of kernels: what goes in comes out, and nothing damaged does.

#include "codegen/KernelCache.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::codegen;

namespace {

class KernelCacheTest : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(sys::fs::createUniqueDirectory("sortie-cache", folder)); }
  void TearDown() override { ASSERT_FALSE(sys::fs::remove_directories(folder)); }

  KernelCache open(uint64_t limit = FileCache::kDefaultLimit) {
    Expected<KernelCache> cache = KernelCache::open(folder, limit);
    if (!cache)
      report_fatal_error(cache.takeError());
    return std::move(*cache);
  }

  /// The file of an entry, which is the only one in the folder.
  std::string onlyFile() {
    std::error_code code;
    const sys::fs::directory_iterator it(folder, code);
    return it->path();
  }

  size_t countFiles() {
    size_t count = 0;
    std::error_code code;
    for (sys::fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
      ++count;
    return count;
  }

  SmallString<128> folder;
};

TEST_F(KernelCacheTest, GivesBackWhatWasStored) {
  const KernelCache cache = open();
  const std::string key = FileCache::makeKey({"source"});
  EXPECT_FALSE(cache.lookUp(key));
  const std::string image("a\0b\n", 4);
  ASSERT_FALSE(cache.store(key, {image, "log\nof two lines"}));
  std::optional<Nvrtc::Output> entry = cache.lookUp(key);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->image, image);
  EXPECT_EQ(entry->log, "log\nof two lines");
  EXPECT_FALSE(cache.lookUp(FileCache::makeKey({"another source"})));
  // Another process sees it, too, and can replace it.
  const KernelCache other = open();
  ASSERT_TRUE(other.lookUp(key));
  ASSERT_FALSE(other.store(key, {"new", ""}));
  EXPECT_EQ(cache.lookUp(key)->image, "new");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(KernelCacheTest, DamagedEntriesAreNotThere) {
  const KernelCache cache = open();
  const std::string key = FileCache::makeKey({"source"});
  ASSERT_FALSE(cache.store(key, {"image", "log"}));
  const std::string path = onlyFile();
  auto buffer = MemoryBuffer::getFile(path);
  ASSERT_TRUE(static_cast<bool>(buffer));
  const std::string whole = (*buffer)->getBuffer().str();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] ^= 1;
    std::error_code code;
    raw_fd_ostream(path, code) << damaged;
    ASSERT_FALSE(code);
    EXPECT_FALSE(cache.lookUp(key)) << "byte " << at;
    raw_fd_ostream(path, code) << StringRef(whole).take_front(at);
    EXPECT_FALSE(cache.lookUp(key)) << "cut off at " << at;
  }
  std::error_code code;
  raw_fd_ostream(path, code) << whole;
  EXPECT_TRUE(cache.lookUp(key));
}

TEST_F(KernelCacheTest, FoldersThatCannotBeUsedAreErrors) {
  std::error_code code;
  raw_fd_ostream((folder + "/file").str(), code) << "no folder";
  Expected<KernelCache> cache = KernelCache::open((folder + "/file").str());
  ASSERT_FALSE(static_cast<bool>(cache));
  const std::string message = toString(cache.takeError());
  EXPECT_NE(message.find("set SORTIE_CACHE_DIR"), std::string::npos) << message;
  Expected<KernelCache> none = KernelCache::open("");
  ASSERT_FALSE(static_cast<bool>(none));
  consumeError(none.takeError());
}

} // namespace
