// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Description of a program.

#include "tools/sortie-run/Describe.h"

#include "tools/sortie-run/Api.h"
#include "tools/sortie-run/Shapes.h"

#include "dialect/common/FingerprintText.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;

namespace sortie::tool {

namespace {

/// "12.3 MiB".
void printBytes(uint64_t bytes, raw_ostream &out) {
  static constexpr const char *kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit)
    value /= 1024;
  out << format(unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
}

/// " rows 4 to 7 of 8", or nothing for a whole dimension.
void printPart(StringRef name, int64_t first, int64_t extent, int64_t total, StringRef of,
               raw_ostream &out) {
  if (extent != total)
    out << ' ' << name << ' ' << first << " to " << first + extent - 1 << of << total;
}

/// "a", "a rows 4 to 7 of 8", "a to h", "a rows 0 to 3 of each 8 transposed decoded to f32": what a
/// weight is made of.
void printTensors(const sortie_weight_info &weight, raw_ostream &out) {
  out << weight.tensor;
  if (weight.tensor_count > 1)
    out << " to " << weight.tensors[weight.tensor_count - 1];
  SmallVector<int64_t> shape(weight.shape, weight.shape + weight.rank);
  if (weight.transposed != 0)
    std::swap(shape.back(), shape[shape.size() - 2]);
  const ArrayRef whole(weight.tensor_shape, weight.tensor_rank);
  const int64_t matrices = weight.joined != 0 ? shape.front() : 1;
  if (whole.size() > 1)
    printPart("rows", weight.first_row, shape[shape.size() - 2], whole[whole.size() - 2] / matrices,
              weight.joined != 0 ? " of each " : " of ", out);
  printPart("columns", weight.first_column, shape.back(), whole.back(), " of ", out);
  if (weight.transposed != 0)
    out << " transposed";
  if (weight.decoded_format)
    out << " decoded to " << weight.decoded_format;
}

const char *dtypeName(sortie_dtype dtype) {
  static constexpr const char *kNames[] = {"f32", "i32", "f16", "bf16"};
  return kNames[dtype];
}

class Describer {
public:
  Describer(const sortie_program *program, int threads, raw_ostream &out)
      : program(program), threads(threads), out(out) {
    sortie_program_get_info(program, &info);
  }

  Error describeHeader();
  Error describeFunction(size_t index);
  Error describeKernels();

private:
  Error describeValue(const char *kind, const sortie_value_info &value);
  Error describeStates();
  Error describeState(const sortie_state_info &state);
  Error describeWeights(size_t function);

