// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel that uses all of sortie_hardware_sm90.h as kernels will: warp 0 copies, warps 1 and 2
// compute, through two stages of shared memory. The emulation runs it (BulkCopyTest.cpp), and NVRTC
// compiles the same text (HardwareTest.cpp).

#ifndef SORTIE_TEST_UNIT_EMULATION_BULKPIPELINE_H
#define SORTIE_TEST_UNIT_EMULATION_BULKPIPELINE_H

#include <sortie_hardware_sm90.h>

enum PipelineMistake : int {
  NoPipelineMistake,
  NoWaitForFull,
  NoWaitForEmpty,
  EmptyBeforeRead,
};

/// A step has 64 words, and a box of 8 rows of 32 words that lie swizzled by 128 bytes.
constexpr int kPipelineBoxBytes = 1024;
constexpr int kPipelineWordBytes = 256;
constexpr int kPipelineStages = 2;

namespace pipeline {
using namespace sortie;

struct Stage {
  char *box;
  hw::int32_t *words;
  hw::Mbarrier *full;
  hw::Mbarrier *empty;
};

SORTIE_DEVICE Stage stageOf(int step) {
  const int stage = step % kPipelineStages;
  constexpr int kWords = kPipelineStages * kPipelineBoxBytes;
  constexpr int kBarriers = kWords + kPipelineStages * kPipelineWordBytes;
  auto *barriers = hw::sharedMemory<hw::Mbarrier>(kBarriers);
  return {hw::sharedMemory<char>(stage * kPipelineBoxBytes),
          hw::sharedMemory<hw::int32_t>(kWords + stage * kPipelineWordBytes), barriers + stage,
          barriers + kPipelineStages + stage};
}

SORTIE_DEVICE int parityOf(int step) { return step / kPipelineStages % 2; }

SORTIE_DEVICE void initialize() {
  for (int i = 0; i < kPipelineStages; ++i) {
    const Stage stage = stageOf(i);
    hw::initMbarrier(stage.full, 1);
    hw::initMbarrier(stage.empty, 64);
  }
  hw::publishMbarriers();
}

SORTIE_DEVICE void produce(const hw::TensorMap &map, const hw::int32_t *words, int steps,
                           int mistake) {
  for (int step = 0; step < steps; ++step) {
    const Stage stage = stageOf(step);
    if (mistake != NoWaitForEmpty)
      hw::waitForPhase(stage.empty, parityOf(step) ^ 1);
    hw::arriveExpecting(stage.full, kPipelineBoxBytes + kPipelineWordBytes);
    hw::copyBulk(stage.words, words + 64 * step, kPipelineWordBytes, stage.full);
    hw::copyBox(stage.box, map, 0, 8 * step, stage.full);
  }
}

/// A word of the thread and one chunk of the box.
SORTIE_DEVICE hw::int32_t sumOf(const Stage &stage, int thread) {
  const int row = thread / 8;
  const int chunk = thread % 8 ^ row;
  const auto *four = reinterpret_cast<const hw::Words4 *>(stage.box + 128 * row + 16 * chunk);
  hw::uint32_t sum = static_cast<hw::uint32_t>(stage.words[thread]);
  for (int i = 0; i < 4; ++i)
    sum += four->word[i];
  return static_cast<hw::int32_t>(sum);
}

SORTIE_DEVICE void consume(int steps, int mistake, hw::int32_t *out) {
  const int thread = hw::threadIndex() - hw::kWarpSize;
  for (int step = 0; step < steps; ++step) {
    const Stage stage = stageOf(step);
    if (mistake != NoWaitForFull)
      hw::waitForPhase(stage.full, parityOf(step));
    if (mistake == EmptyBeforeRead)
      hw::arriveMbarrier(stage.empty);
    out[64 * step + thread] = sumOf(stage, thread);
    if (mistake != EmptyBeforeRead)
      hw::arriveMbarrier(stage.empty);
  }
  hw::syncThreads(1, 64);
  if (thread == 0)
    for (int i = 0; i < kPipelineStages; ++i)
      hw::invalidateMbarrier(stageOf(i).full);
}

} // namespace pipeline

/// out[64 * step + thread] = words[64 * step + thread] + four words of the map's tensor: row 8 *
/// step + thread / 8, from word 4 * (thread % 8) on.
SORTIE_KERNEL(96, 1)
bulkPipeline(SORTIE_IN_PLACE sortie::hw::TensorMap map, const sortie::hw::int32_t *words,
             sortie::hw::int32_t steps, sortie::hw::int32_t mistake, sortie::hw::int32_t *out) {
  if (sortie::hw::threadIndex() == 0)
    pipeline::initialize();
  sortie::hw::syncBlock();
  if (sortie::hw::threadIndex() == 0)
    pipeline::produce(map, words, steps, mistake);
  else if (sortie::hw::warpIndex() > 0)
    pipeline::consume(steps, mistake, out);
}
SORTIE_EXPORT(bulkPipeline)

#endif // SORTIE_TEST_UNIT_EMULATION_BULKPIPELINE_H
