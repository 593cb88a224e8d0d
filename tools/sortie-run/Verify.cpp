// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reports of verified weights.

#include "tools/sortie-run/Verify.h"

#include "tools/sortie-run/Api.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <chrono>

using namespace llvm;

namespace sortie::tool {

namespace {

StringRef kindName(sortie_finding_kind kind) {
  switch (kind) {
  case SORTIE_FINDING_FINGERPRINT:
    return "fingerprint";
  case SORTIE_FINDING_TENSOR:
    return "tensor";
  case SORTIE_FINDING_NO_HASH:
    return "no-hash";
  case SORTIE_FINDING_HASH:
    return "hash";
  case SORTIE_FINDING_VALUE:
    return "value";
  }
  return "unknown";
}

void addFinding(void *user, const sortie_finding *finding) {
  auto known = [](int64_t index) {
    return index < 0 ? std::nullopt : std::optional<int64_t>(index);
  };
  static_cast<VerifyReport *>(user)->findings.push_back(
      {finding->kind, finding->tensor, known(finding->expert), known(finding->row), finding->count,
       finding->message});
}

} // namespace

void printVerifyText(const VerifyReport &report, raw_ostream &out) {
  StringRef tensor; // whose values are being listed
  for (const VerifyFinding &finding : report.findings) {
    if (finding.kind != SORTIE_FINDING_VALUE) {
      out << (finding.tensor.empty() ? "" : finding.tensor + ": ") << finding.message << '\n';
      continue;
    }
    if (finding.tensor != tensor)
      out << finding.tensor << ": " << finding.count
          << (finding.count == 1 ? " scale, minimum or weight is not finite:\n"
                                 : " scales, minimums or weights are not finite, among them:\n");
    tensor = finding.tensor;
    out << "  " << finding.message << '\n';
  }
  const double gigabytes = static_cast<double>(report.info.byte_count) / 1e9;
  out << report.info.tensor_count << " tensors, "
      << format("%.2f GB, read in %.2f s", gigabytes, report.seconds) << ": "
      << report.info.hash_count << " compared with recorded hashes";
  if (report.checksValues)
    out << ", all scales, minimums and weights looked at";
  out << (report.findings.empty() ? "; nothing is wrong\n" : "\n");
}

void printVerifyJson(const VerifyReport &report, raw_ostream &out) {
  json::OStream json(out, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("program", report.program);
    json.attribute("weights", report.weights);
    json.attribute("checks_values", report.checksValues);
    json.attribute("tensors", static_cast<int64_t>(report.info.tensor_count));
    json.attribute("hashes_compared", static_cast<int64_t>(report.info.hash_count));
    json.attribute("bytes", static_cast<int64_t>(report.info.byte_count));
    json.attribute("seconds", report.seconds);
    json.attributeArray("findings", [&] {
      for (const VerifyFinding &finding : report.findings)
        json.object([&] {
          json.attribute("kind", kindName(finding.kind));
          if (!finding.tensor.empty())
            json.attribute("tensor", json::fixUTF8(finding.tensor));
          if (finding.expert)
            json.attribute("expert", *finding.expert);
          if (finding.row)
            json.attribute("row", *finding.row);
          if (finding.kind == SORTIE_FINDING_VALUE)
            json.attribute("count", static_cast<int64_t>(finding.count));
          json.attribute("message", json::fixUTF8(finding.message));
        });
    });
  });
  out << '\n';
}

Error verifyWeights(const sortie_program *program, const sortie_weights_options &options,
                    VerifyReport &report) {
  ProgressBar bar;
  const sortie_callbacks callbacks = callbacksOf(bar);
  sortie_weights_options weights = options;
  weights.callbacks = &callbacks;
  sortie_verify_options verify = SORTIE_INIT(sortie_verify_options);
  verify.values = report.checksValues;
  verify.user = &report;
  verify.finding = addFinding;
  const auto begin = std::chrono::steady_clock::now();
  Error error = toError(sortie_weights_verify(program, &weights, &verify, &report.info));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return error;
}

} // namespace sortie::tool