  const sortie_program *program;
  int threads;
  raw_ostream &out;
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
};

Error Describer::describeHeader() {
  out << "target       " << info.target << '\n'
      << "contract     " << info.contract << ", numerics version " << info.numerics << '\n'
      << "program ABI  " << info.abi << ", made by " << info.producer << '\n';
  if (info.has_fingerprint)
    out << "weights      of the model with fingerprint "
        << printFingerprint({info.fingerprint_rule, info.fingerprint}) << '\n';
  if (info.hash_count != 0)
    out << "             and hashes of " << info.hash_count << " tensors\n";
  if (info.import_options)
    out << "imported     with " << info.import_options << ", other than the model file says\n";
  for (size_t i = 0; i < info.symbol_count; ++i) {
    Expected<sortie_symbol_info> symbol = findSymbol(program, i);
    if (!symbol)
      return symbol.takeError();
    out << "symbol       " << symbol->name << " is "
        << (symbol->is_session ? "of a session, 1 to " : "0 to ") << symbol->max << '\n';
  }
  if (Error error = describeStates())
    return error;
  out << "functions    " << info.function_count << '\n';
  return Error::success();
}

Error Describer::describeStates() {
  for (size_t i = 0; i < info.state_count; ++i) {
    sortie_state_info state = SORTIE_INIT(sortie_state_info);
    if (Error error = toError(sortie_program_get_state(program, i, &state)))
      return error;
    if (Error error = describeState(state))
      return error;
  }
  return Error::success();
}

/// Bytes of a state where its symbol is `value`.
static uint64_t bytesAt(const sortie_state_info &state, int64_t value) {
  const bool isHalf = state.dtype == SORTIE_F16 || state.dtype == SORTIE_BF16;
  uint64_t bytes = isHalf ? 2 : 4;
  for (const sortie_extent &extent : ArrayRef(state.extents, state.rank))
    bytes *= static_cast<uint64_t>(extent.per_symbol * value + extent.constant);
  return bytes;
}

Error Describer::describeState(const sortie_state_info &state) {
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  value.name = state.name;
  value.dtype = state.dtype;
  value.rank = state.rank;
  value.shape = state.extents;
  value.shape_symbols = state.extent_symbols;
  Expected<sortie_symbol_info> symbol = findSymbol(program, symbolOf(value));
  if (!symbol)
    return symbol.takeError();
  const bool isOfSession = symbolOf(value) != SIZE_MAX;
  out << "state        " << state.name << ": " << dtypeName(state.dtype) << " [";
  printShape(value, symbol->name, ", ", out);
  out << "], ";
  printBytes(isOfSession ? bytesAt(state, 1) - bytesAt(state, 0) : state.bytes, out);
  if (isOfSession)
    out << " for each of " << symbol->name;
  out << '\n';
  return Error::success();
}

Error Describer::describeValue(const char *kind, const sortie_value_info &value) {
  Expected<sortie_symbol_info> symbol = findSymbol(program, symbolOf(value));
  if (!symbol)
    return symbol.takeError();
  out << "  " << kind << ' ' << value.name << ": " << dtypeName(value.dtype) << " [";
  printShape(value, symbol->name, ", ", out);
  out << "]\n";
  return Error::success();
}

Error Describer::describeWeights(size_t function) {
  for (size_t i = 0; i < info.weight_count; ++i) {
    int isUsed = 0;
    if (Error error = toError(sortie_program_uses_weight(program, function, i, &isUsed)))
      return error;
    if (!isUsed)
      continue;
    sortie_weight_info weight = SORTIE_INIT(sortie_weight_info);
    if (Error error = toError(sortie_program_get_weight(program, i, &weight)))
      return error;
    out << "  weight ";
    printTensors(weight, out);
    out << ": " << weight.format << " [";
    interleaveComma(ArrayRef(weight.shape, weight.rank), out);
    out << "], ";
    printBytes(weight.file_bytes, out);
    out << '\n';
  }
  return Error::success();
}

Error Describer::describeFunction(size_t index) {
  sortie_function_info function = SORTIE_INIT(sortie_function_info);
  if (Error error = toError(sortie_program_get_function(program, index, &function)))
    return error;
  out << '\n'
      << "function " << function.name << ": " << function.step_count - function.checkpoint_count
      << " steps, " << function.checkpoint_count << " named values";
  // Most programs are for one device, which the header names.
  if (StringRef(function.target) != info.target || function.device != 0)
    out << ", on device " << function.device << " of target " << function.target;
  out << '\n';
  sortie_value_info value = SORTIE_INIT(sortie_value_info);
  for (size_t i = 0; i < function.input_count; ++i) {
    if (Error error = toError(sortie_program_get_input(program, index, i, &value)))
      return error;
    if (Error error = describeValue("input", value))
      return error;
  }
  for (size_t i = 0; i < function.output_count; ++i) {
    if (Error error = toError(sortie_program_get_output(program, index, i, &value)))
      return error;
    if (Error error = describeValue("output", value))
      return error;
  }
  if (Error error = describeWeights(index))
    return error;
  sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
  if (Error error = toError(
          sortie_program_get_memory(program, &index, 1, /*max_tokens=*/0, threads, &memory)))
    return error;
  out << "  memory: weights ";
  printBytes(memory.weight_bytes, out);
  out << ", intermediate values ";
  printBytes(memory.arena_bytes, out);
  for (size_t i = 0; i < function.symbol_count; ++i) {
    Expected<sortie_symbol_info> symbol = findSymbol(program, function.symbols[i]);
    if (!symbol)
      return symbol.takeError();
    out << (i == 0 ? " at " : ", ") << symbol->max << ' ' << symbol->name;
  }
  const bool isOnHost = StringRef(function.target) == "cpu";
  out << (isOnHost ? ", threads " : ", inputs and outputs ");
  printBytes(isOnHost ? memory.scratch_bytes : memory.argument_bytes, out);
  if (memory.state_bytes != 0) {
    out << ", states ";
    printBytes(memory.state_bytes, out);
  }
  out << '\n';
  return Error::success();
}

Error Describer::describeKernels() {
  if (info.kernel_count != 0)
    out << '\n';
  for (size_t i = 0; i < info.kernel_count; ++i) {
    sortie_kernel_info kernel = SORTIE_INIT(sortie_kernel_info);
    if (Error error = toError(sortie_program_get_kernel(program, i, &kernel)))
      return error;
    out << "kernel " << kernel.name << ": " << kernel.threads << " threads";
    for (size_t j = 0; j < kernel.image_count; ++j) {
      sortie_image_info image = SORTIE_INIT(sortie_image_info);
      if (Error error = toError(sortie_program_get_image(program, i, j, &image)))
        return error;
      out << ", " << image.architecture << " (";
      printBytes(image.bytes, out);
      out << ", shared memory ";
      printBytes(image.shared_bytes, out);
      if (image.threads != kernel.threads)
        out << ", " << image.threads << " threads";
      if (const auto [x, y, z] = image.cluster; x * y * z != 1)
        out << ", clusters of " << x << " x " << y << " x " << z;
      out << ')';
    }
    out << '\n';
  }
  return Error::success();
}

} // namespace

Error describeProgram(const sortie_program *program, ArrayRef<size_t> functions, int threads,
                      raw_ostream &out) {
  Describer describer(program, threads, out);
  if (Error error = describer.describeHeader())
    return error;
  for (const size_t function : functions)
    if (Error error = describer.describeFunction(function))
      return error;
  return describer.describeKernels();
}

} // namespace sortie::tool
