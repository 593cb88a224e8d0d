// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the emulation must notice: accesses, waits without end, launches that a device refuses.

#include "test/emulation/Launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sortie_hardware.h>

using namespace sortie;
using emulation::launch;
using testing::HasSubstr;

alignas(16) static char global[64];

//===- Accesses ----------------------------------------------------------===//

SORTIE_KERNEL(32, 1) testCopy(const char *from, int32_t offset, int32_t valid) {
  if (hw::laneIndex() == 7)
    hw::copyAsync<16>(hw::sharedMemory<char>() + offset, from, valid);
}

static std::string copy(const char *from, int offset, int valid = 16) {
  return launch<testCopy>({}, 32, 256, {}, from, offset, valid);
}

TEST(Failure, CopyOutsideOfSharedMemory) {
  EXPECT_EQ(copy(global, 240), "");
  EXPECT_THAT(copy(global, 256), HasSubstr("copyAsync: bytes 256 to 271 are not within the 256"));
  EXPECT_THAT(copy(global, -16), HasSubstr("copyAsync: bytes -16 to -1 are not within"));
  EXPECT_THAT(copy(global, 256), HasSubstr("block (0, 0, 0): thread 7 at "));
  EXPECT_THAT(copy(global, 256), HasSubstr("FailureTest.cpp:"));
}

TEST(Failure, MisalignedCopy) {
  EXPECT_THAT(copy(global, 8), HasSubstr("byte 8, is not aligned to 16 bytes"));
  EXPECT_THAT(copy(global + 4, 16), HasSubstr("the global address is not aligned"));
}

TEST(Failure, ValidBytesOfACopy) {
  EXPECT_THAT(copy(global, 0, 17), HasSubstr("`valid`"));
  EXPECT_THAT(copy(global, 0, -1), HasSubstr("`valid`"));
}

SORTIE_KERNEL(32, 1) testLoad(int32_t offset) {
  uint32_t rows[4];
  hw::loadMatrices(rows, hw::sharedMemory<char>() + 16 * hw::laneIndex() + offset);
}

TEST(Failure, LoadMatrices) {
  EXPECT_EQ(launch<testLoad>({}, 32, 512, {}, 0), "");
  EXPECT_THAT(launch<testLoad>({}, 32, 512, {}, 16),
              HasSubstr("thread 31 at ")); // the only lane outside
  EXPECT_THAT(launch<testLoad>({}, 32, 512, {}, 16),
              HasSubstr("loadMatrices: bytes 512 to 527 are not within the 512 bytes"));
  EXPECT_THAT(launch<testLoad>({}, 32, 1024, {}, 4), HasSubstr("is not aligned to 16 bytes"));
}

SORTIE_KERNEL(1, 1) testLoadReadOnly(const char *from) {
  (void)hw::loadReadOnly(reinterpret_cast<const uint64_t *>(from));
}

TEST(Failure, MisalignedReadOnlyLoad) {
  EXPECT_EQ(launch<testLoadReadOnly>({}, 1, 0, {}, global + 8), "");
  EXPECT_THAT(launch<testLoadReadOnly>({}, 1, 0, {}, global + 4), HasSubstr("not aligned"));
}

SORTIE_KERNEL(1, 1) testStore(int32_t offset) { hw::sharedMemory<volatile char>()[offset] = 1; }

TEST(Failure, PlainStoresAroundSharedMemory) {
  EXPECT_EQ(launch<testStore>({}, 1, 100, {}, 99), "");
  EXPECT_THAT(launch<testStore>({}, 1, 100, {}, 100),
              HasSubstr("has written 0 bytes behind the 100 bytes of shared memory"));
  EXPECT_THAT(launch<testStore>({}, 1, 100, {}, -2), HasSubstr("2 bytes before shared memory"));
}

SORTIE_KERNEL(1, 1) testOffset(int32_t offset) { (void)hw::sharedMemory<char>(offset); }

TEST(Failure, OffsetOfSharedMemory) {
  EXPECT_EQ(launch<testOffset>({}, 1, 100, {}, 100), "");
  EXPECT_THAT(launch<testOffset>({}, 1, 100, {}, 101), HasSubstr("sharedMemory: the offset"));
  EXPECT_THAT(launch<testOffset>({}, 1, 100, {}, -1), HasSubstr("sharedMemory: the offset"));
}

SORTIE_KERNEL(1, 1) testSelector(uint32_t selector) { (void)hw::selectBytes(0, 0, selector); }

TEST(Failure, SelectorOfBytes) {
  EXPECT_EQ(launch<testSelector>({}, 1, 0, {}, 0x7777u), "");
  EXPECT_THAT(launch<testSelector>({}, 1, 0, {}, 0x0080u), HasSubstr("above 7"));
}

//===- Faults and checks -------------------------------------------------===//

enum Fault : int32_t { NoFault, Nowhere, Division, Stack };

static int recurse(volatile int *depth) {
  volatile char frame[1000];
  frame[*depth % 1000] = 1;
  *depth = *depth - 1;
  return *depth <= 0 ? 0 : recurse(depth) + frame[5];
}

SORTIE_KERNEL(32, 1)
__attribute__((no_sanitize("undefined"))) testFault(int32_t fault, int32_t zero, int32_t *out) {
  if (hw::threadIndex() != 9 || fault == NoFault)
    return;
  if (fault == Nowhere) {
    const intptr_t at = intptr_t{zero} + 0x1230;
    *reinterpret_cast<volatile int32_t *>(at) = 1; // NOLINT(performance-no-int-to-ptr)
  }
  volatile int depth = 1000 * 1000;
  if (fault == Division)
    *out = 7 / zero;
  else
    *out = recurse(&depth);
}

