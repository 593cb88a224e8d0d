// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs: loading, and what they say of themselves.

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Handles.h"
#include "runtime/capi/Options.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/program/CacheShape.h"
#include "runtime/program/Loader.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/session/Verification.h"

#include "llvm/ADT/SmallVectorExtras.h"

using namespace llvm;
using namespace sortie;

/// A shape, as the C API has it. `symbolOf` gives the program's symbol for an extent's.
static sortie_program::ValueArrays arraysOf(ArrayRef<Affine> shape,
                                            function_ref<size_t(uint32_t)> symbolOf) {
  sortie_program::ValueArrays value;
  for (const Affine &extent : shape) {
    value.shape.push_back({extent.scale, extent.constant});
    value.symbols.push_back(extent.scale == 0 ? SIZE_MAX : symbolOf(extent.symbol));
  }
  return value;
}

/// The shapes of a function's arguments.
static std::vector<sortie_program::ValueArrays> arraysOf(const Function &function,
                                                         ArrayRef<Argument> arguments) {
  std::vector<sortie_program::ValueArrays> values;
  for (const Argument &argument : arguments)
    values.push_back(arraysOf(function.buffers[argument.buffer].shape,
                              [&](uint32_t symbol) { return function.symbols[symbol]; }));
  return values;
}

static sortie_program::StateArrays arraysOf(const State &state) {
  const auto constantOf = [](const Affine &extent) {
    return extent.scale == 0 ? extent.constant : 0;
  };
  return {SmallVector<int64_t, 4>(map_range(state.shape, constantOf)),
          arraysOf(state.shape, [](uint32_t symbol) { return symbol; })};
}

sortie_program::sortie_program(std::shared_ptr<const Program> loaded) : program(std::move(loaded)) {
  for (const WeightSpec &spec : program->weights)
    weights.push_back(
        {map_to_vector(spec.tensors, [](const std::string &name) { return name.c_str(); }),
         spec.tensorShape()});
  for (const Function &function : program->functions)
    functions.push_back({SmallVector<size_t, 2>(function.symbols.begin(), function.symbols.end()),
                         arraysOf(function, function.inputs),
                         arraysOf(function, function.outputs)});
  for (const State &state : program->states)
    states.push_back(arraysOf(state));
}

sortie_dtype sortie::dtypeOf(ElementType type) {
  switch (type) {
  case ElementType::I32:
    return SORTIE_I32;
  case ElementType::BF16:
    return SORTIE_BF16;
  case ElementType::F16:
    return SORTIE_F16;
  default:
    return SORTIE_F32;
  }
}

/// The index of the function or state of this name.
template <typename Named>
static Error findByName(const Program &program, StringRef what, const std::vector<Named> &list,
                        StringRef name, size_t &index) {
  std::string names;
  for (size_t i = 0; i < list.size(); ++i) {
    if (list[i].name == name) {
      index = i;
      return Error::success();
    }
    names += (names.empty() ? "" : ", ") + list[i].name;
  }
  return makeError(program.name + ": has no " + what + " '" + name + "'; it has" +
                       (names.empty() ? " none" : ": " + names),
                   std::errc::no_such_file_or_directory);
}

/// Fills `info` for input or output `index` of a function.
static sortie_error *getValue(const char *caller, const sortie_program *program, size_t function,
                              size_t index, bool isInput, sortie_value_info *info) {
  if (Error error = requireArguments(caller, program, info))
    return toC(std::move(error));
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
  value.dtype = dtypeOf(buffer.type);
  value.rank = buffer.shape.size();
  const sortie_program::FunctionArrays &arrays = program->functions[function];
  const auto &[shape, symbols] = (isInput ? arrays.inputs : arrays.outputs)[index];
  value.shape = shape.data();
  value.shape_symbols = symbols.data();
  return toC(writeStruct(value, info));
}

static sortie_error *adopt(Expected<std::shared_ptr<const Program>> loaded,
                           sortie_program **program) {
  if (!loaded)
    return toC(loaded.takeError());
  *program = new sortie_program(std::move(*loaded));
  return nullptr;
}

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
  value.fingerprint_rule = program.fingerprint ? ruleOf(*program.fingerprint) : 0;
  value.hash_count = program.hashes.size();
  value.state_count = program.states.size();
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
  value.is_session = symbols[index].isOfSession;
  return toC(writeStruct(value, info));
}

