// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs and outputs of a run.

#include "tools/sortie-run/Inputs.h"

#include "runtime/numerics/convert.h"
#include "runtime/support/CounterRandom.h"
#include "runtime/support/Error.h"
#include "tools/common/OutputFile.h"

#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace sortie::tool {

namespace {

/// What `random:seed=1,tokens=512,max=128` asks for.
struct RandomSpec {
  uint64_t seed = 0;
  std::optional<int64_t> tokens;
  std::optional<int32_t> max;
};

Expected<RandomSpec> parseRandom(StringRef text) {
  RandomSpec spec;
  SmallVector<StringRef> settings;
  text.split(settings, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (const StringRef setting : settings) {
    const auto [key, value] = setting.split('=');
    int64_t tokens = 0;
    int32_t max = 0;
    if (key == "seed" && !value.getAsInteger(10, spec.seed))
      continue;
    if (key == "tokens" && !value.getAsInteger(10, tokens) && tokens >= 0) {
      spec.tokens = tokens;
      continue;
    }
    if (key == "max" && !value.getAsInteger(10, max) && max > 0) {
      spec.max = max;
      continue;
    }
    return makeError("--input: '" + setting + "' in 'random:" + text +
                     "' is not understood; it takes seed=<number>, tokens=<number> and, for "
                     "integers, max=<number>");
  }
  return spec;
}

/// Memory for an array of this type and shape; `name` stands in the error.
Expected<AlignedBytes> allocate(StringRef name, sortie_dtype dtype, ArrayRef<int64_t> shape) {
  int64_t bytes = elementBytes(dtype);
  for (const int64_t extent : shape)
    if (MulOverflow(bytes, extent, bytes))
      return makeError("'" + name + "' would be too large; use fewer tokens");
  return AlignedBytes::allocate(bytes, "'" + name + "'");
}

Error checkTokens(const ValueSymbol &symbol, int64_t tokens) {
  if (tokens <= symbol.max)
    return Error::success();
  return makeError("function '" + symbol.function + "': '" + symbol.name + "' is " + Twine(tokens) +
                   ", at most " + Twine(symbol.max) +
                   " were compiled in; split the input, or compile with a larger max-tokens");
}

/// Whether the function takes an array of the input's shape; says which value of the symbol it has.
Error checkShape(const ValueSymbol &symbol, const sortie_value_info &info, InputArray &input) {
  if (matchShape(info, input.shape, input.symbol))
    return checkTokens(symbol, input.symbol.value_or(0));
  std::string message;
  raw_string_ostream out(message);
  out << "function '" << symbol.function << "': input '" << input.name << "' has shape ";
  interleave(input.shape, out, " x ");
  out << ", ";
  printShape(info, symbol.name, " x ", out);
  out << " is needed";
  return makeError(message);
}

/// The random floats of an input, rounded.
template <typename Narrow>
void fillRounded(StringRef name, uint64_t seed, std::byte *data, size_t count) {
  std::vector<float> values(count);
  fillRandomFloats(name, seed, values);
  auto *narrow = reinterpret_cast<Narrow *>(data);
  for (size_t i = 0; i < count; ++i)
    numerics::convert(values[i], narrow[i]);
}

Expected<InputArray> makeRandomInput(const ValueSymbol &symbol, const sortie_value_info &info,
                                     StringRef settings) {
  Expected<RandomSpec> spec = parseRandom(settings);
  if (!spec)
    return spec.takeError();
  const bool hasSymbol = any_of(ArrayRef(info.shape, info.rank),
                                [](const sortie_extent &e) { return e.per_symbol != 0; });
  if (hasSymbol && !spec->tokens)
    return makeError("--input " + Twine(info.name) + "=random: needs tokens=<number>");
  if (info.dtype == SORTIE_I32 && !spec->max)
    return makeError("--input " + Twine(info.name) +
                     "=random: holds integers and needs max=<number>, the first that is not made");
  InputArray input;
  input.name = info.name;
  input.dtype = info.dtype;
  if (hasSymbol) {
    input.symbol = spec->tokens;
    if (Error error = checkTokens(symbol, *input.symbol))
      return error;
  }
  input.shape = shapeAt(info, input.symbol.value_or(0));
  Expected<AlignedBytes> bytes = allocate(input.name, input.dtype, input.shape);
  if (!bytes)
    return bytes.takeError();
  input.generated = std::move(*bytes);
  std::byte *data = input.generated.data();
  input.data = StringRef(reinterpret_cast<char *>(data), input.generated.size());
  const size_t count = input.generated.size() / elementBytes(info.dtype);
  switch (info.dtype) {
  case SORTIE_I32:
    fillRandomInts(info.name, spec->seed, *spec->max, {reinterpret_cast<int32_t *>(data), count});
    break;
  case SORTIE_F32:
    fillRandomFloats(info.name, spec->seed, {reinterpret_cast<float *>(data), count});
    break;
  case SORTIE_F16:
    fillRounded<numerics::Half>(info.name, spec->seed, data, count);
    break;
  case SORTIE_BF16:
    fillRounded<numerics::BFloat16>(info.name, spec->seed, data, count);
    break;
  }
  return input;
}

} // namespace

void fillRandomFloats(StringRef name, uint64_t seed, MutableArrayRef<float> values) {
  // The sum of four 16-bit uniforms (Irwin-Hall), an exact integer, scaled once: nearly normal, and
  // the same bits everywhere, which no logarithm or cosine would give.
  constexpr float kScale = 0x1.bb67aep-16f; // sqrt(3) / 2^16
  const CounterRandom random(seed, name);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t word = random.word(i);
    const auto sum = static_cast<int32_t>((word & 0xffff) + (word >> 16 & 0xffff) +
                                          (word >> 32 & 0xffff) + (word >> 48));
    values[i] = static_cast<float>(sum - 2 * 0xffff) * kScale;
  }
}

