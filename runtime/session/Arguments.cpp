// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding of arguments.

#include "runtime/session/Arguments.h"

#include "runtime/session/Overlap.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

namespace {

/// The type of arrays that can be used in place for an argument.
HostType hostTypeOf(ElementType type) {
  switch (type) {
  case ElementType::I32:
    return HostType::I32;
  case ElementType::F16:
    return HostType::F16;
  case ElementType::BF16:
    return HostType::BF16;
  default: // the loader lets no quantized rows be arguments
    return HostType::F32;
  }
}

/// Kernels load whole cache lines: slices of an arena begin at such multiples, too.
constexpr int64_t kDeviceAlignment = 64;

std::string describe(ArrayRef<int64_t> numbers, StringRef separator = " x ") {
  std::string text;
  raw_string_ostream stream(text);
  interleave(numbers, stream, separator);
  return text;
}

/// Names the symbols of a function by their index.
using SymbolName = function_ref<StringRef(uint32_t)>;

std::string describe(ArrayRef<Affine> shape, SymbolName nameOf) {
  std::string text;
  raw_string_ostream stream(text);
  interleave(
      shape, stream,
      [&](const Affine &extent) {
        if (extent.scale == 0) {
          stream << extent.constant;
          return;
        }
        if (extent.scale != 1)
          stream << extent.scale << '*';
        stream << nameOf(extent.symbol);
        if (extent.constant != 0)
          stream << '+' << extent.constant;
      },
      " x ");
  return text;
}

bool accepts(ElementType wanted, HostType given, bool isInput) {
  return given == hostTypeOf(wanted) ||
         (wanted == ElementType::F32 && isInput && given != HostType::I32);
}

/// A symbol's value, and what gave it: "input 'x'"; empty: nothing has yet.
struct SolvedSymbol {
  int64_t value = 0;
  std::string origin;
};
using SolvedSymbols = SmallVector<SolvedSymbol, 2>;

SymbolValues valuesOf(ArrayRef<SolvedSymbol> symbols) {
  return SymbolValues(map_range(symbols, [](const SolvedSymbol &symbol) { return symbol.value; }));
}

/// Checks the arguments of one call.
class Binder {
public:
  Binder(const Program &program, const Function &function, const ArgumentLimits &limits)
      : program(program), function(function), limits(limits) {}

  /// The tensors in the order of the function's own list.
  Expected<SmallVector<const TensorView *>> match(ArrayRef<Argument> arguments,
                                                  ArrayRef<TensorView> given, bool isInput) const;
  /// The values of the function's symbols, which all inputs agree on.
  Expected<SolvedSymbols> solve(ArrayRef<const TensorView *> inputs) const;
  Error checkOutputs(ArrayRef<const TensorView *> outputs, ArrayRef<SolvedSymbol> symbols) const;
  Error checkOverlaps(ArrayRef<const TensorView *> inputs,
                      ArrayRef<const TensorView *> outputs) const;

private:
  Error error(const Twine &message, std::errc code = std::errc::invalid_argument) const {
    return makeError("function '" + function.name + "': " + message, code);
  }
  Error checkTensor(const Argument &argument, const TensorView &tensor, bool isInput) const;
  Error checkSpace(const Argument &argument, const TensorView &tensor, const Twine &kind) const;
  Error checkExtents(const Argument &argument, const TensorView &tensor, const Twine &kind) const;
  Error shapeError(const Argument &argument, const TensorView &tensor, const Twine &kind,
                   ArrayRef<SolvedSymbol> symbols = {}) const;
  /// Notes that an extent of an input is `given`.
  Error solveExtent(const Argument &argument, const TensorView &tensor, const Affine &extent,
                    int64_t given, SolvedSymbols &symbols) const;
  Error checkBounds(ArrayRef<SolvedSymbol> symbols) const;
  StringRef symbolName(uint32_t index) const {
    return program.symbols[function.symbols[index]].name;
  }
  ArrayRef<Affine> shapeOf(const Argument &argument) const {
    return function.buffers[argument.buffer].shape;
  }

