// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verification of weights.

#include "runtime/session/Verification.h"

#include "dialect/common/FingerprintText.h"
#include "runtime/support/Error.h"
#include "runtime/weights/NonFinite.h"
#include "runtime/weights/TensorHasher.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sortie {

namespace {

/// One pass over the tensors of a model that weights of a program are made of.
class Verifier {
public:
  Verifier(const Program &program, const WeightSource &source, const VerificationOptions &options)
      : program(program), source(source), options(options) {}

  Error run(ReportProgress report);

  Verification result;

private:
  void checkFingerprint();
  void chooseTensors();
  Error readTensors(ReportProgress report);
  void compareHash(const ModelTensor &tensor, const TensorHash &actual);
  void addValues(const ModelTensor &tensor, size_t index, const NonFiniteScan &scan);

  const Program &program;
  const WeightSource &source;
  const VerificationOptions &options;
  /// Those that are there and as the program wants them, by name; some weights share one.
  std::map<StringRef, const ModelTensor *> tensors;
};

Error Verifier::run(ReportProgress report) {
  if (!source.modelFile())
    return makeError(source.name() + ": weights that come from no file cannot be verified; give a "
                                     "GGUF file",
                     std::errc::not_supported);
  if (program.hashes.empty() && !options.checksValues)
    return makeError(program.name +
                         ": records no hashes of its weights. Import the model with "
                         "sortie-translate --hash-weights and compile it again; the values alone "
                         "can be checked without (--verify-weights=full)",
                     std::errc::not_supported);
  checkFingerprint();
  chooseTensors();
  return readTensors(report);
}

void Verifier::checkFingerprint() {
  if (Error error = sortie::checkFingerprint(program, source))
    result.findings.push_back({Finding::Kind::Fingerprint, "", toString(std::move(error))});
}

void Verifier::chooseTensors() {
  for (const unsigned id : options.weights.set_bits()) {
    const WeightSpec &spec = program.weights[id];
    if (Error error = source.check(spec)) {
      result.findings.push_back(
          {Finding::Kind::Tensor, spec.tensors.front(), toString(std::move(error))});
      continue;
    }
    for (const std::string &name : spec.tensors)
      tensors[name] = source.modelFile()->findTensor(name);
  }
}

Error Verifier::readTensors(ReportProgress report) {
  std::vector<const ModelTensor *> list;
  std::vector<ArrayRef<uint8_t>> bytes;
  for (const auto &[name, tensor] : tensors) {
    list.push_back(tensor);
    bytes.push_back(tensor->bytes);
    result.bytes += tensor->bytes.size();
  }
  result.tensors = list.size();
  Expected<std::unique_ptr<cpu::ThreadPool>> pool = cpu::ThreadPool::create(options.threads);
  if (!pool)
    return pool.takeError();

  TensorHasher hasher(bytes);
  NonFiniteScan scan(list);
  const bool hasHashes = !program.hashes.empty();
  auto visit = [&](const Slab &slab) {
    if (hasHashes)
      hasher.addSlab(slab);
    if (options.checksValues)
      scan.addSlab(slab.tensor, slab.offset, slab.bytes);
  };
  if (Error error = forEachSlab(bytes, **pool, report, visit))
    return error;
  for (const auto &[index, tensor] : enumerate(list)) {
    if (hasHashes)
      compareHash(*tensor, hasher.result(index));
    if (options.checksValues)
      addValues(*tensor, index, scan);
  }
  return Error::success();
}

void Verifier::compareHash(const ModelTensor &tensor, const TensorHash &actual) {
  const auto recorded = program.hashes.find(tensor.name);
  if (recorded == program.hashes.end()) {
    result.findings.push_back(
        {Finding::Kind::NoHash, tensor.name, program.name + " records no hash of it"});
    return;
  }
  ++result.hashed;
  if (recorded->second != actual)
    result.findings.push_back({Finding::Kind::Hash, tensor.name,
                               "its bytes hash to " + printHash(actual) + ", " + program.name +
                                   " was compiled for " + printHash(recorded->second)});
}

void Verifier::addValues(const ModelTensor &tensor, size_t index, const NonFiniteScan &scan) {
  for (const NonFinite &value : scan.first(index)) {
    const BlockPlace place = placeOf(tensor, value);
    result.findings.push_back({Finding::Kind::Value, tensor.name,
                               place.describe() + ": " + value.what, place.expert, place.row,
                               scan.count(index)});
  }
}

} // namespace

Expected<Verification> verifyWeights(const Program &program, const WeightSource &source,
                                     const VerificationOptions &options, ReportProgress report) {
  Verifier verifier(program, source, options);
  if (Error error = verifier.run(report))
    return error;
  return std::move(verifier.result);
}

/// "; tensors at fault: a, b", or nothing where no finding is about a tensor.
static std::string nameTensors(ArrayRef<Finding> findings) {
  constexpr size_t kNamed = 5;
  std::vector<StringRef> names;
  for (const Finding &finding : findings)
    if (!finding.tensor.empty() && !is_contained(names, StringRef(finding.tensor)))
      names.emplace_back(finding.tensor);
  if (names.empty())
    return "";
  std::string text = "; tensors at fault: " + join(ArrayRef(names).take_front(kNamed), ", ");
  if (names.size() > kNamed)
    text += " and " + std::to_string(names.size() - kNamed) + " more";
  return text;
}

Error findingsError(const Program &program, const WeightSource &source,
                    const Verification &result) {
  const std::string tensors = nameTensors(result.findings);
  if (any_of(result.findings,
             [](const Finding &finding) { return finding.kind != Finding::Kind::Value; }))
    return makeError(source.name() + ": is not what " + program.name +
                     " was compiled for, or is damaged" + tensors +
                     ". Download or convert the model again");
  const std::string what =
      source.name() + ": has scales, minimums or weights that are not finite" + tensors;
  if (result.hashed == 0)
    return makeError(what + ". " + program.name +
                     " records no hashes that could tell whether the model is damaged: compare it "
                     "with another copy, or convert it again");
  return makeError(what + ". Its bytes are those that " + program.name +
                   " was compiled for, so that another copy has them, too: convert or quantize the "
                   "model again, or expect results that are infinite or NaN");
}

int ruleOf(const ModelFingerprint &fingerprint) {
  return fingerprint.keys ? kFingerprintOfNamedKeys : kFingerprintOfAllKeys;
}

Error checkFingerprint(const Program &program, const WeightSource &source) {
  const std::optional<uint64_t> actual =
      program.fingerprint ? source.fingerprint(*program.fingerprint) : std::nullopt;
  if (!actual || *actual == program.fingerprint->value)
    return Error::success();
  auto print = [rule = ruleOf(*program.fingerprint)](uint64_t value) {
    return printFingerprint({rule, value});
  };
  const char *hint = program.fingerprint->keys
                         ? ""
                         : " (a program as old as this one refuses a changed chat template, too; "
                           "compiled again, it does not)";
  return makeError(source.name() + ": has fingerprint " + print(*actual) + ", " + program.name +
                   " was compiled for a model with fingerprint " +
                   print(program.fingerprint->value) +
                   "; give that model, or compile the program for this one" + hint);
}

} // namespace sortie
