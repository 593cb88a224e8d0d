// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights: where they come from, loading and verifying them.

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Caller.h"
#include "runtime/capi/Handles.h"
#include "runtime/capi/Options.h"
#include "runtime/gguf/Model.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/session/Verification.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;
using namespace sortie;

namespace {

/// The caller's buffers as the parts of a model.
Expected<std::vector<std::unique_ptr<MemoryBuffer>>>
readBuffers(const sortie_weights_options &options) {
  if (!options.buffers || !options.buffer_sizes)
    return nullError("the list of weight buffers");
  if (options.buffer_count == 0 || options.buffer_count > gguf::kMaxParts)
    return makeError("weights come from " + Twine(options.buffer_count) +
                     " buffers, they must be 1 to " + Twine(gguf::kMaxParts) + ": one a part");
  std::vector<std::unique_ptr<MemoryBuffer>> parts;
  for (size_t i = 0; i < options.buffer_count; ++i) {
    const std::string name = "weights in memory, part " + std::to_string(i + 1);
    if (!options.buffers[i])
      return nullError(name);
    parts.push_back(MemoryBuffer::getMemBuffer(
        StringRef(static_cast<const char *>(options.buffers[i]), options.buffer_sizes[i]), name,
        /*RequiresNullTerminator=*/false));
  }
  return parts;
}

Expected<std::unique_ptr<WeightSource>> makeSource(const sortie_weights_options &options) {
  switch (numberOf(options.source)) {
  case SORTIE_WEIGHTS_FILE: {
    if (!options.path)
      return nullError("the path of the weights");
    Expected<std::unique_ptr<gguf::Model>> model = gguf::Model::open(options.path);
    if (!model)
      return model.takeError();
    return makeFileSource(std::move(*model));
  }
  case SORTIE_WEIGHTS_MEMORY: {
    Expected<std::vector<std::unique_ptr<MemoryBuffer>>> parts = readBuffers(options);
    if (!parts)
      return parts.takeError();
    Expected<std::unique_ptr<gguf::Model>> model = gguf::Model::fromBuffers(std::move(*parts));
    if (!model)
      return model.takeError();
    return makeFileSource(std::move(*model));
  }
  case SORTIE_WEIGHTS_CALLBACK: {
    if (!options.read)
      return nullError("the weights callback");
    return makeCallbackSource(
        [read = options.read, user = options.read_user](StringRef tensor, uint64_t offset,
                                                        uint64_t size, uint8_t *destination) {
          return read(user, tensor.str().c_str(), offset, size, destination) == 0;
        });
  }
  case SORTIE_WEIGHTS_RANDOM:
    return makeRandomSource(options.seed);
  }
  return makeError("the source of the weights is " + Twine(numberOf(options.source)) +
                   ", which is none of sortie_weights_source");
}

/// What a caller asks for, checked. The model is opened last, when nothing else is wrong.
struct CheckedOptions {
  CallerObserver caller;
  std::vector<size_t> functions; ///< that are wanted
  int threads;
  std::string device;
  std::shared_ptr<const LoadedWeights> share;
  std::unique_ptr<WeightSource> source;