  const Program &program;
  const Function &function;
  const ArgumentLimits &limits;
};

Error Binder::shapeError(const Argument &argument, const TensorView &tensor, const Twine &kind,
                         ArrayRef<SolvedSymbol> symbols) const {
  std::string where;
  for (auto [index, symbol] : enumerate(symbols))
    where += ((where.empty() ? " with " : ", ") + symbolName(index) + " = " + Twine(symbol.value) +
              ", from " + symbol.origin)
                 .str();
  const auto nameOf = [this](uint32_t index) { return symbolName(index); };
  return error(kind + " '" + argument.name + "' has shape " + describe(tensor.shape) + ", " +
               describe(shapeOf(argument), nameOf) + " is needed" + where);
}

/// No array is as large as this, nor are its elements as far from its data: addresses and their
/// differences fit into 63 bits.
constexpr int64_t kMaxReach = int64_t{1} << 60;

Error Binder::checkExtents(const Argument &argument, const TensorView &tensor,
                           const Twine &kind) const {
  int64_t bytes = hostTypeBytes(tensor.type);
  for (const int64_t extent : tensor.shape)
    if (extent < 0 || MulOverflow(bytes, std::max<int64_t>(extent, 1), bytes) || bytes > kMaxReach)
      return error(kind + " '" + argument.name + "' has an impossible shape " +
                   describe(tensor.shape));
  int64_t reach = 0;
  for (auto [extent, stride] : zip_equal(tensor.shape, tensor.strides)) {
    int64_t steps = 0;
    if (extent > 1 && (stride == INT64_MIN || MulOverflow(extent - 1, std::abs(stride), steps) ||
                       AddOverflow(reach, steps, reach) || reach > kMaxReach))
      return error(kind + " '" + argument.name + "' has impossible strides " +
                   describe(tensor.strides, ", ") + " (bytes) for its shape " +
                   describe(tensor.shape) + ": elements would be outside of all memory");
  }
  return Error::success();
}

Error Binder::checkTensor(const Argument &argument, const TensorView &tensor, bool isInput) const {
  const char *kind = isInput ? "input" : "output";
  const ElementType wanted = function.buffers[argument.buffer].type;
  if (!accepts(wanted, tensor.type, isInput))
    return error(Twine(kind) + " '" + argument.name + "' holds " + hostTypeName(tensor.type) +
                 ", " + elementTypeName(wanted) + " is needed; convert it");
  if (tensor.shape.size() != shapeOf(argument).size())
    return shapeError(argument, tensor, kind);
  if (Error failure = checkExtents(argument, tensor, kind))
    return failure;
  if (!tensor.data && tensor.elements() != 0)
    return error(Twine(kind) + " '" + argument.name + "' has no data (a null pointer)");
  return checkSpace(argument, tensor, kind);
}

/// Nothing copies elements of arrays in device memory one by one.
Error Binder::checkSpace(const Argument &argument, const TensorView &tensor,
                         const Twine &kind) const {
  if (tensor.space == MemorySpace::Host)
    return Error::success();
  if (!limits.takesDeviceMemory)
    return error(kind + " '" + argument.name +
                 "' is in device memory, which the CPU does not read; copy it to the host");
  if (function.buffers[argument.buffer].isOnHost)
    return error(kind + " '" + argument.name +
                 "' is in device memory, the function has it in host memory; copy it to the host");
  const ElementType wanted = function.buffers[argument.buffer].type;
  if (tensor.type != hostTypeOf(wanted))
    return error(kind + " '" + argument.name + "' holds " + hostTypeName(tensor.type) +
                 " in device memory, " + elementTypeName(wanted) + " is needed there; convert it");
  if (!tensor.isContiguous())
    return error(kind + " '" + argument.name +
                 "' has gaps or another order in device memory; make it contiguous");
  if (reinterpret_cast<uintptr_t>(tensor.data) % kDeviceAlignment != 0)
    return error(kind + " '" + argument.name + "' is not aligned to " + Twine(kDeviceAlignment) +
                 " bytes in device memory; copy it to memory that is");
  return Error::success();
}

Expected<SmallVector<const TensorView *>>
Binder::match(ArrayRef<Argument> arguments, ArrayRef<TensorView> given, bool isInput) const {
  const char *kind = isInput ? "input" : "output";
  SmallVector<const TensorView *> matched(arguments.size(), nullptr);
  for (const TensorView &tensor : given) {
    const auto *it = find_if(arguments, [&](const Argument &a) { return a.name == tensor.name; });
    if (it == arguments.end()) {
      std::string names;
      for (const Argument &argument : arguments)
        names += (names.empty() ? "" : ", ") + argument.name;
      return error("has no " + Twine(kind) + " '" + tensor.name + "'; it has" +
                       (names.empty() ? " none" : ": " + names),
                   std::errc::no_such_file_or_directory);
    }
    const TensorView *&slot = matched[it - arguments.begin()];
    if (slot)
      return error(Twine(kind) + " '" + tensor.name + "' is given twice");
    if (Error failure = checkTensor(*it, tensor, isInput))
      return failure;
    slot = &tensor;
  }
  for (size_t i = 0; i < arguments.size(); ++i)
    if (!matched[i])
      return error(Twine(kind) + " '" + arguments[i].name + "' is missing");
  return matched;
}

Error Binder::solveExtent(const Argument &argument, const TensorView &tensor, const Affine &extent,
                          int64_t given, SolvedSymbols &symbols) const {
  const int64_t multiple = given - extent.constant;
  if (extent.scale == 0)
    return multiple == 0 ? Error::success() : shapeError(argument, tensor, "input");
  if (multiple < 0 || multiple % extent.scale != 0)
    return shapeError(argument, tensor, "input");
  const int64_t value = multiple / extent.scale;
  SolvedSymbol &symbol = symbols[extent.symbol];
  if (!symbol.origin.empty() && symbol.value != value)
    return error("input '" + argument.name + "' gives " + Twine(value) + " for '" +
                 symbolName(extent.symbol) + "', " + symbol.origin + " gives " +
                 Twine(symbol.value));
  if (symbol.origin.empty())
    symbol = {value, "input '" + argument.name + "'"};
  return Error::success();
}

Error Binder::checkBounds(ArrayRef<SolvedSymbol> symbols) const {
  for (auto [index, symbol] : enumerate(symbols)) {
    const uint32_t inProgram = function.symbols[index];
    const int64_t most = limits.symbols[inProgram];
    if (symbol.value > most)
      return error("'" + symbolName(index) + "' is " + Twine(symbol.value) + ", at most " +
                   Twine(most) +
                   (most < program.symbols[inProgram].max
                        ? " were reserved by this session; make one with more"
                        : " were compiled in; split the input, or compile with a larger "
                          "max-tokens"));
  }
  return Error::success();
}

Expected<SolvedSymbols> Binder::solve(ArrayRef<const TensorView *> inputs) const {
  SolvedSymbols symbols;
  for (const uint32_t symbol : function.symbols)
    symbols.push_back(program.symbols[symbol].isOfSession
                          ? SolvedSymbol{limits.symbols[symbol], "the session"}
                          : SolvedSymbol());
  for (size_t i = 0; i < inputs.size(); ++i)
    for (auto [extent, given] : zip_equal(shapeOf(function.inputs[i]), inputs[i]->shape))
      if (Error failure = solveExtent(function.inputs[i], *inputs[i], extent, given, symbols))
        return failure;
  if (Error failure = checkBounds(symbols))
    return failure;
  return symbols;
}

Error Binder::checkOutputs(ArrayRef<const TensorView *> outputs,
                           ArrayRef<SolvedSymbol> symbols) const {
  const SymbolValues values = valuesOf(symbols);
  for (size_t i = 0; i < outputs.size(); ++i)
    for (auto [extent, given] : zip_equal(shapeOf(function.outputs[i]), outputs[i]->shape))
      if (given != extent.at(values))
        return shapeError(function.outputs[i], *outputs[i], "output", symbols);
  return Error::success();
}

Error Binder::checkOverlaps(ArrayRef<const TensorView *> inputs,
                            ArrayRef<const TensorView *> outputs) const {
  auto check = [&](Overlap found, const TensorView &output, const Twine &what) -> Error {
    switch (found) {
    case Overlap::None:
      return Error::success();
    case Overlap::Some:
      return error("output '" + output.name + "' overlaps " + what + "; give it memory of its own");
    case Overlap::Unknown:
      return error("the strides of output '" + output.name +
                   "' are too irregular to tell whether it overlaps " + what +
                   "; give it memory of its own");
    }
    return Error::success();
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    const TensorView &output = *outputs[i];
    if (Error failure = check(findSelfOverlap(output), output,
                              "itself: elements of it share memory (strides " +
                                  describe(output.strides, ", ") + " bytes)"))
      return failure;
    SmallVector<const TensorView *> others(inputs);
    append_range(others, outputs.drop_front(i + 1));
    for (const TensorView *other : others)
      if (Error failure =
              check(findOverlap(output, *other), output, "the memory of '" + other->name + "'"))
        return failure;
  }
  return Error::success();
}

} // namespace

