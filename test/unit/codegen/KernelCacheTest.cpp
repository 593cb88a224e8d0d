// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cache of kernels: what goes in comes out, nothing damaged does, and the folder stays small.

#include "codegen/KernelCache.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <thread>

using namespace llvm;
using namespace sortie::codegen;

namespace {

class KernelCacheTest : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(sys::fs::createUniqueDirectory("sortie-cache", folder)); }
  void TearDown() override { ASSERT_FALSE(sys::fs::remove_directories(folder)); }

  KernelCache open(uint64_t limit = KernelCache::kDefaultLimit) {
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

  void setAge(StringRef path, std::chrono::hours age) {
    Expected<sys::fs::file_t> file =
        sys::fs::openNativeFileForReadWrite(path, sys::fs::CD_OpenExisting, sys::fs::OF_None);
    ASSERT_TRUE(static_cast<bool>(file));
    ASSERT_FALSE(
        sys::fs::setLastAccessAndModificationTime(*file, std::chrono::system_clock::now() - age));
    ASSERT_FALSE(sys::fs::closeFile(*file));
  }

  SmallString<128> folder;
};

TEST_F(KernelCacheTest, GivesBackWhatWasStored) {
  const KernelCache cache = open();
  const std::string key = KernelCache::makeKey({"source"});
  EXPECT_FALSE(cache.lookUp(key));
  const std::string image("a\0b\n", 4);
  ASSERT_FALSE(cache.store(key, {image, "log\nof two lines"}));
  std::optional<Nvrtc::Output> entry = cache.lookUp(key);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->image, image);
  EXPECT_EQ(entry->log, "log\nof two lines");
  EXPECT_FALSE(cache.lookUp(KernelCache::makeKey({"another source"})));
  // Another process sees it, too, and can replace it.
  const KernelCache other = open();
  ASSERT_TRUE(other.lookUp(key));
  ASSERT_FALSE(other.store(key, {"new", ""}));
  EXPECT_EQ(cache.lookUp(key)->image, "new");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(KernelCacheTest, KeysDependOnEveryPart) {
  const std::string key = KernelCache::makeKey({"ab", "c"});
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(key, KernelCache::makeKey({"ab", "c"}));
  EXPECT_NE(key, KernelCache::makeKey({"a", "bc"}));
  EXPECT_NE(key, KernelCache::makeKey({"abc"}));
  EXPECT_NE(key, KernelCache::makeKey({"ab", "c", ""}));
}

TEST_F(KernelCacheTest, DamagedEntriesAreNotThere) {
  const KernelCache cache = open();
  const std::string key = KernelCache::makeKey({"source"});
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

TEST_F(KernelCacheTest, TrimKeepsWhatWasUsedLast) {
  const KernelCache cache = open(3500);
  const std::string image(1000, 'x');
  for (int i = 0; i < 5; ++i) {
    const std::string key = KernelCache::makeKey({std::to_string(i)});
    ASSERT_FALSE(cache.store(key, {image, ""}));
    setAge((folder + "/" + key + ".kernel").str(), std::chrono::hours(10 - i));
  }
  // The oldest one is used now, so the next two go.
  ASSERT_TRUE(cache.lookUp(KernelCache::makeKey({"0"})));
  cache.trim();
  EXPECT_EQ(countFiles(), 3u);
  EXPECT_TRUE(cache.lookUp(KernelCache::makeKey({"0"})));
  EXPECT_FALSE(cache.lookUp(KernelCache::makeKey({"1"})));
  EXPECT_FALSE(cache.lookUp(KernelCache::makeKey({"2"})));
  EXPECT_TRUE(cache.lookUp(KernelCache::makeKey({"4"})));
}

TEST_F(KernelCacheTest, TrimRemovesInterruptedWritesAndNothingElse) {
  const KernelCache cache = open(0);
  for (StringRef name : {"/old.tmp", "/new.tmp", "/notes.txt"}) {
    std::error_code code;
    raw_fd_ostream((folder + name).str(), code) << "something";
    ASSERT_FALSE(code);
  }
  setAge((folder + "/old.tmp").str(), std::chrono::hours(2));
  setAge((folder + "/notes.txt").str(), std::chrono::hours(200));
  cache.trim();
  EXPECT_FALSE(sys::fs::exists(folder + "/old.tmp"));
  EXPECT_TRUE(sys::fs::exists(folder + "/new.tmp"));
  EXPECT_TRUE(sys::fs::exists(folder + "/notes.txt"));
}

TEST_F(KernelCacheTest, SeveralWritersShareAFolder) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&] {
      const KernelCache cache = open(20000);
      for (int i = 0; i < 50; ++i) {
        const std::string number = std::to_string(i % 7);
        const std::string key = KernelCache::makeKey({number});
        EXPECT_FALSE(static_cast<bool>(cache.store(key, {std::string(3000, 'a') + number, ""})));
        if (std::optional<Nvrtc::Output> entry = cache.lookUp(key))
          EXPECT_EQ(entry->image, std::string(3000, 'a') + number);
        cache.trim();
      }
    });
  for (std::thread &writer : writers)
    writer.join();
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

TEST_F(KernelCacheTest, TheFolderIsMade) {
  ASSERT_TRUE(static_cast<bool>(KernelCache::open((folder + "/a/b").str())));
  EXPECT_TRUE(sys::fs::is_directory(folder + "/a/b"));
}

TEST_F(KernelCacheTest, DefaultFolder) {
  setenv("SORTIE_CACHE_DIR", "/one", 1);
  setenv("XDG_CACHE_HOME", "/two", 1);
  setenv("HOME", "/three", 1);
  EXPECT_EQ(KernelCache::getDefaultFolder(), "/one");
  unsetenv("SORTIE_CACHE_DIR");
  EXPECT_EQ(KernelCache::getDefaultFolder(), "/two/sortie");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(KernelCache::getDefaultFolder(), "/three/.cache/sortie");
  unsetenv("HOME");
  EXPECT_EQ(KernelCache::getDefaultFolder(), "");
}

} // namespace
