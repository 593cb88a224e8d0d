// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Nested text: what counts as a level, and a loader that needs little stack.

#include "dialect/common/Nesting.h"

#include "ProgramText.h"
#include "runtime/program/Loader.h"

#include "llvm/ADT/Twine.h"

#include "gtest/gtest.h"

#include <pthread.h>

#include <vector>

using namespace llvm;
using namespace sortie;
using namespace sortie::test;

namespace {

std::string repeated(const std::string &text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i)
    result += text;
  return result;
}

/// Text that MLIR's parser reads by calling itself once a level.
struct Kind {
  std::string name, before, open, middle, close, after;
  unsigned levelsOutside; ///< of the nested part
  unsigned levelsEach = 1;

  std::string nested(size_t count) const {
    return before + repeated(open, count) + middle + repeated(close, count) + after;
  }
  /// As deep as is allowed.
  std::string deepest() const { return nested((kMaxNesting - levelsOutside) / levelsEach); }
  std::string tooDeep() const { return nested((kMaxNesting - levelsOutside) / levelsEach + 1); }
};

std::vector<Kind> kinds() {
  const std::string module = "module attributes {x.a = ";
  const std::string map = module + "affine_map<(d0) -> (";
  return {
      {"array", module, "[", "", "]", "} {}", 1},
      {"dictionary", module, "{a = ", "1", "}", "} {}", 1},
      {"type", module, "tuple<", "i32", ">", "} {}", 1},
      {"function type", module, "(", "", ") -> ()", "} {}", 1},
      {"elements", module + "dense<", "[", "1", "]", "> : tensor<1xi8>} {}", 2},
      {"module", "", "module {", "", "}", "", 0},
      {"region", "", "\"x.a\"() ({", "", "}) : () -> ()\n", "", 0, 2},
      {"call site", "module {} loc(", "callsite(", "\"a\"", " at \"b\")", ")", 1},
      {"name of a location", "module {} loc(", "\"a\"(", "\"a\"", ")", ")", 1},
      {"affine brackets", map, "(", "d0", ")", ")>} {}", 3},
      {"affine minus", map, "-", "d0", "", ")>} {}", 3},
      {"affine sum", map + "d0", " + d0", "", "", ")>} {}", 3},
      {"affine remainder", map + "d0", " mod 3", "", "", ")>} {}", 3},
  };
}

std::string errorOf(const std::string &text, StringRef splitMarker = "") {
  return toString(checkNesting(text, splitMarker));
}

const std::string kTooDeep =
    "is nested more than 64 levels deep, which no program needs; flatten it";

/// A chain of aliases, each in the next.
std::string aliasChain(size_t count, const std::string &begin, const std::string &end) {
  std::string text = "!t0 = i32\n";
  for (size_t i = 1; i < count; ++i)
    text += ("!t" + Twine(i) + " = " + begin + "!t" + Twine(i - 1) + end + "\n").str();
  return text + "module attributes {x.a = !t" + std::to_string(count - 1) + "} {}";
}

/// The first error of loading a text on a thread with 512 KiB of stack, or nothing.
std::string errorOnSmallStack(const std::string &text) {
  struct Task {
    const std::string &text;
    std::string error;
  } task{text, ""};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EXPECT_EQ(pthread_attr_setstacksize(&attributes, size_t{512} << 10), 0);
  auto load = [](void *argument) -> void * {
    Task &task = *static_cast<Task *>(argument);
    Expected<std::shared_ptr<const Program>> program = loadProgram({task.text, "p.mlir"});
    if (!program)
      task.error = toString(program.takeError());
    return nullptr;
  };
  pthread_t thread;
  EXPECT_EQ(pthread_create(&thread, &attributes, load, &task), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return task.error;
}

} // namespace

TEST(Nesting, countsEveryKindOfLevel) {
  for (const Kind &kind : kinds()) {
    EXPECT_EQ(errorOf(kind.deepest()), "") << kind.name;
    EXPECT_TRUE(StringRef(errorOf(kind.tooDeep())).ends_with(kTooDeep)) << kind.name;
    EXPECT_TRUE(StringRef(errorOf(kind.nested(20000))).ends_with(kTooDeep)) << kind.name;
  }
}

