// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a run on a GPU has on the host for itself alone, from its first copy to its last. A later
// run may have it then.

#ifndef SORTIE_RUNTIME_SESSION_RUNSLOT_H
#define SORTIE_RUNTIME_SESSION_RUNSLOT_H

#include "runtime/session/CudaExecutor.h"

namespace sortie {

class RunSlot {
public:
  /// For functions with at most `checks` checks of indices.
  static llvm::Expected<RunSlot> create(const cuda::DevicePtr &device, size_t checks);

  /// Pinned memory of at least so many bytes, the same until the slot is used again: for copies of
  /// arguments of the device, and for arguments on the host.
  llvm::Expected<std::byte *> stage(uint64_t bytes);
  llvm::Expected<std::byte *> placeHostArguments(uint64_t bytes);

  /// When all is enqueued: what isPast() and wait() look for.
  cuda::CUresult end(cuda::CUstream stream);

  /// Whether the device came to the end of the run, or failed. Never waits.
  bool isPast() const;
  /// Waits for the end. The failure may be that of a later run: see RunProgress::isComplete().
  cuda::CUresult wait() const;

  /// Pinned: as many as the function has checks.
  CheckedStatus *checkedStatuses() const { return static_cast<CheckedStatus *>(checks.get()); }

private:
  /// Pinned memory that becomes larger when a run needs more.
  struct Room {
    cuda::PinnedMemory memory;
    uint64_t bytes = 0;
  };
  llvm::Expected<std::byte *> take(Room &room, uint64_t bytes, const char *what) const;

  cuda::DevicePtr device;
  cuda::PinnedMemory checks;
  cuda::Event past;
  Room staging;
  Room hostArguments;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_RUNSLOT_H
