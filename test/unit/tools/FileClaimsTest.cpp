// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// No output of a call is an input or another output, whatever the files are called.

#include "tools/common/FileClaims.h"

#include "ScratchFolder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace sortie;

namespace {

class FileClaimsTest : public ScratchFolder {
protected:
  std::string input(const std::string &path, const std::string &role = "in") {
    return llvm::toString(claims.claimInput(path, role));
  }
  std::string output(const std::string &path, const std::string &role = "out") {
    return llvm::toString(claims.claimOutput(path, role));
  }
  /// The error of an output that is the input `x`.
  std::string replaces(const std::string &outputPath, const std::string &inputPath) {
    return "cannot write '" + outputPath + "' (out): it is the same file as '" + inputPath +
           "' (in), which is read; give the output another name";
  }

  FileClaims claims;
};

/// A standard stream of this process, replaced while the object lives.
class Redirection {
public:
  Redirection(int stream, int file) : stream(stream), saved(dup(stream)) { dup2(file, stream); }
  ~Redirection() {
    dup2(saved, stream);
    close(saved);
  }

private:
  int stream;
  int saved;
};

} // namespace

TEST_F(FileClaimsTest, acceptsFilesThatDiffer) {
  EXPECT_EQ(input(makeFile("a")), "");
  EXPECT_EQ(input(makeFile("b")), "");
  EXPECT_EQ(input(path("b")), ""); // a file may be read twice
  EXPECT_EQ(input(path("absent")), "");
  EXPECT_EQ(output(makeFile("c")), "");
  EXPECT_EQ(output(path("new")), "");
  EXPECT_EQ(output("-"), "");
}

TEST_F(FileClaimsTest, findsInputsUnderOtherNames) {
  const std::string file = makeFile("x");
  std::filesystem::create_directory(folder / "sub");
  std::filesystem::create_hard_link(file, folder / "hard");
  makeLink("x", "soft");
  makeLink("soft", "softer");
  makeLink(".", "here");
  EXPECT_EQ(input(file), "");
  for (const char *name : {"x", "sub/../x", "hard", "soft", "softer", "here/here/x"})
    EXPECT_EQ(output(path(name)), replaces(path(name), file)) << name;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder / "sub");
  EXPECT_EQ(output("../x"), replaces("../x", file));
  std::filesystem::current_path(before);
}

TEST_F(FileClaimsTest, findsInputsThatComeAfterTheirOutput) {
  const std::string file = makeFile("x");
  EXPECT_EQ(output(file), "");
  EXPECT_EQ(input(makeLink("x", "soft")), replaces(file, path("soft")));
}

TEST_F(FileClaimsTest, refusesTwoOutputsOfOneFile) {
  const std::string error = "would be written to the same file; give each output one of its own";
  makeFile("x");
  makeLink("x", "soft");
  makeLink("absent", "dangling");
  makeLink(".", "here");
  EXPECT_EQ(output(path("x"), "--output a"), "");
  EXPECT_EQ(output(path("soft"), "--trace"), std::string("'") + path("x") + "' (--output a) and '" +
                                                 path("soft") + "' (--trace) " + error);
  // Files that do not exist yet, by their folder and name.
  EXPECT_EQ(output(path("absent")), "");
  for (const char *name : {"absent", "dangling", "here/absent", "./absent"})
    EXPECT_TRUE(llvm::StringRef(output(path(name))).ends_with(error)) << name;
  EXPECT_EQ(output("-"), "");
  EXPECT_TRUE(llvm::StringRef(output("-")).ends_with(error));
  EXPECT_TRUE(llvm::StringRef(output("/dev/stdout")).ends_with(error));
}

TEST_F(FileClaimsTest, knowsTheStandardStreams) {
  const std::string file = makeFile("x");
  const int reading = open(file.c_str(), O_RDONLY);
  const int appending = open(file.c_str(), O_WRONLY | O_APPEND);
  {
    const Redirection redirection(STDIN_FILENO, reading);
    EXPECT_EQ(input("-"), "");
    EXPECT_EQ(output(file), replaces(file, "-"));
    EXPECT_EQ(input("-", "in 2"), "'-' (in) and '-' (in 2) read the same stream, which can be read "
                                  "once; give one of them as a file");
  }
  {
    const Redirection redirection(STDOUT_FILENO, appending);
    EXPECT_EQ(output("-"), replaces("-", "-"));
    EXPECT_EQ(output("/dev/stdout"), replaces("/dev/stdout", "-"));
  }
  close(reading);
  close(appending);
}

TEST_F(FileClaimsTest, leavesPipesAndDevicesAlone) {
  EXPECT_EQ(input("/dev/null"), "");
  EXPECT_EQ(output("/dev/null"), "");
  EXPECT_EQ(output("/dev/null"), "");
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(input(path("pipe")), "");
  EXPECT_NE(input(path("pipe")), "");
}

TEST_F(FileClaimsTest, refusesWhatCannotBeWritten) {
  makeLink("b", "a");
  makeLink("a", "b");
  EXPECT_EQ(output(path("a")),
            "cannot write '" + path("a") + "': Too many levels of symbolic links");
  EXPECT_EQ(output(path("absent/x")),
            "cannot write '" + path("absent/x") + "': No such file or directory");
  EXPECT_EQ(output("/dev/fd/987"), "cannot write '/dev/fd/987': Bad file descriptor");
  EXPECT_EQ(output(folder.string()), "cannot write '" + folder.string() + "': Is a directory");
  EXPECT_EQ(output(makeLink(".", "here")), "cannot write '" + path("here") + "': Is a directory");
}

TEST_F(FileClaimsTest, refusesWhatThisUserMayNotWrite) {
  makeFile("x");
  makeFile("y");
  ASSERT_EQ(chmod(path("x").c_str(), 0444), 0);
  ASSERT_EQ(chmod(path("y").c_str(), 0666), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0555), 0);
  const auto isDenied = [&](const std::string &name) {
    return output(path(name)) == "cannot write '" + path(name) + "': Permission denied";
  };
  EXPECT_EQ(asUser([&] { return isDenied("x") && isDenied("new") && output(path("y")).empty(); }),
            0);
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
}
