// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API: translates between the structs of sortie.h and the runtime's own classes.

#include "runtime/include/sortie/sortie.h"

#include "runtime/cpu/Isa.h"
#include "runtime/cpu/Processors.h"
#include "runtime/program/Loader.h"
#include "runtime/session/CStructs.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/session/SharedSession.h"
#include "runtime/session/Verification.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <cstring>

using namespace llvm;
using namespace sortie;

//===- Handles -----------------------------------------------------===//

struct sortie_error {
  sortie_error_code code;
  std::string message;
};

struct sortie_program {
  explicit sortie_program(std::shared_ptr<const Program> loaded) : program(std::move(loaded)) {
    for (const WeightSpec &spec : program->weights)
      weights.push_back(
          {map_to_vector(spec.tensors, [](const std::string &name) { return name.c_str(); }),
           spec.tensorShape()});
  }

  /// What info structs point to, beside the program itself.
  struct WeightArrays {
    SmallVector<const char *> tensors;
    SmallVector<int64_t, 3> tensorShape;
  };

  std::shared_ptr<const Program> program;
  std::vector<WeightArrays> weights;
};

struct sortie_weights {
  std::shared_ptr<const LoadedWeights> loaded;
};

struct sortie_session {
  std::shared_ptr<const Program> program;
  std::shared_ptr<const LoadedWeights> loaded;
  std::shared_ptr<SharedSession> shared;
};

struct sortie_run {
  std::shared_ptr<SharedSession> shared;
  std::shared_ptr<SubmittedRun> run;
};

namespace {

//===- Errors ------------------------------------------------------===//

sortie_error_code codeOf(std::error_code code) {
  if (code == std::errc::no_such_file_or_directory)
    return SORTIE_ERROR_NOT_FOUND;
  if (code == std::errc::not_supported)
    return SORTIE_ERROR_UNSUPPORTED;
  if (code == std::errc::not_enough_memory || code == std::errc::resource_unavailable_try_again)
    return SORTIE_ERROR_OUT_OF_MEMORY;
  if (code == std::errc::operation_canceled)
    return SORTIE_ERROR_CANCELLED;
  if (code == std::errc::state_not_recoverable)
    return SORTIE_ERROR_DEVICE;
  if (code == std::errc::invalid_argument || code == inconvertibleErrorCode())
    return SORTIE_ERROR_INVALID;
  return SORTIE_ERROR_IO;
}

sortie_error *toC(Error error) {
  if (!error)
    return nullptr;
  std::error_code code;
  std::string message;
  handleAllErrors(std::move(error), [&](const ErrorInfoBase &info) {
    code = info.convertToErrorCode();
    message = info.message();
  });
  return new sortie_error{codeOf(code), std::move(message)};
}

Error indexError(const Twine &what, size_t index, size_t count) {
  return makeError("there is no " + what + " " + Twine(index) + ": there are " + Twine(count),
                   std::errc::no_such_file_or_directory);
}

//===- Callbacks ---------------------------------------------------===//

/// sortie_callbacks and sortie_observer as the runtime's observer.
class CallerObserver : public RunObserver {
public:
  /// Null pointers are valid.
  static Expected<CallerObserver> read(const sortie_observer *observer,
                                       const sortie_callbacks *callbacks) {
    Expected<sortie_observer> ownObserver = readStruct(observer);
    if (!ownObserver)
      return ownObserver.takeError();
    Expected<sortie_callbacks> ownCallbacks = readStruct(callbacks);
    if (!ownCallbacks)
      return ownCallbacks.takeError();
    return CallerObserver(*ownObserver, *ownCallbacks);
  }

  bool wantsSteps() const override { return observer.step; }
  void step(const StepReport &report) override {
    sortie_step_info info = SORTIE_INIT(sortie_step_info);
    info.index = report.index;
    info.operation = report.step.operation.c_str();
    info.label = report.step.label.c_str();
    info.begin_ns = report.beginNanoseconds;
    info.end_ns = report.endNanoseconds;
    info.bytes = report.cost.bytes;
    info.operations = report.cost.operations;
    observer.step(observer.user, &info);
  }

  bool wantsCheckpoints() const override { return observer.checkpoint; }
  void checkpoint(const std::string &name, std::optional<uint64_t> hash) override {
    observer.checkpoint(observer.user, name.c_str(), hash.has_value(), hash.value_or(0));
  }

