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

  std::string pathOf(const Twine &name) { return (folder + "/" + name).str(); }

  void write(const std::string &name) {
    std::error_code code;
    raw_fd_ostream(pathOf(name), code) << "something";
    ASSERT_FALSE(code);
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

TEST_F(KernelCacheTest, KeysDependOnEveryPart) {
  const std::string key = FileCache::makeKey({"ab", "c"});
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(key, FileCache::makeKey({"ab", "c"}));
  EXPECT_NE(key, FileCache::makeKey({"a", "bc"}));
  EXPECT_NE(key, FileCache::makeKey({"abc"}));
  EXPECT_NE(key, FileCache::makeKey({"ab", "c", ""}));
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

TEST_F(KernelCacheTest, TrimKeepsWhatWasUsedLast) {
  const KernelCache cache = open(3500);
  const std::string image(1000, 'x');
  for (int i = 0; i < 5; ++i) {
    const std::string key = FileCache::makeKey({std::to_string(i)});
    ASSERT_FALSE(cache.store(key, {image, ""}));
    setAge((folder + "/" + key + ".kernel").str(), std::chrono::hours(10 - i));
  }
  // The oldest one is used now, so the next two go.
  ASSERT_TRUE(cache.lookUp(FileCache::makeKey({"0"})));
  cache.trim();
  EXPECT_EQ(countFiles(), 3u);
  EXPECT_TRUE(cache.lookUp(FileCache::makeKey({"0"})));
  EXPECT_FALSE(cache.lookUp(FileCache::makeKey({"1"})));
  EXPECT_FALSE(cache.lookUp(FileCache::makeKey({"2"})));
  EXPECT_TRUE(cache.lookUp(FileCache::makeKey({"4"})));
}

TEST_F(KernelCacheTest, TrimRemovesWhatInterruptedWritesLeft) {
  const KernelCache cache = open();
  const std::string key = FileCache::makeKey({"source"});
  for (const std::string &name :
       {key + "-0123abcd.tmp", key + "-4567cdef.tmp", std::string("probe-0123abcd.tmp")})
    write(name);
  setAge(pathOf(key + "-0123abcd.tmp"), std::chrono::hours(2));
  setAge(pathOf("probe-0123abcd.tmp"), std::chrono::hours(2));
  cache.trim();
  EXPECT_FALSE(sys::fs::exists(pathOf(key + "-0123abcd.tmp")));
  EXPECT_FALSE(sys::fs::exists(pathOf("probe-0123abcd.tmp")));
  EXPECT_TRUE(sys::fs::exists(pathOf(key + "-4567cdef.tmp")));
}

// The folder may be one that holds other things.
TEST_F(KernelCacheTest, TrimLeavesAloneWhatIsNotTheCaches) {
  const KernelCache cache = open(0);
  const std::string key = FileCache::makeKey({"source"});
  const std::string upper = StringRef(key).upper();
  const std::string foreign[] = {"notes.txt",
                                 "report.tmp",
                                 "driver.kernel",
                                 ".kernel",
                                 ".tmp",
                                 upper + ".kernel",
                                 key + "0.kernel",
                                 key.substr(1) + ".kernel",
                                 "probe.tmp",
                                 "probe-0123abc.tmp",
                                 "probe-0123abcx.tmp",
                                 "probe-0123abcd.tmp.old",
                                 key + ".tmp",
                                 key + "-0123ABCD.tmp",
                                 "a-" + key + "-0123abcd.tmp"};
  for (const std::string &name : foreign) {
    write(name);
    setAge(pathOf(name), std::chrono::hours(200));
  }
  const std::string other = FileCache::makeKey({"folder"});
  ASSERT_FALSE(sys::fs::create_directory(pathOf(other + ".kernel")));
  ASSERT_FALSE(sys::fs::create_directory(pathOf(other + "-0123abcd.tmp")));
  const std::string link = FileCache::makeKey({"link"}) + ".kernel";
  ASSERT_FALSE(sys::fs::create_link(pathOf("notes.txt"), pathOf(link)));
  ASSERT_FALSE(cache.store(key, {"image", ""}));
  cache.trim();
  EXPECT_FALSE(cache.lookUp(key));
  EXPECT_EQ(countFiles(), std::size(foreign) + 3);
}

TEST_F(KernelCacheTest, SeveralWritersShareAFolder) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&] {
      const KernelCache cache = open(20000);
      for (int i = 0; i < 50; ++i) {
        const std::string number = std::to_string(i % 7);
        const std::string key = FileCache::makeKey({number});
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

// '%' is what llvm's temporary files replace by random digits.
TEST_F(KernelCacheTest, AnyNameOfAFolderWillDo) {
  Expected<KernelCache> cache = KernelCache::open(pathOf("100%/{0} a%%b"));
  ASSERT_TRUE(static_cast<bool>(cache)) << toString(cache.takeError());
  const std::string key = FileCache::makeKey({"source"});
  ASSERT_FALSE(cache->store(key, {"image", "log"}));
  EXPECT_TRUE(cache->lookUp(key));
  EXPECT_TRUE(sys::fs::exists(pathOf("100%/{0} a%%b/" + key + ".kernel")));
}

TEST_F(KernelCacheTest, AnEntryThatCannotBeStoredIsAnErrorAndLeavesNothing) {
  const KernelCache cache = open();
  const std::string key = FileCache::makeKey({"source"});
  ASSERT_FALSE(sys::fs::create_directory(pathOf(key + ".kernel")));
  EXPECT_TRUE(errorToBool(cache.store(key, {"image", "log"})));
  EXPECT_EQ(countFiles(), 1u);
  ASSERT_FALSE(sys::fs::remove_directories(folder));
  EXPECT_TRUE(errorToBool(cache.store(key, {"image", "log"})));
}

TEST_F(KernelCacheTest, DefaultFolder) {
  setenv("SORTIE_CACHE_DIR", "/one", 1);
  setenv("XDG_CACHE_HOME", "/two", 1);
  setenv("HOME", "/three", 1);
  EXPECT_EQ(FileCache::getDefaultFolder(), "/one");
  unsetenv("SORTIE_CACHE_DIR");
  EXPECT_EQ(FileCache::getDefaultFolder(), "/two/sortie");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(FileCache::getDefaultFolder(), "/three/.cache/sortie");
  unsetenv("HOME");
  EXPECT_EQ(FileCache::getDefaultFolder(), "");
  // A variable that is empty counts as not set.
  setenv("SORTIE_CACHE_DIR", "", 1);
  setenv("XDG_CACHE_HOME", "", 1);
  setenv("HOME", "", 1);
  EXPECT_EQ(FileCache::getDefaultFolder(), "");
  setenv("HOME", "/three", 1);
  EXPECT_EQ(FileCache::getDefaultFolder(), "/three/.cache/sortie");
}

} // namespace
