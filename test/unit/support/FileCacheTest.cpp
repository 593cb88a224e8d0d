// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cache of files: what goes in comes out, and the folder stays small.

#include "runtime/support/FileCache.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <thread>

using namespace llvm;
using namespace sortie;

namespace {

class FileCacheTest : public testing::Test {
protected:
  void SetUp() override { ASSERT_FALSE(sys::fs::createUniqueDirectory("sortie-cache", folder)); }
  void TearDown() override { ASSERT_FALSE(sys::fs::remove_directories(folder)); }

  FileCache open(uint64_t limit = FileCache::kDefaultLimit) {
    return FileCache(folder, ".entry", limit);
  }

  static bool isThere(const FileCache &cache, StringRef key) {
    return cache.lookUp(key, [](StringRef) { return true; });
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

TEST_F(FileCacheTest, GivesBackWhatWasStored) {
  const FileCache cache = open();
  const std::string key = FileCache::makeKey({"source"});
  EXPECT_FALSE(isThere(cache, key));
  const std::string stored("a\0b\n", 4);
  ASSERT_FALSE(cache.store(key, stored));
  std::string found;
  EXPECT_TRUE(cache.lookUp(key, [&](StringRef bytes) {
    found = bytes.str();
    return true;
  }));
  EXPECT_EQ(found, stored);
  EXPECT_EQ(cache.pathOf(key), pathOf(key + ".entry"));
  EXPECT_TRUE(sys::fs::exists(pathOf(key + ".entry")));
  EXPECT_FALSE(FileCache("", ".entry").lookUp(key, [](StringRef) { return true; }));
}

TEST_F(FileCacheTest, EntriesThatAreNotWholeAreNotThereAndGoFirst) {
  const FileCache cache = open(1);
  const std::string key = FileCache::makeKey({"source"});
  ASSERT_FALSE(cache.store(key, "damaged"));
  setAge(pathOf(key + ".entry"), std::chrono::hours(2));
  EXPECT_FALSE(cache.lookUp(key, [](StringRef) { return false; }));
  const std::string other = FileCache::makeKey({"other"});
  ASSERT_FALSE(cache.store(other, "1"));
  cache.trim();
  EXPECT_FALSE(isThere(cache, key));
  EXPECT_TRUE(isThere(cache, other));
}

TEST_F(FileCacheTest, KeysDependOnEveryPart) {
  const std::string key = FileCache::makeKey({"ab", "c"});
  EXPECT_EQ(key.size(), 64u);
  EXPECT_EQ(key, FileCache::makeKey({"ab", "c"}));
  EXPECT_NE(key, FileCache::makeKey({"a", "bc"}));
  EXPECT_NE(key, FileCache::makeKey({"abc"}));
  EXPECT_NE(key, FileCache::makeKey({"ab", "c", ""}));
}

TEST_F(FileCacheTest, TrimKeepsWhatWasUsedLast) {
  const FileCache cache = open(3500);
  const std::string bytes(1000, 'x');
  for (int i = 0; i < 5; ++i) {
    const std::string key = FileCache::makeKey({std::to_string(i)});
    ASSERT_FALSE(cache.store(key, bytes));
    setAge((folder + "/" + key + ".entry").str(), std::chrono::hours(10 - i));
  }
  // The oldest one is used now, so the next two go.
  ASSERT_TRUE(isThere(cache, FileCache::makeKey({"0"})));
  cache.trim();
  EXPECT_EQ(countFiles(), 3u);
  EXPECT_TRUE(isThere(cache, FileCache::makeKey({"0"})));
  EXPECT_FALSE(isThere(cache, FileCache::makeKey({"1"})));
  EXPECT_FALSE(isThere(cache, FileCache::makeKey({"2"})));
  EXPECT_TRUE(isThere(cache, FileCache::makeKey({"4"})));
}

TEST_F(FileCacheTest, TrimRemovesWhatInterruptedWritesLeft) {
  const FileCache cache = open();
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
TEST_F(FileCacheTest, TrimLeavesAloneWhatIsNotTheCaches) {
  const FileCache cache = open(0);
  const std::string key = FileCache::makeKey({"source"});
  const std::string upper = StringRef(key).upper();
  const std::string foreign[] = {"notes.txt",
                                 "report.tmp",
                                 "driver.entry",
                                 ".entry",
                                 ".tmp",
                                 upper + ".entry",
                                 key + "0.entry",
                                 key.substr(1) + ".entry",
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
  ASSERT_FALSE(sys::fs::create_directory(pathOf(other + ".entry")));
  ASSERT_FALSE(sys::fs::create_directory(pathOf(other + "-0123abcd.tmp")));
  const std::string link = FileCache::makeKey({"link"}) + ".entry";
  ASSERT_FALSE(sys::fs::create_link(pathOf("notes.txt"), pathOf(link)));
  ASSERT_FALSE(cache.store(key, "bytes"));
  cache.trim();
  EXPECT_FALSE(isThere(cache, key));
  EXPECT_EQ(countFiles(), std::size(foreign) + 3);
}

TEST_F(FileCacheTest, SeveralWritersShareAFolder) {
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer)
    writers.emplace_back([&] {
      const FileCache cache = open(20000);
      for (int i = 0; i < 50; ++i) {
        const std::string number = std::to_string(i % 7);
        const std::string key = FileCache::makeKey({number});
        EXPECT_FALSE(static_cast<bool>(cache.store(key, std::string(3000, 'a') + number)));
        cache.lookUp(key, [&](StringRef bytes) {
          EXPECT_EQ(bytes, std::string(3000, 'a') + number);
          return true;
        });
        cache.trim();
      }
    });
  for (std::thread &writer : writers)
    writer.join();
}

TEST_F(FileCacheTest, TheFolderIsMade) {
  ASSERT_FALSE(FileCache(pathOf("a/b"), ".entry").makeUsable());
  EXPECT_TRUE(sys::fs::is_directory(pathOf("a/b")));
  write("file");
  EXPECT_TRUE(errorToBool(FileCache(pathOf("file"), ".entry").makeUsable()));
}

// '%' is what llvm's temporary files replace by random digits.
TEST_F(FileCacheTest, AnyNameOfAFolderWillDo) {
  const FileCache cache(pathOf("100%/{0} a%%b"), ".entry");
  ASSERT_FALSE(cache.makeUsable());
  const std::string key = FileCache::makeKey({"source"});
  ASSERT_FALSE(cache.store(key, "bytes"));
  EXPECT_TRUE(isThere(cache, key));
  EXPECT_TRUE(sys::fs::exists(pathOf("100%/{0} a%%b/" + key + ".entry")));
}

TEST_F(FileCacheTest, AnEntryThatCannotBeStoredIsAnErrorAndLeavesNothing) {
  const FileCache cache = open();
  const std::string key = FileCache::makeKey({"source"});
  ASSERT_FALSE(sys::fs::create_directory(pathOf(key + ".entry")));
  EXPECT_TRUE(errorToBool(cache.store(key, "bytes")));
  EXPECT_EQ(countFiles(), 1u);
  ASSERT_FALSE(sys::fs::remove_directories(folder));
  EXPECT_TRUE(errorToBool(cache.store(key, "bytes")));
}

TEST_F(FileCacheTest, DefaultFolder) {
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