Expected<Arguments> Arguments::bind(const Program &program, const Function &function,
                                    const ArgumentLimits &limits, ArrayRef<TensorView> inputs,
                                    ArrayRef<TensorView> outputs) {
  const Binder binder(program, function, limits);
  Expected<SmallVector<const TensorView *>> in = binder.match(function.inputs, inputs, true);
  if (!in)
    return in.takeError();
  Expected<SmallVector<const TensorView *>> out = binder.match(function.outputs, outputs, false);
  if (!out)
    return out.takeError();
  Expected<SolvedSymbols> symbols = binder.solve(*in);
  if (!symbols)
    return symbols.takeError();
  if (Error failure = binder.checkOutputs(*out, *symbols))
    return failure;
  if (Error failure = binder.checkOverlaps(*in, *out))
    return failure;

  Arguments arguments;
  arguments.symbolValues = valuesOf(*symbols);
  const auto typeOf = [&](const Argument &argument) {
    return hostTypeOf(function.buffers[argument.buffer].type);
  };
  for (auto [tensor, argument] : zip_equal(*in, function.inputs))
    if (Error failure = arguments.addInput(*tensor, typeOf(argument)))
      return failure;
  for (const TensorView *tensor : *out)
    if (Error failure = arguments.addOutput(*tensor))
      return failure;
  return arguments;
}

