// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Outputs: whole or not at all, through links, with the mode and owner that a file has.

#include "tools/common/OutputFile.h"

#include "ScratchFolder.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

using namespace sortie;

namespace {

class OutputFileTest : public ScratchFolder {
protected:
  static std::string write(const std::string &path, const std::string &contents = "new") {
    return llvm::toString(writeOutputFile(path, contents));
  }
  struct stat status(const std::string &name) const {
    struct stat result = {};
    EXPECT_EQ(lstat(path(name).c_str(), &result), 0) << name;
    return result;
  }
  unsigned mode(const std::string &name) const { return status(name).st_mode & 07777; }
};

} // namespace

TEST_F(OutputFileTest, replacesAFile) {
  const std::string file = makeFile("x", "a longer text");
  const ino_t before = status("x").st_ino;
  EXPECT_EQ(write(file), "");
  EXPECT_EQ(read("x"), "new");
  EXPECT_NE(status("x").st_ino, before); // readers of the old one keep it
  EXPECT_EQ(write(file, ""), "");
  EXPECT_EQ(read("x"), "");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(OutputFileTest, writesThroughLinks) {
  std::filesystem::create_directory(folder / "disk");
  makeFile("disk/x");
  makeLink("disk/x", "relative");
  makeLink(path("relative"), "absolute");
  makeLink("disk/absent", "dangling");
  EXPECT_EQ(write(path("absolute")), "");
  EXPECT_EQ(read("disk/x"), "new");
  EXPECT_EQ(write(path("dangling")), "");
  EXPECT_EQ(read("disk/absent"), "new");
  for (const char *name : {"relative", "absolute", "dangling"})
    EXPECT_TRUE(std::filesystem::is_symlink(folder / name)) << name;
  EXPECT_EQ(countFiles(), 4u);
}

TEST_F(OutputFileTest, refusesLoopsOfLinks) {
  makeLink("b", "a");
  makeLink("a", "b");
  EXPECT_EQ(write(path("a")),
            "cannot write '" + path("a") + "': Too many levels of symbolic links");
}

TEST_F(OutputFileTest, keepsTheModeOfAFile) {
  makeFile("x");
  for (const unsigned wanted : {0600u, 0640u, 0755u, 0666u}) {
    ASSERT_EQ(chmod(path("x").c_str(), wanted), 0);
    EXPECT_EQ(write(path("x")), "");
    EXPECT_EQ(mode("x"), wanted);
  }
}

TEST_F(OutputFileTest, keepsTheOwnerOfAFile) {
  makeFile("x");
  ASSERT_EQ(chmod(path("x").c_str(), 0660), 0);
  if (chown(path("x").c_str(), 12345, 54321))
    GTEST_SKIP() << "only root gives files away";
  EXPECT_EQ(write(path("x")), "");
  EXPECT_EQ(read("x"), "new");
  EXPECT_EQ(status("x").st_uid, 12345u);
  EXPECT_EQ(status("x").st_gid, 54321u);
  EXPECT_EQ(mode("x"), 0660u);
}

TEST_F(OutputFileTest, givesNewFilesTheModeOfTheUmask) {
  const mode_t before = umask(027);
  EXPECT_EQ(write(path("x")), "");
  umask(0);
  EXPECT_EQ(write(path("y")), "");
  umask(before);
  EXPECT_EQ(mode("x"), 0640u);
  EXPECT_EQ(mode("y"), 0666u);
}

TEST_F(OutputFileTest, writesNamesOfAnyLength) {
  const std::string name(255, 'n');
  for (const char *contents : {"first", "second"}) {
    EXPECT_EQ(write(path(name), contents), "");
    EXPECT_EQ(read(name), contents);
  }
  EXPECT_EQ(write(path(name + "n")), "cannot write '" + path(name + "n") + "': File name too long");
  EXPECT_EQ(countFiles(), 1u);
}

TEST_F(OutputFileTest, writesToOpenFilesWhereTheyAre) {
  const int file = open(makeFile("x", "before ").c_str(), O_WRONLY | O_APPEND);
  EXPECT_EQ(write("/dev/fd/" + std::to_string(file)), "");
  EXPECT_EQ(read("x"), "before new");
  close(file);
  EXPECT_EQ(write("/dev/null"), "");
  EXPECT_EQ(write("/dev/full"), "cannot write '/dev/full': No space left on device");
}

TEST_F(OutputFileTest, leavesFilesThatMayNotBeWritten) {
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  makeFile("x");
  ASSERT_EQ(chmod(path("x").c_str(), 0444), 0);
  EXPECT_EQ(asUser([&] {
              return write(path("x")) == "cannot write '" + path("x") + "': Permission denied";
            }),
            0);
  EXPECT_EQ(read("x"), "old");
}

TEST_F(OutputFileTest, overwritesWhereNoFileCanBeMade) {
  makeFile("x", "a longer text");
  ASSERT_EQ(chmod(path("x").c_str(), 0666), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0555), 0);
  const ino_t before = status("x").st_ino;
  EXPECT_EQ(asUser([&] { return write(path("x")).empty(); }), 0);
  EXPECT_EQ(asUser([&] {
              return write(path("y")) == "cannot write '" + path("y") + "': Permission denied";
            }),
            0);
  // No room: the file stays as it was.
  EXPECT_EQ(asUser([&] {
              const rlimit limit = {100, 100};
              std::signal(SIGXFSZ, SIG_IGN);
              setrlimit(RLIMIT_FSIZE, &limit);
              return write(path("x"), std::string(1000, 'x')) ==
                     "cannot write '" + path("x") + "': File too large";
            }),
            0);
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  EXPECT_EQ(read("x"), "new");
  EXPECT_EQ(status("x").st_ino, before);
}

TEST_F(OutputFileTest, overwritesFilesOfOtherOwners) {
  if (getuid() != 0)
    GTEST_SKIP() << "only root makes files of two owners";
  makeFile("x");
  ASSERT_EQ(chmod(path("x").c_str(), 0666), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  EXPECT_EQ(asUser([&] { return write(path("x")).empty(); }), 0);
  EXPECT_EQ(read("x"), "new");
  EXPECT_EQ(status("x").st_uid, 0u);
  EXPECT_EQ(mode("x"), 0666u);
  EXPECT_EQ(countFiles(), 1u);
}
