// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/StatisticsReport.h"

#include "passes/Statistic.h"

#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/Support/Format.h"

using namespace mlir;

namespace sortie {

class StatisticsReport::Instrumentation : public PassInstrumentation {
public:
  explicit Instrumentation(StatisticsReport &report) : report(report) {}

  void runAfterPass(Pass *pass, Operation *) override { report.collect(*pass); }
  void runAfterPassFailed(Pass *pass, Operation *) override { report.collect(*pass); }

private:
  StatisticsReport &report;
};

void StatisticsReport::attach(PassManager &manager) {
  manager.addInstrumentation(std::make_unique<Instrumentation>(*this));
}

void StatisticsReport::collect(Pass &pass) {
  llvm::SmallVector<Statistic *> ours;
  for (Pass::Statistic *base : pass.getStatistics())
    if (Statistic *statistic = Statistic::of(base))
      ours.push_back(statistic);
  if (ours.empty())
    return;
  const std::lock_guard<std::mutex> lock(mutex);
  auto [entry, isNew] = linesOf.try_emplace(pass.getArgument());
  llvm::SmallVector<Line, 0> &lines = entry->second;
  for (auto [index, statistic] : llvm::enumerate(ours)) {
    if (isNew)
      lines.push_back({statistic->getName(), statistic->getDescription()});
    lines[index].count += statistic->take();
  }
}

void StatisticsReport::print(llvm::raw_ostream &os) const {
  os << "Pass statistics report\n";
  for (const auto &[pass, lines] : linesOf) {
    os << pass << "\n";
    for (const Line &line : lines)
      os << llvm::format("  %8llu ", static_cast<unsigned long long>(line.count)) << line.name
         << " - " << line.description << "\n";
  }
}

} // namespace sortie