/// Memory for the elements of an array without gaps.
static Expected<AlignedBytes> allocateCopy(const TensorView &tensor, HostType type) {
  return AlignedBytes::allocate(tensor.elements() * hostTypeBytes(type),
                                "a copy of '" + tensor.name + "'");
}

Error Arguments::addInput(const TensorView &tensor, HostType type) {
  if (tensor.isContiguous() && tensor.type == type) {
    boundInputs.push_back({tensor.data, tensor.space});
    return Error::success();
  }
  Expected<AlignedBytes> copy = allocateCopy(tensor, type);
  if (!copy)
    return copy.takeError();
  copyIn(tensor, type, copy->data());
  boundInputs.push_back({copy->data(), MemorySpace::Host});
  stagedInputs.push_back({tensor, std::move(*copy)});
  return Error::success();
}

Error Arguments::addOutput(const TensorView &tensor) {
  if (tensor.isContiguous()) {
    boundOutputs.push_back({tensor.data, tensor.space});
    return Error::success();
  }
  Expected<AlignedBytes> copy = allocateCopy(tensor, tensor.type);
  if (!copy)
    return copy.takeError();
  boundOutputs.push_back({copy->data(), MemorySpace::Host});
  stagedOutputs.push_back({tensor, std::move(*copy)});
  return Error::success();
}

void Arguments::finish() const {
  for (const Staged &staged : stagedOutputs)
    copyOut(staged.bytes.data(), staged.tensor);
}

} // namespace sortie
