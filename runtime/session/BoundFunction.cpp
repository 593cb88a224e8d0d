// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shapes, the audit and errors of a run.

#include "runtime/session/BoundFunction.h"

#include "runtime/audit/ValueHash.h"
#include "runtime/support/Error.h"

using namespace llvm;

namespace sortie {

uint64_t BoundFunction::arenaOffset(const Buffer &buffer) const {
  uint64_t offset = buffer.offset.at(symbols);
  for (const Affine &region : ArrayRef(function.arena).take_front(buffer.region))
    offset += region.at(symbols);
  return offset;
}

int64_t BoundFunction::rows(BufferId buffer) const {
  int64_t count = 1;
  for (const Affine &extent : ArrayRef(function.buffers[buffer].shape).drop_back())
    count *= extent.at(symbols);
  return count;
}

Error BoundFunction::reportCheckpoint(const Step &step, ReadBuffer read,
                                      RunObserver &observer) const {
  const std::string &name = std::get<Checkpoint>(step.action).name;
  if (step.reads.empty()) {
    observer.checkpoint(name, std::nullopt);
    return Error::success();
  }
  const BufferId valueId = step.reads[0];
  const int64_t valueRows = rows(valueId);
  const int64_t rowBytes = valueRows != 0 ? static_cast<int64_t>(bytes(valueId)) / valueRows : 0;
  Expected<HostBytes> value = read(valueId);
  if (!value)
    return value.takeError();
  if (step.reads.size() == 1) {
    observer.checkpoint(name, hashRows(value->data, valueRows, rowBytes));
    return Error::success();
  }
  Expected<HostBytes> order = read(step.reads[1]);
  if (!order)
    return order.takeError();
  const ArrayRef<int32_t> indices(reinterpret_cast<const int32_t *>(order->data),
                                  rows(step.reads[1]) * columns(step.reads[1]));
  for (const int32_t index : indices) // those of a GPU come from kernels of the program
    if (index >= valueRows)
      return makeError("function '" + function.name + "': the order of '" + name + "' has row " +
                       Twine(index) + " of " + Twine(valueRows) +
                       "; the program is damaged, compile it again");
  observer.checkpoint(name, hashRows(value->data, indices.size(), rowBytes, indices.data()));
  return Error::success();
}

Error BoundFunction::reportOutputs(ReadBuffer read, RunObserver &observer) const {
  for (const Argument &output : function.outputs) {
    Expected<HostBytes> value = read(output.buffer);
    if (!value)
      return value.takeError();
    observer.checkpoint(function.name + ":" + output.name,
                        hashRows(value->data, 1, bytes(output.buffer)));
  }
  return Error::success();
}

Error BoundFunction::badExpertId(int64_t slot, int64_t slots, int32_t id, int64_t experts) const {
  return makeError("function '" + function.name + "': slot " + Twine(slot) + " (token " +
                   Twine(slot / slots) + ", choice " + Twine(slot % slots) + ") has expert id " +
                   Twine(id) + ", ids are 0 to " + Twine(experts - 1) +
                   "; correct the ids that the caller passes");
}

Error BoundFunction::badRow(size_t step, int64_t position, int64_t row, int64_t rows) const {
  return makeError("function '" + function.name + "': " + nameStep(step) + ": position " +
                   Twine(position) + " of its index has row " + Twine(row) + ", rows are 0 to " +
                   Twine(rows - 1) + "; correct the index that the caller passes");
}

Error BoundFunction::badPlace(size_t step, int64_t token, const Twine &what) const {
  return makeError("function '" + function.name + "': " + nameStep(step) + ": token " +
                   Twine(token) + " " + what +
                   "; correct the positions, sequences or pages that the caller passes");
}

Error BoundFunction::badIndex(size_t step, numerics::IndexFault fault, int64_t position,
                              int64_t index, int64_t bound) const {
  using numerics::IndexFault;
  switch (fault) {
  case IndexFault::Row:
    return badRow(step, position, index, bound);
  case IndexFault::Sequence:
    return badPlace(step, position,
                    "has sequence " + Twine(index) + ", the page table has " +
                        (bound == 0 ? "none" : "sequences 0 to " + Twine(bound - 1)));
  case IndexFault::Position:
    return badPlace(step, position,
                    "has position " + Twine(index) + ", the page table has places for " +
                        Twine(bound) + " positions");
  case IndexFault::Page:
    return badPlace(step, position,
                    "sees page " + Twine(index) + ", the cache has pages 0 to " + Twine(bound - 1));
  case IndexFault::Place:
    return badPlace(step, position, "and token " + Twine(index) + " have one place in the cache");
  case IndexFault::None:
  case IndexFault::Expert:
    break;
  }
  return makeError("function '" + function.name + "': " + nameStep(step) + ": tells of fault " +
                   Twine(static_cast<int32_t>(fault)) +
                   ", which is none; the program is damaged, compile it again");
}

std::string BoundFunction::nameStep(size_t index) const {
  const Step &step = function.steps[index];
  std::string what = ("step " + Twine(index) + ", " + step.operation).str();
  if (const auto *launch = std::get_if<KernelLaunch>(&step.action))
    what += " (kernel '" + program.kernels[launch->kernel].name + "')";
  if (!step.label.empty())
    what += " with " + step.label;
  return what;
}

Error BoundFunction::cancelled(size_t step) const {
  return makeError("function '" + function.name + "': cancelled before step " + Twine(step) +
                       " of " + Twine(function.steps.size()),
                   std::errc::operation_canceled);
}

UsedRows usedRows(const int32_t *offsets, int64_t experts) {
  UsedRows used{offsets[experts], 0};
  for (int64_t expert = 0; expert < experts; ++expert)
    used.experts += offsets[expert + 1] > offsets[expert] ? 1 : 0;
  return used;
}

} // namespace sortie
