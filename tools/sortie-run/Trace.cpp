// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The trace event format: complete events ("ph": "X") with times in microseconds.

#include "tools/sortie-run/Trace.h"

#include "tools/common/OutputFile.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace sortie::tool {

void Trace::addPhase(StringRef name, Clock::time_point begin) {
  const double at = sinceStart(begin);
  events.push_back({name.str(), "", at, sinceStart(Clock::now()) - at, 0, 0});
}

void Trace::addSteps(const StepLog &log, Clock::time_point begin) {
  constexpr double kMicro = 1e-3;
  for (const LoggedStep &step : log.steps)
    events.push_back({step.operation, step.label,
                      sinceStart(begin) + step.beginNanoseconds * kMicro,
                      step.nanoseconds() * kMicro, step.bytes, step.operations});
}

Error Trace::write(StringRef path) const {
  std::string text;
  raw_string_ostream out(text);
  json::OStream json(out);
  json.object([&] {
    json.attribute("displayTimeUnit", "ms");
    json.attributeArray("traceEvents", [&] {
      for (const Event &event : events)
        json.object([&] {
          json.attribute("name", event.name);
          json.attribute("ph", "X");
          json.attribute("pid", 1);
          json.attribute("tid", 1);
          json.attribute("ts", event.beginMicroseconds);
          json.attribute("dur", event.microseconds);
          json.attributeObject("args", [&] {
            if (!event.label.empty())
              json.attribute("weights", event.label);
            if (event.bytes != 0)
              json.attribute("bytes", event.bytes);
            if (event.operations != 0)
              json.attribute("operations", event.operations);
          });
        });
    });
  });
  out << '\n';
  return writeOutputFile(path, text);
}

} // namespace sortie::tool