  static Expected<CheckedOptions> read(const Program &program, const sortie_weights_options *given);
};

Expected<CheckedOptions> CheckedOptions::read(const Program &program,
                                              const sortie_weights_options *given) {
  Expected<sortie_weights_options> options = readStruct(given);
  if (!options)
    return options.takeError();
  Expected<CallerObserver> caller = CallerObserver::read(nullptr, options->callbacks);
  if (!caller)
    return caller.takeError();
  Expected<std::vector<size_t>> functions =
      selectedFunctions(program, options->functions, options->function_count);
  if (!functions)
    return functions.takeError();
  Expected<int> threads = threadCount(options->threads);
  if (!threads)
    return threads.takeError();
  Expected<std::unique_ptr<WeightSource>> source = makeSource(*options);
  if (!source)
    return source.takeError();
  return CheckedOptions{*caller,
                        std::move(*functions),
                        *threads,
                        stringOf(options->device),
                        options->share ? options->share->loaded : nullptr,
                        std::move(*source)};
}

Expected<std::shared_ptr<const LoadedWeights>>
createWeights(const std::shared_ptr<const Program> &program,
              const sortie_weights_options *options) {
  Expected<CheckedOptions> checked = CheckedOptions::read(*program, options);
  if (!checked)
    return checked.takeError();
  if (Error error = checkFingerprint(*program, *checked->source))
    return error;
  return LoadedWeights::create(
      program, {checked->device, checked->functions, checked->threads, checked->share},
      *checked->source, [&](uint64_t done, uint64_t total) {
        return !checked->caller.report("packing weights", done, total);
      });
}

/// Tells a caller what was found.
void tellFindings(const sortie_verify_options &options, ArrayRef<Finding> findings) {
  static constexpr sortie_finding_kind kKinds[] = {SORTIE_FINDING_FINGERPRINT,
                                                   SORTIE_FINDING_TENSOR, SORTIE_FINDING_NO_HASH,
                                                   SORTIE_FINDING_HASH, SORTIE_FINDING_VALUE};
  if (!options.finding)
    return;
  for (const Finding &finding : findings) {
    sortie_finding told = SORTIE_INIT(sortie_finding);
    told.kind = kKinds[static_cast<size_t>(finding.kind)];
    told.tensor = finding.tensor.c_str();
    told.expert = finding.expert.value_or(-1);
    told.row = finding.row.value_or(-1);
    told.count = finding.count;
    told.message = finding.message.c_str();
    options.finding(options.user, &told);
  }
}

Error verify(const Program &program, const sortie_weights_options *options,
             const sortie_verify_options *givenVerify, sortie_verify_info *info) {
  Expected<sortie_verify_options> verifyOptions = readStruct(givenVerify);
  if (!verifyOptions)
    return verifyOptions.takeError();
  if (info)
    if (Error error = checkSize(*info))
      return error;
  Expected<CheckedOptions> checked = CheckedOptions::read(program, options);
  if (!checked)
    return checked.takeError();
  Expected<Verification> result = verifyWeights(
      program, *checked->source,
      {weightsOf(program, checked->functions), verifyOptions->values != 0, checked->threads},
      [&](uint64_t done, uint64_t total) {
        return !checked->caller.report("verifying weights", done, total);
      });
  if (!result)
    return result.takeError();
  sortie_verify_info value = SORTIE_INIT(sortie_verify_info);
  value.tensor_count = result->tensors;
  value.hash_count = result->hashed;
  value.byte_count = result->bytes;
  value.finding_count = result->findings.size();
  if (info)
    if (Error error = writeStruct(value, info))
      return error;
  tellFindings(*verifyOptions, result->findings);
  return result->findings.empty() ? Error::success()
                                  : findingsError(program, *checked->source, *result);
}

} // namespace

sortie_error *sortie_weights_create(const sortie_program *program,
                                    const sortie_weights_options *options,
                                    sortie_weights **weights) {
  if (Error error = requireArguments("sortie_weights_create", program, options, weights))
    return toC(std::move(error));
  Expected<std::shared_ptr<const LoadedWeights>> loaded = createWeights(program->program, options);
  if (!loaded)
    return toC(loaded.takeError());
  *weights = new sortie_weights{std::move(*loaded)};
  return nullptr;
}

void sortie_weights_destroy(sortie_weights *weights) { delete weights; }

sortie_error *sortie_weights_verify(const sortie_program *program,
                                    const sortie_weights_options *options,
                                    const sortie_verify_options *verify, sortie_verify_info *info) {
  if (Error error = requireArguments("sortie_weights_verify", program, options))
    return toC(std::move(error));
  return toC(::verify(*program->program, options, verify, info));
}

sortie_error *sortie_weights_get_info(const sortie_weights *weights, sortie_weights_info *info) {
  if (Error error = requireArguments("sortie_weights_get_info", weights, info))
    return toC(std::move(error));
  const WeightBytes bytes = weights->loaded->bytes();
  sortie_weights_info value = SORTIE_INIT(sortie_weights_info);
  value.device = weights->loaded->describeDevice().c_str();
  value.bytes = bytes.own;
  value.shared_bytes = bytes.shared;
  return toC(writeStruct(value, info));
}
