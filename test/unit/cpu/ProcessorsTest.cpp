// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Affinity and quotas of control groups.

#include "runtime/cpu/Processors.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

#include <sched.h>
#include <thread>

using namespace llvm;

namespace sortie::cpu {
namespace {

/// A folder with control groups, which is deleted.
class Groups {
public:
  Groups() { EXPECT_FALSE(sys::fs::createUniqueDirectory("sortie-groups", root)); }
  ~Groups() { (void)sys::fs::remove_directories(root); }

  void write(StringRef file, StringRef text) {
    SmallString<128> path = root;
    sys::path::append(path, file);
    EXPECT_FALSE(sys::fs::create_directories(sys::path::parent_path(path)));
    std::error_code error;
    raw_fd_ostream(path, error) << text;
    EXPECT_FALSE(error);
  }
  std::optional<int> quota(StringRef membership) const {
    return processorsOfQuota(membership, root);
  }

private:
  SmallString<128> root;
};

} // namespace

TEST(Processors, quotasOfTheUnifiedHierarchy) {
  Groups groups;
  EXPECT_EQ(groups.quota("0::/"), std::nullopt);
  groups.write("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(groups.quota("0::/a/b\n"), std::nullopt);
  groups.write("a/b/cpu.max", "250000 100000\n");
  EXPECT_EQ(groups.quota("0::/a/b\n"), 3);
  groups.write("a/cpu.max", "150000 100000\n");
  EXPECT_EQ(groups.quota("0::/a/b\n"), 2);
  EXPECT_EQ(groups.quota("0::/elsewhere\n"), std::nullopt);
  groups.write("cpu.max", "5000 100000\n"); // a container sees its own group as the root
  EXPECT_EQ(groups.quota("0::/a/b\n"), 1);
  EXPECT_EQ(groups.quota("0::/not/visible/here\n"), 1);
}

TEST(Processors, quotasOfTheCpuController) {
  Groups groups;
  groups.write("cpu/a/cpu.cfs_quota_us", "400000\n");
  groups.write("cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(groups.quota("3:cpuset:/a\n2:cpuacct,cpu:/a\n0::/\n"), 4);
  EXPECT_EQ(groups.quota("3:cpuset:/a\n"), std::nullopt);
  groups.write("cpu/a/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(groups.quota("2:cpu:/a\n"), std::nullopt);
  groups.write("cpu/a/cpu.cfs_quota_us", "1\n");
  groups.write("cpu/a/cpu.cfs_period_us", "0\n");
  EXPECT_EQ(groups.quota("2:cpu:/a\n"), std::nullopt);
}

TEST(Processors, unreadableTextsAreNoQuota) {
  Groups groups;
  groups.write("cpu.max", "many 100000\n");
  for (const StringRef membership : {"", ":", "0", "0::", "x:y:z\n\n", "0::/"})
    EXPECT_EQ(groups.quota(membership), std::nullopt) << membership.str();
}

TEST(Processors, affinityCounts) {
  std::thread([] { // a mask of its own
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
    EXPECT_GE(availableProcessors(), 1);
    EXPECT_LE(availableProcessors(), CPU_COUNT(&mask));
    int first = 0;
    while (!CPU_ISSET(first, &mask))
      ++first;
    CPU_ZERO(&mask);
    CPU_SET(first, &mask);
    ASSERT_EQ(sched_setaffinity(0, sizeof(mask), &mask), 0);
    EXPECT_EQ(availableProcessors(), 1);
  })
      .join();
}

} // namespace sortie::cpu