TEST(Nesting, saysWhere) {
  EXPECT_EQ(errorOf(repeated("[", 65)), "line 1, column 65: " + kTooDeep);
  EXPECT_EQ(errorOf("module {\n  " + repeated("<", 70)), "line 2, column 66: " + kTooDeep);
}

TEST(Nesting, countsWhatIsOpenAtOneTime) {
  EXPECT_EQ(errorOf(repeated("([{<>}])", 1000)), "");
  EXPECT_EQ(errorOf("(" + repeated("-1, ", 1000) + ")"), "");
  EXPECT_EQ(errorOf("(" + repeated("(d0 + 1)", 1000) + ")"), "");
  EXPECT_EQ(errorOf("{" + repeated("arena(4672*tokens+128) ", 1000) + "}"), "");
}

TEST(Nesting, passesOverStringsAndComments) {
  EXPECT_EQ(errorOf("\"" + repeated("[", 100) + "\""), "");
  EXPECT_EQ(errorOf("\"\\\"" + repeated("[", 100) + "\""), "");
  EXPECT_EQ(errorOf("// " + repeated("[", 100) + "\n"), "");
  EXPECT_EQ(errorOf("@\"" + repeated("[", 100) + "\""), "");
  EXPECT_NE(errorOf("\"\\\\\"" + repeated("[", 100)), "");
  EXPECT_NE(errorOf("// \n" + repeated("[", 100)), "");
  EXPECT_EQ(errorOf("\"" + repeated("[", 30)), ""); // no end
}

TEST(Nesting, tellsArrowsAndComparisonsFromBrackets) {
  EXPECT_EQ(errorOf(repeated("() -> () ", 1000)), "");
  EXPECT_NE(errorOf(repeated("<-> ", 100)), "");
  EXPECT_EQ(errorOf("affine_set<(d0) : (" + repeated("d0 <= 5, d0 >= 0, ", 1000) + "d0 == 0)>"),
            "");
  EXPECT_EQ(errorOf(repeated("(a < b) ", 1000)), "");
}

TEST(Nesting, looksIntoAliases) {
  for (const auto &[begin, end] : {std::pair("tuple<", ">"), std::pair("() -> ", ""),
                                   std::pair("()\n -> (", ")"), std::pair("", "")}) {
    EXPECT_EQ(errorOf(aliasChain(20, begin, end)), "") << begin;
    EXPECT_TRUE(StringRef(errorOf(aliasChain(20000, begin, end))).ends_with(kTooDeep)) << begin;
  }
  // What follows the last definition does not belong to it.
  EXPECT_EQ(errorOf("#a = [1]\nmodule {" + repeated("x(#a)", 1000) + "}"), "");
  EXPECT_EQ(errorOf("#a = 5 : i32\n\"x.a\"() ({" + repeated("x(#a)", 1000) + "}) : () -> ()"), "");
  EXPECT_EQ(errorOf("#a = dense<-1> : tensor<2xi8>\n%0 = x(" + repeated("#a, ", 1000) + ")"), "");
}

TEST(Nesting, startsAnewAtASplitMarker) {
  const std::string text = repeated("module {\n// -----\n", 100);
  EXPECT_EQ(errorOf(text, "// -----"), "");
  EXPECT_NE(errorOf(text), "");
  EXPECT_EQ(errorOf("{\n// -----\n" + repeated("[", 65), "// -----"),
            "line 3, column 65: " + kTooDeep);
}

TEST(Nesting, loaderNeedsLittleStack) {
  EXPECT_EQ(errorOnSmallStack(programText(kDispatchProgram)), "");
  for (const Kind &kind : kinds()) {
    // No program, which the loader finds out by parsing it.
    EXPECT_TRUE(StringRef(errorOnSmallStack(kind.deepest())).starts_with("p.mlir: ")) << kind.name;
    EXPECT_TRUE(StringRef(errorOnSmallStack(kind.nested(20000))).ends_with(kTooDeep)) << kind.name;
  }
  EXPECT_EQ(errorOnSmallStack(repeated("[", 20000)),
            "p.mlir: not a valid program: line 1, column 65: " + kTooDeep);
}
