// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashing of tensors.

#include "runtime/weights/TensorHasher.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

Error forEachSlab(ArrayRef<ArrayRef<uint8_t>> tensors, cpu::ThreadPool &pool, ReportProgress report,
                  VisitSlab visit) {
  constexpr size_t kSlabsBetweenReports = 64;
  std::vector<Slab> slabs;
  uint64_t done = 0, total = 0;
  for (const auto &[tensor, bytes] : enumerate(tensors)) {
    total += bytes.size();
    for (uint64_t offset = 0; offset < bytes.size(); offset += kHashSlabBytes)
      slabs.push_back({tensor, offset, std::min(kHashSlabBytes, bytes.size() - offset)});
  }
  for (ArrayRef<Slab> rest = slabs; !rest.empty();) {
    const ArrayRef<Slab> now = rest.take_front(std::min(kSlabsBetweenReports, rest.size()));
    rest = rest.drop_front(now.size());
    pool.parallelFor(static_cast<int64_t>(now.size()), [&](int64_t i, int) { visit(now[i]); });
    for (const Slab &slab : now)
      done += slab.bytes;
    if (!report(done, total))
      return makeError("cancelled while tensors were being read", std::errc::operation_canceled);
  }
  return Error::success();
}

TensorHasher::TensorHasher(ArrayRef<ArrayRef<uint8_t>> tensors) : tensors(tensors) {
  for (const ArrayRef<uint8_t> bytes : tensors)
    slabs.emplace_back(divideCeil(bytes.size(), kHashSlabBytes));
}

void TensorHasher::addSlab(const Slab &slab) {
  slabs[slab.tensor][slab.offset / kHashSlabBytes] =
      BLAKE3::hash(tensors[slab.tensor].slice(slab.offset, slab.bytes));
}

TensorHash TensorHasher::result(size_t tensor) const {
  BLAKE3 hash;
  std::array<uint8_t, sizeof(uint64_t)> size;
  support::endian::write64le(size.data(), tensors[tensor].size());
  hash.update(size);
  for (const SlabHash &slab : slabs[tensor])
    hash.update(slab);
  return hash.final<std::tuple_size_v<TensorHash>>();
}

Expected<std::vector<TensorHash>> hashTensors(ArrayRef<ArrayRef<uint8_t>> tensors,
                                              cpu::ThreadPool &pool, ReportProgress report) {
  TensorHasher hasher(tensors);
  if (Error error =
          forEachSlab(tensors, pool, report, [&](const Slab &slab) { hasher.addSlab(slab); }))
    return error;
  std::vector<TensorHash> hashes;
  for (size_t i = 0; i < tensors.size(); ++i)
    hashes.push_back(hasher.result(i));
  return hashes;
}

} // namespace sortie