void fillRandomInts(StringRef name, uint64_t seed, int32_t max, MutableArrayRef<int32_t> values) {
  const CounterRandom random(seed, name);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<int32_t>((random.word(i) >> 32) * static_cast<uint64_t>(max) >> 32);
}

sortie_tensor InputArray::tensor() const {
  sortie_tensor tensor = SORTIE_INIT(sortie_tensor);
  tensor.name = name.c_str();
  tensor.dtype = dtype;
  tensor.data = const_cast<char *>(data.data()); // inputs are only read
  tensor.rank = shape.size();
  tensor.shape = shape.data();
  return tensor;
}

Expected<InputArray> makeInput(const ValueSymbol &symbol, const sortie_value_info &info,
                               StringRef what) {
  if (what.consume_front("random:"))
    return makeRandomInput(symbol, info, what);
  Expected<NpyArray> array = readNpy(what, info.dtype);
  if (!array)
    return array.takeError();
  InputArray input;
  input.name = info.name;
  input.dtype = array->dtype;
  input.shape = array->shape;
  if (Error error = checkShape(symbol, info, input))
    return error;
  input.data = array->data;
  input.file = std::move(*array);
  return input;
}

sortie_tensor OutputArray::tensor() const {
  sortie_tensor tensor = SORTIE_INIT(sortie_tensor);
  tensor.name = name.c_str();
  tensor.dtype = dtype;
  tensor.data = data.data();
  tensor.rank = shape.size();
  tensor.shape = shape.data();
  return tensor;
}

Error OutputArray::write(StringRef path) const {
  std::string file = npyHeader(dtype, shape);
  file.append(reinterpret_cast<const char *>(data.data()), data.size());
  return writeOutputFile(path, file);
}

Expected<OutputArray> makeOutput(const sortie_value_info &info, int64_t symbol) {
  OutputArray output{info.name, info.dtype, shapeAt(info, symbol), {}};
  Expected<AlignedBytes> bytes = allocate(output.name, output.dtype, output.shape);
  if (!bytes)
    return bytes.takeError();
  output.data = std::move(*bytes);
  return output;
}

} // namespace sortie::tool
