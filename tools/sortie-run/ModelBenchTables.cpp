// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of `sortie-run bench`: Markdown, CSV and JSON.

#include "tools/sortie-run/ModelBench.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace sortie::tool {

static std::string text(const format_object_base &object) {
  std::string string;
  raw_string_ostream(string) << object;
  return string;
}

/// "17.28 GiB".
static std::string sizeOf(uint64_t bytes) {
  constexpr double kMebibyte = 1 << 20;
  const double mebibytes = static_cast<double>(bytes) / kMebibyte;
  return mebibytes < 1024 ? text(format("%.2f MiB", mebibytes))
                          : text(format("%.2f GiB", mebibytes / 1024));
}

/// "30.53 B".
static std::string countOf(uint64_t parameters) {
  const double millions = static_cast<double>(parameters) / 1e6;
  return millions < 1000 ? text(format("%.2f M", millions))
                         : text(format("%.2f B", millions / 1e3));
}

void BenchTable::begin() {
  switch (format) {
  case BenchFormat::Markdown:
    out << "| model | size | params | device | threads | test | t/s |\n"
           "| --- | ---: | ---: | --- | ---: | ---: | ---: |\n";
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
  out << "| " << subject.model << " | " << sizeOf(subject.bytes) << " | "
      << countOf(subject.parameters) << " | " << subject.device << " | "
      << (subject.threads != 0 ? std::to_string(subject.threads) : "") << " | "
      << measurement.test.name() << " | "
      << llvm::format("%.2f ± %.2f", measurement.mean(), measurement.deviation()) << " |\n";
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