static std::string fault(Fault fault) {
  int32_t out = 0;
  return launch<testFault>({}, 32, 0, {}, static_cast<int32_t>(fault), 0, &out);
}

TEST(Failure, FaultsOfTheProcessor) {
  EXPECT_EQ(fault(NoFault), "");
  EXPECT_THAT(fault(Nowhere), HasSubstr("thread 9: access to address 0x1230"));
  EXPECT_THAT(fault(Division), HasSubstr("thread 9: division by zero"));
  EXPECT_THAT(fault(Stack), HasSubstr("thread 9: more than 128 KiB of stack"));
  EXPECT_EQ(fault(NoFault), "");
}

#if defined(SORTIE_KERNEL_CHECKS)

enum Check : int32_t { Alignment, Shift, Bounds, Conversion };

SORTIE_KERNEL(1, 1)
testCheck(int32_t check, char *bytes, int32_t number, float wide, int32_t *out) {
  const int32_t values[4] = {1, 2, 3, 4};
  if (check == Alignment)
    *out = *reinterpret_cast<const int32_t *>(bytes + number);
  else if (check == Shift)
    *out = 1 << number;
  else if (check == Bounds)
    *out = values[number];
  else
    *out = static_cast<int32_t>(wide);
}

static std::string check(Check check, int32_t number, float wide = 0) {
  int32_t out = 0;
  return launch<testCheck>({}, 1, 0, {}, static_cast<int32_t>(check), global, number, wide, &out);
}

TEST(Failure, ChecksOfPlainOperations) {
  EXPECT_EQ(check(Alignment, 4), "");
  EXPECT_THAT(check(Alignment, 2), HasSubstr("FailureTest.cpp:"));
  EXPECT_THAT(check(Alignment, 2), HasSubstr("not aligned to the type"));
  EXPECT_EQ(check(Shift, 31), "");
  EXPECT_THAT(check(Shift, 32), HasSubstr("a shift by"));
  EXPECT_EQ(check(Bounds, 3), "");
  EXPECT_THAT(check(Bounds, 4), HasSubstr("an index outside"));
  EXPECT_EQ(check(Conversion, 0, -2147483648.0f), "");
  EXPECT_THAT(check(Conversion, 0, 2147483648.0f), HasSubstr("a conversion"));
}

#endif

//===- Waits -------------------------------------------------------------===//

enum Mistake : int32_t { NoMistake, WarpEnds, LaneEnds, LaneSkips, WarpsDiffer, Collectives };

SORTIE_KERNEL(96, 1) testWait(int32_t mistake) {
  const int thread = hw::threadIndex();
  if (mistake == WarpEnds && hw::warpIndex() == 1)
    return;
  if (mistake == LaneEnds && thread == 33)
    return;
  if (mistake == Collectives && thread % 2 == 1)
    (void)hw::ballot(true);
  if (!(mistake == LaneSkips && thread == 70))
    hw::syncWarp();
  if (!(mistake == WarpsDiffer && hw::warpIndex() == 2))
    hw::syncBlock();
}

static std::string wait(Mistake mistake) {
  const std::string first = launch<testWait>({}, 96, 0, {0}, static_cast<int32_t>(mistake));
  for (uint64_t seed = 1; seed < 20; ++seed) {
    const auto error = launch<testWait>({}, 96, 0, {seed}, static_cast<int32_t>(mistake));
    EXPECT_EQ(error.empty(), first.empty()) << error;
  }
  return first;
}

TEST(Failure, WaitsWithoutEnd) {
  EXPECT_EQ(wait(NoMistake), "");
  EXPECT_THAT(wait(WarpEnds), HasSubstr("deadlock: threads wait for others that have ended"));
  EXPECT_THAT(wait(WarpEnds), HasSubstr("threads 0 to 31 wait in syncBlock at "));
  EXPECT_THAT(wait(WarpEnds), HasSubstr("threads 32 to 63 have ended"));
  EXPECT_THAT(wait(LaneEnds), HasSubstr("some lanes of warp 1 wait in a collective"));
  EXPECT_THAT(wait(LaneEnds), HasSubstr("threads 33 to 33 have ended"));
  EXPECT_THAT(wait(LaneEnds), HasSubstr("threads 34 to 63 wait in syncWarp at "));
  EXPECT_THAT(wait(LaneSkips), HasSubstr("threads 70 to 70 wait in syncBlock"));
  EXPECT_THAT(wait(WarpsDiffer), HasSubstr("threads 64 to 95 have ended"));
  EXPECT_THAT(wait(Collectives), HasSubstr("wait in different collectives"));
}

TEST(Failure, CollectiveOfAnIncompleteWarp) {
  EXPECT_THAT(launch<testWait>({}, 80, 0, {}, static_cast<int32_t>(NoMistake)),
              HasSubstr("some lanes of warp 2 wait in a collective"));
}

TEST(Failure, ALaunchAfterAFailedOneIsSound) {
  EXPECT_NE(wait(LaneEnds), "");
  EXPECT_EQ(wait(NoMistake), "");
}

//===- Launches ----------------------------------------------------------===//

TEST(Failure, LaunchesThatADeviceRefuses) {
  EXPECT_THAT(launch<testOffset>({0}, 1, 0, {}, 0), HasSubstr("the grid 0 x 1 x 1"));
  EXPECT_THAT(launch<testOffset>({1, 65536}, 1, 0, {}, 0), HasSubstr("the grid"));
  EXPECT_THAT(launch<testOffset>({}, 0, 0, {}, 0), HasSubstr("0 threads"));
  EXPECT_THAT(launch<testOffset>({}, 1025, 0, {}, 0), HasSubstr("1025 threads"));
  EXPECT_THAT(launch<testOffset>({}, 1, 228 * 1024, {}, 0), HasSubstr("bytes of shared memory"));
}