/// As sortie_function_info has it.
static int activationBits(const Function &function) {
  const auto has = [&](ElementType type) {
    return llvm::any_of(function.buffers,
                        [&](const Buffer &buffer) { return buffer.type == type; });
  };
  return (has(ElementType::Act8) ? 8 : 0) + (has(ElementType::Act16) ? 16 : 0);
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
  if (function.symbols.size() > 1 && info->struct_size < offsetof(sortie_function_info, target))
    return toC(
        makeError("function '" + function.name +
                  "' has several symbols, which this caller's version of "
                  "sortie_function_info cannot say; build the caller with a newer sortie.h"));
  value.symbol = function.symbols.size() == 1 ? function.symbols[0] : SIZE_MAX;
  value.symbol_count = function.symbols.size();
  value.symbols = function.symbols.empty() ? nullptr : program->functions[index].symbols.data();
  value.input_count = function.inputs.size();
  value.output_count = function.outputs.size();
  value.step_count = function.steps.size();
  value.target = program->program->partitionOf(function).target.c_str();
  value.device = program->program->partitionOf(function).device;
  value.activation_bits = activationBits(function);
  for (const Step &step : function.steps)
    value.checkpoint_count += std::holds_alternative<Checkpoint>(step.action);
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_find_function(const sortie_program *program, const char *name,
                                           size_t *index) {
  if (Error error = requireArguments("sortie_program_find_function", program, name, index))
    return toC(std::move(error));
  return toC(findByName(*program->program, "function", program->program->functions, name, *index));
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
  value.format = numerics::kEncodings[static_cast<size_t>(spec.storedInfo().encoding)].name;
  value.rank = spec.shape.size();
  value.shape = spec.shape.data();
  value.file_bytes = spec.storedBytes();
  value.packed_bytes = weightBytes(*program->program, index);
  value.tensor_count = tensors.size();
  value.tensors = tensors.data();
  value.tensor_rank = tensorShape.size();
  value.tensor_shape = tensorShape.data();
  value.first_row = spec.rowPart.first;
  value.first_column = spec.columnPart.first;
  value.joined = spec.layout.isJoined ? 1 : 0;
  value.transposed = spec.layout.isTransposed ? 1 : 0;
  value.decoded_format = spec.layout.stored ? spec.info().name : nullptr;
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

sortie_error *sortie_program_get_state(const sortie_program *program, size_t index,
                                       sortie_state_info *info) {
  if (Error error = requireArguments("sortie_program_get_state", program, info))
    return toC(std::move(error));
  const std::vector<State> &states = program->program->states;
  if (index >= states.size())
    return toC(indexError("state", index, states.size()));
  const State &state = states[index];
  sortie_state_info value = SORTIE_INIT(sortie_state_info);
  value.name = state.name.c_str();
  value.dtype = dtypeOf(state.type);
  const auto &[shape, extents] = program->states[index];
  value.rank = shape.size();
  value.shape = shape.data();
  value.bytes = state.bytes.scale == 0 ? static_cast<uint64_t>(state.bytes.constant) : 0;
  value.extents = extents.shape.data();
  value.extent_symbols = extents.symbols.data();
  if (const auto cache = cacheShapeOf(*program->program, static_cast<uint32_t>(index))) {
    value.cache_heads = cache->heads;
    value.cache_key = cache->key;
    value.cache_value = cache->value;
    value.cache_rotated = cache->rotated;
    value.cache_bits = cache->bits;
  }
  return toC(writeStruct(value, info));
}

sortie_error *sortie_program_find_state(const sortie_program *program, const char *name,
                                        size_t *index) {
  if (Error error = requireArguments("sortie_program_find_state", program, name, index))
    return toC(std::move(error));
  return toC(findByName(*program->program, "state", program->program->states, name, *index));
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
  const KernelImage &image = images[index];
  sortie_image_info value = SORTIE_INIT(sortie_image_info);
  value.architecture = image.arch.c_str();
  value.bytes = image.data.size();
  value.shared_bytes = image.shared;
  value.threads = kernels[kernel].threadsOf(image);
  llvm::copy(image.cluster, value.cluster);
  return toC(writeStruct(value, info));
}

/// Fills `info` for functions of a list, within `limits`.
static Error planMemory(const Program &program, const size_t *functions, size_t count, int threads,
                        Expected<SymbolLimits> limits, sortie_memory_info *info) {
  if (!limits)
    return limits.takeError();
  Expected<std::vector<size_t>> selected = selectedFunctions(program, functions, count);
  if (!selected)
    return selected.takeError();
  Expected<int> threadsUsed = threadCount(threads);
  if (!threadsUsed)
    return threadsUsed.takeError();
  if (Error error = checkStates(program, *limits))
    return error;
  const MemoryPlan plan = planMemory(program, *selected, *limits);
  sortie_memory_info value = SORTIE_INIT(sortie_memory_info);
  value.weight_bytes = plan.weights;
  value.arena_bytes = plan.arena + plan.library;
  value.argument_bytes = plan.arguments;
  value.state_bytes = plan.states;
  value.scratch_bytes = *threadsUsed * cpu::ThreadPool::kScratchBytes;
  return writeStruct(value, info);
}

sortie_error *sortie_program_get_memory(const sortie_program *program, const size_t *functions,
                                        size_t function_count, int64_t max_tokens, int threads,
                                        sortie_memory_info *info) {
  if (Error error = requireArguments("sortie_program_get_memory", program, info))
    return toC(std::move(error));
  const Program &loaded = *program->program;
  return toC(planMemory(loaded, functions, function_count, threads,
                        SymbolLimits::createWithoutSession(loaded, max_tokens), info));
}

sortie_error *sortie_program_plan_memory(const sortie_program *program, const size_t *functions,
                                         size_t function_count,
                                         const sortie_session_options *options,
                                         sortie_memory_info *info) {
  if (Error error = requireArguments("sortie_program_plan_memory", program, info))
    return toC(std::move(error));
  Expected<sortie_session_options> given = readStruct(options);
  if (!given)
    return toC(given.takeError());
  Expected<std::vector<SymbolChoice>> choices = symbolChoices(*given);
  if (!choices)
    return toC(choices.takeError());
  const Program &loaded = *program->program;
  return toC(planMemory(loaded, functions, function_count, given->threads,
                        SymbolLimits::create(loaded, given->max_tokens, *choices), info));
}