  bool isCancelled(size_t done, size_t total) override { return report("steps", done, total); }

  /// True if the caller wants to stop.
  bool report(const char *what, uint64_t done, uint64_t total) const {
    if (callbacks.progress)
      callbacks.progress(callbacks.user, what, done, total);
    return callbacks.cancelled && callbacks.cancelled(callbacks.user);
  }

private:
  CallerObserver(const sortie_observer &observer, const sortie_callbacks &callbacks)
      : observer(observer), callbacks(callbacks) {}

  sortie_observer observer;
  sortie_callbacks callbacks;
};

//===- Options -----------------------------------------------------===//

std::string stringOf(const char *text) { return text ? text : ""; }

Expected<int> threadCount(int wanted) {
  constexpr int kMaxThreads = 4096;
  if (wanted < 0 || wanted > kMaxThreads)
    return makeError("the number of threads is " + Twine(wanted) + ", it must be 1 to " +
                     Twine(kMaxThreads) + ", or 0 for all processors that the process may use");
  return wanted ? wanted : std::min(cpu::availableProcessors(), kMaxThreads);
}

Expected<std::vector<size_t>> selectedFunctions(const Program &program, const size_t *functions,
                                                size_t count) {
  if (count != 0 && !functions)
    return nullError("the list of functions");
  if (count > program.functions.size())
    return makeError("a list of " + Twine(count) + " functions is given, " + program.name +
                     " has " + Twine(program.functions.size()) + "; name each one once");
  std::vector<size_t> selected;
  if (count == 0)
    for (size_t i = 0; i < program.functions.size(); ++i)
      selected.push_back(i);
  for (size_t i = 0; i < count; ++i) {
    if (functions[i] >= program.functions.size())
      return indexError("function", functions[i], program.functions.size());
    selected.push_back(functions[i]);
  }
  return selected;
}

/// An enumerator of C, which may have any value, as a number.
template <typename Enum> int numberOf(const Enum &value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof(number));
  return number;
}

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
    return makeGgufSource(std::move(*model));
  }
  case SORTIE_WEIGHTS_MEMORY: {
    Expected<std::vector<std::unique_ptr<MemoryBuffer>>> parts = readBuffers(options);
    if (!parts)
      return parts.takeError();
    Expected<std::unique_ptr<gguf::Model>> model = gguf::Model::fromBuffers(std::move(*parts));
    if (!model)
      return model.takeError();
    return makeGgufSource(std::move(*model));
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

Expected<std::shared_ptr<const LoadedWeights>>
createWeights(const std::shared_ptr<const Program> &program,
              const sortie_weights_options &options) {
  Expected<CallerObserver> caller = CallerObserver::read(nullptr, options.callbacks);
  if (!caller)
    return caller.takeError();
  Expected<std::vector<size_t>> functions =
      selectedFunctions(*program, options.functions, options.function_count);
  if (!functions)
    return functions.takeError();
  Expected<std::unique_ptr<WeightSource>> source = makeSource(options);
  if (!source)
    return source.takeError();
  if (Error error = checkFingerprint(*program, **source))
    return error;
  Expected<int> threads = threadCount(options.threads);
  if (!threads)
    return threads.takeError();
  return LoadedWeights::create(program,
                               {stringOf(options.device), weightsOf(*program, *functions), *threads,
                                options.share ? options.share->loaded : nullptr},
                               **source, [&](uint64_t done, uint64_t total) {
                                 return !caller->report("packing weights", done, total);
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

Error verify(const Program &program, const sortie_weights_options &options,
             const sortie_verify_options &verifyOptions, sortie_verify_info *info) {
  Expected<std::vector<size_t>> functions =
      selectedFunctions(program, options.functions, options.function_count);
  if (!functions)
    return functions.takeError();
  Expected<int> threads = threadCount(options.threads);
  if (!threads)
    return threads.takeError();
  Expected<std::unique_ptr<WeightSource>> source = makeSource(options);
  if (!source)
    return source.takeError();
  Expected<CallerObserver> caller = CallerObserver::read(nullptr, options.callbacks);
  if (!caller)
    return caller.takeError();
  Expected<Verification> result = verifyWeights(
      program, **source, {weightsOf(program, *functions), verifyOptions.values != 0, *threads},
      [&](uint64_t done, uint64_t total) {
        return !caller->report("verifying weights", done, total);
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
  tellFindings(verifyOptions, result->findings);
  return result->findings.empty() ? Error::success() : findingsError(program, **source, *result);
}

Expected<SessionOptions> sessionOptions(const sortie_session_options &given) {
  Expected<int> threads = threadCount(given.threads);
  if (!threads)
    return threads.takeError();
  SessionOptions options{stringOf(given.device), *threads, cpu::bestIsa(), given.max_tokens,
                         given.eager != 0};
  if (!given.cpu_isa)
    return options;
  const std::optional<cpu::Isa> isa = cpu::parseIsa(given.cpu_isa);
  std::string names;
  for (const cpu::Isa candidate : cpu::kAllIsas)
    if (cpu::isAvailable(candidate))
      names += (names.empty() ? "" : ", ") + cpu::isaName(candidate).str();
  if (!isa || !cpu::isAvailable(*isa))
    return makeError("instruction set '" + Twine(given.cpu_isa) + "' is " +
                         (isa ? "not available on this machine" : "not known") +
                         "; available here: " + names,
                     std::errc::not_supported);
  options.isa = *isa;
  return options;
}

//===- Tensors -----------------------------------------------------===//

/// More than any argument of a program has; more cannot be told from a rank that was never set.
constexpr size_t kMaxRank = 8;

Expected<TensorView> toTensorView(const sortie_tensor &given) {
  if (!given.name)
    return nullError("the name of a tensor");
  const std::string name = given.name;
  if (given.rank > kMaxRank)
    return makeError("'" + name + "' has " + Twine(given.rank) + " dimensions, at most " +
                     Twine(kMaxRank) + " are possible");
  if (given.rank != 0 && !given.shape)
    return nullError("the shape of '" + name + "'");
  if (const int dtype = numberOf(given.dtype); dtype < SORTIE_F32 || dtype > SORTIE_BF16)
    return makeError("the dtype of '" + name + "' is " + Twine(dtype) +
                     ", which is none of sortie_dtype");
  static constexpr HostType kTypes[] = {HostType::F32, HostType::I32, HostType::F16,
                                        HostType::BF16};
  if (const int memory = numberOf(given.memory); memory < SORTIE_HOST || memory > SORTIE_DEVICE)
    return makeError("the memory of '" + name + "' is " + Twine(memory) +
                     ", which is none of sortie_memory");
  TensorView tensor{name, kTypes[given.dtype], static_cast<std::byte *>(given.data), {}, {}};
  tensor.space = given.memory == SORTIE_DEVICE ? MemorySpace::Device : MemorySpace::Host;
  tensor.shape.append(given.shape, given.shape + given.rank);
  if (given.strides)
    tensor.strides.append(given.strides, given.strides + given.rank);
  else
    tensor.strides = contiguousStrides(tensor.shape, hostTypeBytes(tensor.type));
  return tensor;
}

/// The inputs or outputs of a call, of which the function has `arguments`.
Expected<std::vector<TensorView>> toTensorViews(const sortie_tensor *given, size_t count,
                                                const Function &function,
                                                ArrayRef<Argument> arguments, StringRef kind) {
  if (count != 0 && !given)
    return nullError("the list of " + kind + "s");
  if (count > arguments.size())
    return makeError("function '" + function.name + "': " + Twine(count) + " " + kind +
                     "s are given, it has " + Twine(arguments.size()));
  std::vector<TensorView> tensors;
  for (size_t i = 0; i < count; ++i) {
    Expected<sortie_tensor> element = readElement(given, i);
    if (!element)
      return element.takeError();
    Expected<TensorView> tensor = toTensorView(*element);
    if (!tensor)
      return tensor.takeError();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

/// A call that has the session for itself alone, with arguments that are what they say.
struct Call {
  const std::shared_ptr<SharedSession> &shared;
  Session &session;
  const sortie_run_options &options;
  ArrayRef<TensorView> inputs;
  ArrayRef<TensorView> outputs;
};

/// What runs of all kinds have in common: checks the options, and calls `body(call)`.
Error withArguments(const char *caller, const sortie_session *handle,
                    const sortie_run_options *given, function_ref<Error(const Call &)> body) {
  if (Error error = requireArguments(caller, handle, given))
    return error;
  Expected<sortie_run_options> options = readStruct(given);
  if (!options)
    return options.takeError();
  const Program &program = *handle->program;
  if (options->function >= program.functions.size())
    return indexError("function", options->function, program.functions.size());
  const Function &function = program.functions[options->function];
  Expected<std::vector<TensorView>> inputs =
      toTensorViews(options->inputs, options->input_count, function, function.inputs, "input");
  if (!inputs)
    return inputs.takeError();
  Expected<std::vector<TensorView>> outputs =
      toTensorViews(options->outputs, options->output_count, function, function.outputs, "output");
  if (!outputs)
    return outputs.takeError();
  const std::shared_ptr<SharedSession> shared = handle->shared; // a callback may destroy the handle
  return shared->use(caller, [&](Session *session) {
    return body({shared, *session, *options, *inputs, *outputs});
  });
}

/// Fills `info` for input or output `index` of a function.
sortie_error *getValue(const char *caller, const sortie_program *program, size_t function,
                       size_t index, bool isInput, sortie_value_info *info) {
  if (Error error = requireArguments(caller, program, info))
    return toC(std::move(error));
  static_assert(sizeof(Affine) == sizeof(sortie_extent));
  const std::vector<Function> &functions = program->program->functions;
  if (function >= functions.size())
    return toC(indexError("function", function, functions.size()));
  const std::vector<Argument> &list =
      isInput ? functions[function].inputs : functions[function].outputs;
  if (index >= list.size())
    return toC(indexError(isInput ? "input" : "output", index, list.size()));
  const Buffer &buffer = functions[function].buffers[list[index].buffer];
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  value.name = list[index].name.c_str();
  value.dtype = buffer.type == ElementType::I32 ? SORTIE_I32 : SORTIE_F32;
  value.rank = buffer.shape.size();
  value.shape = reinterpret_cast<const sortie_extent *>(buffer.shape.data());
  return toC(writeStruct(value, info));
}

sortie_error *adopt(Expected<std::shared_ptr<const Program>> loaded, sortie_program **program) {
  if (!loaded)
    return toC(loaded.takeError());
  *program = new sortie_program(std::move(*loaded));
  return nullptr;
}

} // namespace

//===- Versions and errors -----------------------------------------===//

uint32_t sortie_abi_version(void) { return SORTIE_ABI_VERSION; }

const char *sortie_version(void) { return SORTIE_VERSION; }

int sortie_available_processors(void) { return cpu::availableProcessors(); }

sortie_error_code sortie_error_get_code(const sortie_error *error) {
  return error ? error->code : SORTIE_SUCCESS;
}

const char *sortie_error_message(const sortie_error *error) {
  return error ? error->message.c_str() : "";
}

void sortie_error_destroy(sortie_error *error) { delete error; }

//===- Program -----------------------------------------------------===//

sortie_error *sortie_program_open(const char *path, sortie_program **program) {
  if (Error error = requireArguments("sortie_program_open", path, program))
    return toC(std::move(error));
  return adopt(loadProgramFile(path), program);
}

sortie_error *sortie_program_parse(const void *bytes, size_t size, const char *name,
                                   sortie_program **program) {
  if (Error error = requireArguments("sortie_program_parse", bytes, name, program))
    return toC(std::move(error));
  return adopt(loadProgram({StringRef(static_cast<const char *>(bytes), size), name}), program);
}

void sortie_program_destroy(sortie_program *program) { delete program; }

void sortie_program_get_info(const sortie_program *handle, sortie_program_info *info) {
  if (!handle || !info)
    return;
  const Program &program = *handle->program;
  sortie_program_info value = SORTIE_INIT(sortie_program_info);
  value.abi = static_cast<uint32_t>(program.abi);
  value.numerics = static_cast<uint32_t>(program.numerics);
  value.target = program.target.c_str();
  value.contract = program.contract.c_str();
  value.producer = program.producer.c_str();
  value.function_count = program.functions.size();
  value.weight_count = program.weights.size();
  value.symbol_count = program.symbols.size();
  value.has_fingerprint = program.fingerprint.has_value();
  value.fingerprint = program.fingerprint ? program.fingerprint->value : 0;
  value.kernel_count = program.kernels.size();
  value.fingerprint_rule = !program.fingerprint ? 0 : program.fingerprint->keys ? 2 : 1;
  value.hash_count = program.hashes.size();
  value.import_options = program.importOptions.empty() ? nullptr : program.importOptions.c_str();
  consumeError(writeStruct(value, info)); // there is nobody to tell
}

sortie_error *sortie_program_get_symbol(const sortie_program *program, size_t index,
                                        sortie_symbol_info *info) {
  if (Error error = requireArguments("sortie_program_get_symbol", program, info))
    return toC(std::move(error));
  const std::vector<Symbol> &symbols = program->program->symbols;
  if (index >= symbols.size())
    return toC(indexError("symbol", index, symbols.size()));
  sortie_symbol_info value = SORTIE_INIT(sortie_symbol_info);
  value.name = symbols[index].name.c_str();
  value.max = symbols[index].max;
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_get_function(const sortie_program *program, size_t index,
                                          sortie_function_info *info) {
  if (Error error = requireArguments("sortie_program_get_function", program, info))
    return toC(std::move(error));
  const std::vector<Function> &functions = program->program->functions;
  if (index >= functions.size())
    return toC(indexError("function", index, functions.size()));
  const Function &function = functions[index];
  sortie_function_info value = SORTIE_INIT(sortie_function_info);
  value.name = function.name.c_str();
  value.symbol = function.symbol ? *function.symbol : SIZE_MAX;
  value.input_count = function.inputs.size();
  value.output_count = function.outputs.size();
  value.step_count = function.steps.size();
  for (const Step &step : function.steps)
    value.checkpoint_count += std::holds_alternative<CheckpointStep>(step.body);
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_find_function(const sortie_program *program, const char *name,
                                           size_t *index) {
  if (Error error = requireArguments("sortie_program_find_function", program, name, index))
    return toC(std::move(error));
  const std::vector<Function> &functions = program->program->functions;
  std::string names;
  for (size_t i = 0; i < functions.size(); ++i) {
    if (functions[i].name == name) {
      *index = i;
      return nullptr;
    }
    names += (names.empty() ? "" : ", ") + functions[i].name;
  }
  return toC(
      makeError(program->program->name + ": has no function '" + name + "'; it has: " + names,
                std::errc::no_such_file_or_directory));
}

sortie_error *sortie_program_get_input(const sortie_program *program, size_t function, size_t index,
                                       sortie_value_info *info) {
  return getValue("sortie_program_get_input", program, function, index, /*isInput=*/true, info);
}

sortie_error *sortie_program_get_output(const sortie_program *program, size_t function,
                                        size_t index, sortie_value_info *info) {
  return getValue("sortie_program_get_output", program, function, index, /*isInput=*/false, info);
}

sortie_error *sortie_program_get_weight(const sortie_program *program, size_t index,
                                        sortie_weight_info *info) {
  if (Error error = requireArguments("sortie_program_get_weight", program, info))
    return toC(std::move(error));
  const std::vector<WeightSpec> &weights = program->program->weights;
  if (index >= weights.size())
    return toC(indexError("weight", index, weights.size()));
  const WeightSpec &spec = weights[index];
  sortie_weight_info value = SORTIE_INIT(sortie_weight_info);
  const auto &[tensors, tensorShape] = program->weights[index];
  value.tensor = tensors.front();
  value.format = numerics::kFormats[static_cast<size_t>(spec.format)].name;
  value.rank = spec.shape.size();
  value.shape = spec.shape.data();
  value.file_bytes = spec.fileBytes();
  value.packed_bytes = weightBytes(*program->program, index);
  value.tensor_count = tensors.size();
  value.tensors = tensors.data();
  value.tensor_rank = tensorShape.size();
  value.tensor_shape = tensorShape.data();
  value.first_row = spec.rowPart.first;
  value.first_column = spec.columnPart.first;
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_uses_weight(const sortie_program *program, size_t function,
                                         size_t weight, int *uses) {
  if (Error error = requireArguments("sortie_program_uses_weight", program, uses))
    return toC(std::move(error));
  const Program &loaded = *program->program;
  if (function >= loaded.functions.size())
    return toC(indexError("function", function, loaded.functions.size()));
  if (weight >= loaded.weights.size())
    return toC(indexError("weight", weight, loaded.weights.size()));
  *uses = loaded.functions[function].weights.test(weight);
  return nullptr;
}

sortie_error *sortie_program_get_kernel(const sortie_program *program, size_t index,
                                        sortie_kernel_info *info) {
  if (Error error = requireArguments("sortie_program_get_kernel", program, info))
    return toC(std::move(error));
  const std::vector<Kernel> &kernels = program->program->kernels;
  if (index >= kernels.size())
    return toC(indexError("kernel", index, kernels.size()));
  sortie_kernel_info value = SORTIE_INIT(sortie_kernel_info);
  value.name = kernels[index].name.c_str();
  value.threads = kernels[index].threads;
  value.image_count = kernels[index].images.size();
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_get_image(const sortie_program *program, size_t kernel, size_t index,
                                       sortie_image_info *info) {
  if (Error error = requireArguments("sortie_program_get_image", program, info))
    return toC(std::move(error));
  const std::vector<Kernel> &kernels = program->program->kernels;
  if (kernel >= kernels.size())
    return toC(indexError("kernel", kernel, kernels.size()));
  const std::vector<KernelImage> &images = kernels[kernel].images;
  if (index >= images.size())
    return toC(indexError("image", index, images.size()));
  sortie_image_info value = SORTIE_INIT(sortie_image_info);
  value.architecture = images[index].arch.c_str();
  value.bytes = images[index].data.size();
  value.shared_bytes = images[index].shared;
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_get_memory(const sortie_program *program, const size_t *functions,
                                        size_t function_count, int64_t max_tokens, int threads,
                                        sortie_memory_info *info) {
  if (Error error = requireArguments("sortie_program_get_memory", program, info))
    return toC(std::move(error));
  const Program &loaded = *program->program;
  Expected<std::vector<size_t>> selected = selectedFunctions(loaded, functions, function_count);
  if (!selected)
    return toC(selected.takeError());
  Expected<int> count = threadCount(threads);
  if (!count)
    return toC(count.takeError());
  if (Error error = checkTokenLimit(loaded, max_tokens))
    return toC(std::move(error));
  const MemoryPlan plan = planMemory(loaded, *selected, max_tokens);
  sortie_memory_info value = SORTIE_INIT(sortie_memory_info);
  value.weight_bytes = plan.weights;
  value.arena_bytes = plan.arena + plan.library;
  value.argument_bytes = plan.arguments;
  value.scratch_bytes = *count * cpu::ThreadPool::kScratchBytes;
  return toC(writeStruct(value, info));
}

//===- Weights -----------------------------------------------------===//

sortie_error *sortie_weights_create(const sortie_program *program,
                                    const sortie_weights_options *options,
                                    sortie_weights **weights) {
  if (Error error = requireArguments("sortie_weights_create", program, options, weights))
    return toC(std::move(error));
  Expected<sortie_weights_options> checked = readStruct(options);
  if (!checked)
    return toC(checked.takeError());
  Expected<std::shared_ptr<const LoadedWeights>> loaded = createWeights(program->program, *checked);
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
  Expected<sortie_weights_options> source = readStruct(options);
  if (!source)
    return toC(source.takeError());
  Expected<sortie_verify_options> checked = readStruct(verify);
  if (!checked)
    return toC(checked.takeError());
  if (info)
    if (Error error = checkSize(*info))
      return toC(std::move(error));
  return toC(::verify(*program->program, *source, *checked, info));
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

//===- Session -----------------------------------------------------===//

sortie_error *sortie_get_cpu_isa(size_t index, const char **name, int *is_available) {
  if (Error error = requireArguments("sortie_get_cpu_isa", name, is_available))
    return toC(std::move(error));
  if (index >= cpu::kAllIsas.size())
    return toC(indexError("instruction set", index, cpu::kAllIsas.size()));
  *name = cpu::isaName(cpu::kAllIsas[index]).data();
  *is_available = cpu::isAvailable(cpu::kAllIsas[index]);
  return nullptr;
}

sortie_error *sortie_session_create(const sortie_program *program, const sortie_weights *weights,
                                    const sortie_session_options *options,
                                    sortie_session **session) {
  if (Error error = requireArguments("sortie_session_create", program, weights, session))
    return toC(std::move(error));
  Expected<sortie_session_options> given = readStruct(options);
  if (!given)
    return toC(given.takeError());
  if (weights->loaded->program() != program->program)
    return toC(makeError("these weights have been created for another program (" +
                         weights->loaded->program()->name + ")"));
  Expected<SessionOptions> checked = sessionOptions(*given);
  if (!checked)
    return toC(checked.takeError());
  Expected<std::unique_ptr<Session>> created = weights->loaded->createSession(*checked);
  if (!created)
    return toC(created.takeError());
  *session = new sortie_session{program->program, weights->loaded,
                                std::make_shared<SharedSession>(std::move(*created))};
  return nullptr;
}

void sortie_session_destroy(sortie_session *session) {
  if (!session)
    return;
  session->shared->destroy();
  delete session;
}

const char *sortie_session_device(const sortie_session *session) {
  return session ? session->loaded->describeDevice().c_str() : "";
}

sortie_error *sortie_session_run(sortie_session *session, const sortie_run_options *options) {
  return toC(withArguments("sortie_session_run", session, options, [](const Call &call) -> Error {
    Expected<CallerObserver> observer =
        CallerObserver::read(call.options.observer, call.options.callbacks);
    if (!observer)
      return observer.takeError();
    return call.session.run(call.options.function, call.inputs, call.outputs, *observer);
  }));
}

sortie_error *sortie_session_time(sortie_session *session, const sortie_run_options *options,
                                  size_t count, uint64_t *nanoseconds) {
  constexpr size_t kMaxRepetitions = size_t{1} << 24;
  if (count != 0 && !nanoseconds)
    return toC(nullError("the list of times"));
  if (count > kMaxRepetitions)
    return toC(makeError(Twine(count) + " repetitions are asked for, at most " +
                         Twine(kMaxRepetitions) + " are possible"));
  return toC(withArguments("sortie_session_time", session, options, [&](const Call &call) {
    return call.session.time(call.options.function, call.inputs, call.outputs,
                             {nanoseconds, count});
  }));
}

//===- Submitted runs ----------------------------------------------===//

sortie_error *sortie_session_submit(sortie_session *session, const sortie_run_options *options,
                                    sortie_run **run) {
  return toC(
      withArguments("sortie_session_submit", session, options, [&](const Call &call) -> Error {
        if (call.options.observer || call.options.callbacks)
          return makeError(
              "a submitted run calls nobody; leave observer and callbacks NULL, or call "
              "sortie_session_run");
        Expected<std::shared_ptr<SubmittedRun>> submitted =
            call.session.submit(call.options.function, call.inputs, call.outputs);
        if (!submitted)
          return submitted.takeError();
        if (run)
          *run = new sortie_run{call.shared, std::move(*submitted)};
        return Error::success();
      }));
}

sortie_error *sortie_run_query(sortie_run *run, int *is_complete) {
  if (Error error = requireArguments("sortie_run_query", run, is_complete))
    return toC(std::move(error));
  const sortie_run own = *run;
  return toC(own.shared->use("sortie_run_query", [&](Session *) {
    *is_complete = own.run->isComplete();
    return Error::success();
  }));
}

sortie_error *sortie_run_wait(sortie_run *run) {
  if (Error error = requireArguments("sortie_run_wait", run))
    return toC(std::move(error));
  const sortie_run own = *run;
  return toC(own.shared->use("sortie_run_wait", [&](Session *) { return own.run->wait(); }));
}

void sortie_run_destroy(sortie_run *run) { delete run; }

sortie_error *sortie_session_query(const sortie_session *session, int *is_complete) {
  if (Error error = requireArguments("sortie_session_query", session, is_complete))
    return toC(std::move(error));
  const std::shared_ptr<SharedSession> shared = session->shared;
  return toC(shared->use("sortie_session_query", [&](Session *own) {
    *is_complete = own->isIdle();
    return Error::success();
  }));
}

sortie_error *sortie_session_wait(sortie_session *session) {
  if (Error error = requireArguments("sortie_session_wait", session))
    return toC(std::move(error));
  const std::shared_ptr<SharedSession> shared = session->shared;
  return toC(shared->use("sortie_session_wait", [](Session *own) { return own->wait(); }));
}
