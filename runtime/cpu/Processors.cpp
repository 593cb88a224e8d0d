// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Affinity masks and quotas of control groups, as Linux tells them.

#include "runtime/cpu/Processors.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <climits>
#include <memory>
#include <sched.h>
#include <thread>

using namespace llvm;

namespace sortie::cpu {

namespace {

/// The text of a small file; "" when there is none.
std::string readText(const Twine &path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFileAsStream(path);
  return file ? (*file)->getBuffer().trim().str() : "";
}

/// Microseconds of processor time in each period, as processors. "max" and -1 are no quota.
std::optional<int> processorsOf(StringRef quota, StringRef period) {
  uint64_t time = 0, length = 0;
  if (quota.getAsInteger(10, time) || period.getAsInteger(10, length) || length == 0)
    return std::nullopt;
  return static_cast<int>(std::clamp<uint64_t>(divideCeil(time, length), 1, INT_MAX));
}

std::optional<int> quotaOfGroup(const Twine &folder, bool isUnified) {
  if (!isUnified)
    return processorsOf(readText(folder + "/cpu.cfs_quota_us"),
                        readText(folder + "/cpu.cfs_period_us"));
  const std::string text = readText(folder + "/cpu.max");
  const auto [quota, period] = StringRef(text).split(' ');
  return processorsOf(quota, period);
}

/// The least quota of `group` and of the groups around it. Inside a container some of them are not
/// to be seen.
std::optional<int> leastQuota(StringRef group, StringRef mount, bool isUnified) {
  std::optional<int> least;
  for (StringRef path = group.trim('/');; path = sys::path::parent_path(path)) {
    if (const std::optional<int> quota = quotaOfGroup(mount + "/" + path, isUnified))
      least = std::min(least.value_or(INT_MAX), *quota);
    if (path.empty())
      return least;
  }
}

std::optional<int> processorsOfAffinity() {
  constexpr int kFirstSize = 1024, kLastSize = 1 << 20;
  for (int size = kFirstSize; size <= kLastSize; size *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t *)> mask(
        CPU_ALLOC(size), [](cpu_set_t *set) { CPU_FREE(set); });
    const size_t bytes = CPU_ALLOC_SIZE(size);
    if (!mask)
      return std::nullopt;
    CPU_ZERO_S(bytes, mask.get());
    if (sched_getaffinity(/*pid=*/0, bytes, mask.get()) == 0)
      return CPU_COUNT_S(bytes, mask.get());
  } // fails as long as the kernel's own mask is larger
  return std::nullopt;
}

} // namespace

std::optional<int> processorsOfQuota(StringRef membership, StringRef root) {
  std::optional<int> least;
  SmallVector<StringRef> lines;
  membership.split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (const StringRef line : lines) {
    // "hierarchy:controllers:group"; the unified hierarchy is number 0 and names no controllers.
    const auto [number, rest] = line.split(':');
    const auto [controllers, group] = rest.split(':');
    SmallVector<StringRef> names;
    controllers.split(names, ',');
    const bool isUnified = number == "0" && controllers.empty();
    if (!isUnified && !is_contained(names, "cpu"))
      continue;
    const std::string mount = (isUnified ? Twine(root) : root + Twine("/cpu")).str();
    if (const std::optional<int> quota = leastQuota(group, mount, isUnified))
      least = std::min(least.value_or(INT_MAX), *quota);
  }
  return least;
}

int availableProcessors() {
  const int processors =
      processorsOfAffinity().value_or(static_cast<int>(std::thread::hardware_concurrency()));
  const std::optional<int> quota =
      processorsOfQuota(readText("/proc/self/cgroup"), "/sys/fs/cgroup");
  return std::max(1, std::min(processors, quota.value_or(INT_MAX)));
}

} // namespace sortie::cpu
