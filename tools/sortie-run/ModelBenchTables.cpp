// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of `sortie-run bench`: Markdown, CSV and JSON.

#include "tools/sortie-run/ModelBench.h"

#include "tools/common/MachineMemory.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Unicode.h"

using namespace llvm;

namespace sortie::tool {

static std::string text(const format_object_base &object) {
  std::string string;
  raw_string_ostream(string) << object;
  return string;
}

/// "30.53 B".
static std::string countOf(uint64_t parameters) {
  const double millions = static_cast<double>(parameters) / 1e6;
  return millions < 1000 ? text(format("%.2f M", millions))
                         : text(format("%.2f B", millions / 1e3));
}

namespace {

struct Column {
  StringLiteral title;
  bool isRight; ///< its cells end at its end
};

constexpr Column kColumns[] = {{"model", false},  {"size", true},    {"params", true},
                               {"device", false}, {"threads", true}, {"test", true},
                               {"t/s", true}};

/// Of the speed, which nobody knows before.
constexpr StringLiteral kWideSpeed = "123456.78 ± 12345.67";

/// How many columns of a terminal a cell takes.
size_t widthOf(StringRef cell) {
  const int width = sys::unicode::columnWidthUTF8(cell);
  return width < 0 ? cell.size() : static_cast<size_t>(width);
}

} // namespace

std::vector<std::string> BenchTable::cellsOf(const BenchTest &test, StringRef speed) const {
  return {subject.model,
          describeBytes(subject.bytes),
          countOf(subject.parameters),
          subject.device,
          subject.threads != 0 ? std::to_string(subject.threads) : "",
          test.name(),
          speed.str()};
}

void BenchTable::printLine(ArrayRef<std::string> cells) {
  for (const auto &[column, cell, width] : zip_equal(kColumns, cells, widths)) {
    const std::string blanks(width - std::min(width, widthOf(cell)), ' ');
    out << "| " << (column.isRight ? blanks + cell : cell + blanks) << ' ';
  }
  out << "|\n";
}

void BenchTable::beginMarkdown() {
  std::vector<std::string> titles;
  for (const Column &column : kColumns) {
    titles.push_back(column.title.str());
    widths.push_back(column.title.size());
  }
  for (const BenchTest &test : tests)
    for (const auto &[width, cell] : zip_equal(widths, cellsOf(test, kWideSpeed)))
      width = std::max(width, widthOf(cell));
  std::vector<std::string> rules;
  for (const auto &[column, width] : zip_equal(kColumns, widths))
    rules.push_back(std::string(width - 1, '-') + (column.isRight ? ':' : '-'));
  printLine(titles);
  printLine(rules);
}

void BenchTable::begin() {
  switch (format) {
  case BenchFormat::Markdown:
    beginMarkdown();
    break;
  case BenchFormat::Csv:
    out << "model,size,params,device,threads,prompt,generated,depth,sequences,repetitions,"
           "tokens_per_second,deviation\n";
    break;
  case BenchFormat::Json:
    out << "[";
    break;
  }
}

void BenchTable::addMarkdown(const BenchMeasurement &measurement) {
  printLine(cellsOf(measurement.test, text(llvm::format("%.2f ± %.2f", measurement.mean(),
                                                        measurement.deviation()))));
}

void BenchTable::addCsv(const BenchMeasurement &measurement) {
  const auto quoted = [](StringRef string) {
    std::string result = "\"";
    for (const char c : string)
      result += c == '"' ? "\"\"" : std::string(1, c);
    return result + "\"";
  };
  const BenchTest &test = measurement.test;
  out << quoted(subject.model) << ',' << subject.bytes << ',' << subject.parameters << ','
      << quoted(subject.device) << ',' << subject.threads << ',' << test.prompt << ','
      << test.generated << ',' << test.depth << ',' << test.sequences << ','
      << measurement.seconds.size() << ','
      << llvm::format("%.6f,%.6f\n", measurement.mean(), measurement.deviation());
}

void BenchTable::addJson(const BenchMeasurement &measurement) {
  const BenchTest &test = measurement.test;
  out << (isEmpty ? "\n" : ",\n");
  json::OStream json(out, 2);
  json.object([&] {
    json.attribute("model", subject.model);
    json.attribute("size", subject.bytes);
    json.attribute("params", subject.parameters);
    json.attribute("device", subject.device);
    json.attribute("threads", subject.threads);
    json.attribute("prompt", test.prompt);
    json.attribute("generated", test.generated);
    json.attribute("depth", test.depth);
    json.attribute("sequences", test.sequences);
    json.attribute("tokens_per_second", measurement.mean());
    json.attribute("deviation", measurement.deviation());
    json.attribute("seconds", json::Array(measurement.seconds));
  });
}

void BenchTable::add(const BenchMeasurement &measurement) {
  switch (format) {
  case BenchFormat::Markdown:
    addMarkdown(measurement);
    break;
  case BenchFormat::Csv:
    addCsv(measurement);
    break;
  case BenchFormat::Json:
    addJson(measurement);
    break;
  }
  isEmpty = false;
}

void BenchTable::finish() {
  if (format == BenchFormat::Json)
    out << "\n]\n";
}

} // namespace sortie::tool
