// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Places in pinned memory.

#include "runtime/session/HostArguments.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace llvm;

namespace sortie {

Expected<HostArguments> HostArguments::place(const Function &function, const Arguments &arguments,
                                             const cuda::Device &device, RunSlot &slot) {
  constexpr uint64_t kAlignment = 64;
  HostArguments placed;
  uint64_t total = 0;
  SmallVector<std::pair<Place *, uint64_t>> copies;
  const auto add = [&](ArrayRef<Argument> described, ArrayRef<BoundArgument> bound,
                       SmallVector<Place> &places) {
    places.resize(described.size());
    for (auto [argument, given, place] : zip_equal(described, bound, places)) {
      const Buffer &buffer = function.buffers[argument.buffer];
      const auto bytes = static_cast<uint64_t>(buffer.bytes.at(arguments.symbols()));
      if (!buffer.isOnHost || bytes == 0)
        continue;
      place = {given.data, given.data, bytes};
      if (isPinned(device, given.data))
        continue;
      copies.emplace_back(&place, total);
      total = alignTo(total + place.bytes, kAlignment);
    }
  };
  add(function.inputs, arguments.inputs(), placed.inputs);
  add(function.outputs, arguments.outputs(), placed.outputs);
  Expected<std::byte *> memory = slot.placeHostArguments(total);
  if (!memory)
    return memory.takeError();
  for (auto [place, offset] : copies)
    place->pinned = *memory + offset;
  for (const Place &input : placed.inputs)
    if (input.pinned != input.array)
      std::memcpy(input.pinned, input.array, input.bytes);
  return placed;
}

void HostArguments::finish() const {
  for (const Place &output : outputs)
    if (output.pinned != output.array)
      std::memcpy(output.array, output.pinned, output.bytes);
}

} // namespace sortie
