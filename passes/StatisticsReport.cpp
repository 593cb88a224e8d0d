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

/// Whether a pass is one of Passes.td, whose statistics are of our class.
static bool isOurs(const Pass &pass) {
  return pass.getArgument().starts_with("moe-") || pass.getArgument().starts_with("moert-");
}

void StatisticsReport::attach(PassManager &manager) {
  manager.addInstrumentation(std::make_unique<Instrumentation>(*this));
}

void StatisticsReport::collect(Pass &pass) {
  if (!isOurs(pass) || pass.getStatistics().empty())
    return;
  const std::lock_guard<std::mutex> lock(mutex);
  auto [entry, isNew] = linesOf.try_emplace(pass.getArgument());
  llvm::SmallVector<Line, 0> &lines = entry->second;
  for (auto [index, base] : llvm::enumerate(pass.getStatistics())) {
    auto &statistic = *static_cast<Statistic *>(base);
    if (isNew)
      lines.push_back({statistic.getName(), statistic.getDescription()});
    lines[index].count += statistic.take();
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
