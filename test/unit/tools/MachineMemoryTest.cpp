// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Limits of memory in made-up /proc and /sys.

#include "test/unit/tools/ScratchFolder.h"

#include "tools/common/MachineMemory.h"

#include "gtest/gtest.h"

using namespace sortie;

namespace {

class MachineMemoryTest : public ScratchFolder {
protected:
  void write(const std::string &name, const std::string &contents) {
    std::filesystem::create_directories((folder / name).parent_path());
    makeFile(name, contents);
  }
  uint64_t bytes() const { return machineMemoryOf(folder.string()).bytes; }
  std::string origin() const { return machineMemoryOf(folder.string()).origin.str(); }
};

} // namespace

TEST_F(MachineMemoryTest, WhatIsNotToldLimitsNothing) {
  EXPECT_EQ(bytes(), 0u);
  write("proc/meminfo", "Other: 3 kB\nMemTotal:       4096 kB\nMemFree: 1 kB\n");
  EXPECT_EQ(bytes(), 4096u << 10);
  EXPECT_EQ(origin(), "the machine");
}

TEST_F(MachineMemoryTest, GroupsAndThoseAroundThemCount) {
  write("proc/meminfo", "MemTotal: 4096 kB\n");
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  EXPECT_EQ(bytes(), 4096u << 10);
  write("sys/fs/cgroup/a/memory.max", "1000000\n");
  EXPECT_EQ(bytes(), 1000000u);
  EXPECT_EQ(origin(), "a control group");
  write("sys/fs/cgroup/memory.max", "500000\n");
  EXPECT_EQ(bytes(), 500000u) << "the root of a name space";
  write("sys/fs/cgroup/a/b/memory.max", "800000\n");
  EXPECT_EQ(bytes(), 500000u);
}

TEST_F(MachineMemoryTest, GroupsOfTheFirstVersion) {
  write("proc/meminfo", "MemTotal: 4096 kB\n");
  write("proc/self/cgroup", "7:cpu,memory:/box\n3:pids:/other\n0::/\n");
  write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(bytes(), 4096u << 10);
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "700000\n");
  EXPECT_EQ(bytes(), 700000u);
}

TEST_F(MachineMemoryTest, ThisMachineHasSome) {
  EXPECT_GT(machineMemory().bytes, uint64_t{64} << 20);
}

TEST(DescribeBytes, InUnitsForPeople) {
  EXPECT_EQ(describeBytes(0), "0.00 MiB");
  EXPECT_EQ(describeBytes(3 << 20), "3.00 MiB");
  EXPECT_EQ(describeBytes(uint64_t{5} << 29), "2.50 GiB");
}
