// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Limits as Linux tells them. What cannot be read limits nothing.

#include "tools/common/MachineMemory.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <sys/resource.h>

using namespace llvm;

namespace sortie {

static std::string readFile(const Twine &path) {
  // As a stream: files of /proc have no size.
  auto file = MemoryBuffer::getFileAsStream(path);
  return file ? (*file)->getBuffer().str() : std::string();
}

static void lower(MachineMemory &memory, uint64_t bytes, StringLiteral origin) {
  if (bytes != 0 && (memory.bytes == 0 || bytes < memory.bytes))
    memory = {bytes, origin};
}

/// The limits of a group and of those that it lies in, down to the root. A group of another name
/// space has a path that is not there: then the root, which is the process's own, is left.
static void lowerByGroup(MachineMemory &memory, const std::string &folder, StringRef group,
                         StringRef file) {
  for (StringRef path = group;; path = sys::path::parent_path(path)) {
    uint64_t bytes = 0;
    // "max" is no number.
    if (!StringRef(readFile(folder + path + "/" + file)).trim().getAsInteger(10, bytes))
      lower(memory, bytes, "a control group");
    if (path.empty() || path == "/")
      return;
  }
}

MachineMemory machineMemoryOf(StringRef root) {
  MachineMemory memory;
  const std::string info = readFile(root + "/proc/meminfo");
  StringRef total = StringRef(info).split("MemTotal:").second.ltrim();
  uint64_t kibibytes = 0;
  if (!total.consumeInteger(10, kibibytes))
    lower(memory, kibibytes << 10, "the machine");
  const std::string groups = readFile(root + "/proc/self/cgroup");
  const std::string folder = (root + "/sys/fs/cgroup").str();
  for (const StringRef line : split(groups, '\n')) {
    // "0::/group", or "5:memory:/group" of the first version.
    const auto [controllers, group] = line.split(':').second.split(':');
    if (controllers.empty())
      lowerByGroup(memory, folder, group, "memory.max");
    else if (is_contained(split(controllers, ','), "memory"))
      lowerByGroup(memory, folder + "/memory", group, "memory.limit_in_bytes");
  }
  return memory;
}

MachineMemory machineMemory() {
  MachineMemory memory = machineMemoryOf("");
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit = {};
    if (getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
      lower(memory, limit.rlim_cur, "ulimit");
  }
  return memory;
}

std::string describeBytes(uint64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  std::string text;
  raw_string_ostream(text) << (mebibytes < 1024 ? format("%.2f MiB", mebibytes)
                                                : format("%.2f GiB", mebibytes / 1024));
  return text;
}

} // namespace sortie
