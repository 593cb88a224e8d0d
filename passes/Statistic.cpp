// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pass lists statistics by their base, which has no tag of its class: those that live are
// registered.

#include "passes/Statistic.h"

#include "llvm/ADT/DenseMap.h"

#include <mutex>

namespace sortie {

namespace {

struct Registry {
  std::mutex mutex;
  llvm::DenseMap<const mlir::Pass::Statistic *, Statistic *> statistics;
};

/// Never destroyed: passes in static objects may outlive what is.
Registry &getRegistry() {
  static auto *const registry = new Registry;
  return *registry;
}

} // namespace

Statistic::Statistic(mlir::Pass *owner, const char *name, const char *description)
    : mlir::Pass::Statistic(owner, name, description), name(name), description(description) {
  Registry &registry = getRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  registry.statistics[this] = this;
}

Statistic::~Statistic() {
  Registry &registry = getRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  registry.statistics.erase(this);
}

Statistic *Statistic::of(mlir::Pass::Statistic *statistic) {
  Registry &registry = getRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  return registry.statistics.lookup(statistic);
}

} // namespace sortie
