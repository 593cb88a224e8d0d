// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the threads of one block as fibers. A thread runs until it waits; the next one is then
// chosen at random: lanes of a warp in a random order between two collectives, warps at random.

#ifndef SORTIE_TEST_EMULATION_SCHEDULER_H
#define SORTIE_TEST_EMULATION_SCHEDULER_H

#include "test/emulation/Block.h"
#include "test/emulation/BulkCopies.h"
#include "test/emulation/CopyQueue.h"
#include "test/emulation/FaultTrap.h"
#include "test/emulation/Fiber.h"
#include "test/emulation/Mbarriers.h"
#include "test/emulation/NamedBarriers.h"
#include "test/emulation/RegisterPool.h"
#include "test/emulation/SharedMemory.h"
#include "test/emulation/TensorMap.h"
#include "test/emulation/WarpProducts.h"

#include <memory>
#include <string>
#include <vector>

namespace sortie::emulation {

/// What all blocks of a launch have in common.
struct EmulatedLaunch {
  const Kernel *kernel;
  Index3 grid;
  int threads;
  int sharedBytes;
  void *const *parameters;
};

class Scheduler final : public Block, private FaultHandler {
public:
  static constexpr int kMaxThreads = 1024;

  Scheduler();
  ~Scheduler();
  Scheduler(const Scheduler &) = delete;
  Scheduler &operator=(const Scheduler &) = delete;

  /// Runs one block. Returns the error, empty for none.
  std::string runBlock(const EmulatedLaunch &what, Index3 index, Random &generator);

  void syncBlock(Site site) override;
  void collective(Collective what, void *operands, Site site) override;
  void meet(Collective what, int barrier, int threads, Site site) override;
  void copyAsync(void *to, const void *from, int bytes, int valid, Site site) override;
  void commitCopies() override;
  void waitForCopies(int groups) override;
  void initMbarrier(void *object, int arrivals, Site site) override;
  void publishMbarriers() override;
  void invalidateMbarrier(void *object, Site site) override;
  void arriveMbarrier(const char *who, void *object, int bytes, Site site) override;
  void waitForPhase(void *object, int parity, Site site) override;
  void copyBulk(void *to, const void *from, int bytes, void *barrier, Site site) override;
  void copyBox(void *to, const TensorMap &map, int rank, const int (&at)[3], void *barrier,
               Site site) override;
  void receiveSums(const void *sums, Site site) override;
  void checkShared(const char *who, const void *address, int bytes, int alignment,
                   Site site) override;
  using Block::fail;
  [[noreturn]] void fail(const char *message, const char *file, unsigned line) override;

private:
  // A stack is followed by a page that nobody may touch. The distance of two stacks is no power of
  // two and their tops are shifted, so that the threads of a block do not compete for the same
  // cache sets.
  static constexpr size_t kStackBytes = 128 * 1024;
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kStackStride = kStackBytes + kPageBytes;
  static constexpr size_t kTopShift = 3 * 64;

  enum class State {
    Runnable,
    InCollective,
    InSyncBlock,
    InSyncThreads,
    InTakeRegisters,
    InWaitForPhase,
    Ended,
  };

  struct Thread {
    Scheduler *scheduler = nullptr;
    int index = 0;
    State state = State::Runnable;
    Collective collective = Collective::SyncWarp; ///< of State::InCollective
    const void *mbarrier = nullptr;               ///< of State::InWaitForPhase
    Site site;                                    ///< where it waits
    Fiber fiber;
    CopyQueue copies;
  };

  /// Lanes run in the order (start + i * stride) mod 32, i from `position` on.
  struct Warp {
    uint32_t runnable = 0; ///< lanes
    uint32_t start = 0;
    uint32_t stride = 1;
    int position = 0;
    int arrived = 0; ///< lanes in `collective`
    Collective collective = Collective::SyncWarp;
    void *operands[kLanes] = {};
  };

  [[noreturn]] void handleFault(int signal, const void *address) override;

  static void enterThread(void *thread);
  void resetThread(int index);
  void reorder(int warp);
  void makeRunnable(int warp);
  Thread &current() { return threads[static_cast<size_t>(threadIndex)]; }
  Warp &currentWarp() { return warps[static_cast<size_t>(threadIndex / kLanes)]; }

  bool completeHere(Collective what, const Warp &warp, Site site);
  void completeMeeting(bool waits, const Warp &warp, Site site);
  void suspend(State state, Site site);
  void checkMeeting(const Warp &warp, Site site);
  void wait(State state, Site site);
  [[noreturn]] void endThread();
  void runNext(bool ends);
  int nextInWarp(int warp);
  int nextOfRunnableWarps();
  int nextThread();

  Mbarrier &findMbarrier(const char *who, void *object, Site site);
  static bool waitsFor(const Thread &thread, const void *object);
  void wakeWaiters(const void *object);
  char *beginCopy(const char *who, void *to, int bytes, int alignment, void *object, Site site);
  void landCopy();
  std::string findLostCopy() const;

  void changeRegisters(bool takes, const Warp &warp, Site site);
  void beginProduct(const Warp &warp, Site site);
  void checkWarpgroup(const ProductOperands &product, Site site);
  std::string findLostProduct() const;

  void switchTo(Fiber &to, bool ends);
  static std::string describeSite(const Site &site);
  void setError(const std::string &place, const std::string &message);
  [[noreturn]] void failIn(const char *who, const char *message, Site site);
  [[noreturn]] void leave();
  bool checkWarp(int warp);
  bool failDeadlock(const std::string &what);
  std::string describeThreads() const;
  std::string describe(const Thread &thread) const;

  const EmulatedLaunch *launch = nullptr;
  Random *random = nullptr;
  SharedMemory sharedMemory;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  uint32_t runnableWarps = 0;
  NamedBarriers namedBarriers;
  Mbarriers mbarriers;
  BulkCopies bulkCopies;
  RegisterPool registers;
  std::vector<WarpProducts> products; ///< of each warp
  /// The products of each warpgroup, as far as one of its warps has begun them.
  std::vector<std::vector<ProductOperands>> ofWarpgroup;
  int inSyncBlock = 0;
  int ended = 0;
  std::string error;
  Fiber caller;
  Fiber *previous = nullptr; ///< who switched last
  char *stacks = nullptr;
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_SCHEDULER_H
