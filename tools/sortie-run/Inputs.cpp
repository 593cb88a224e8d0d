// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs and outputs of a run.

#include "tools/sortie-run/Inputs.h"

#include "runtime/support/CounterRandom.h"
#include "runtime/support/Error.h"
#include "tools/common/OutputFile.h"

#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace sortie::tool {

namespace {

constexpr int64_t kElementBytes = 4; // f32 and i32

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

/// The extents of a value where its symbol has this value.
SmallVector<int64_t, 4> shapeAt(const sortie_value_info &info, int64_t symbol) {
  SmallVector<int64_t, 4> shape;
  for (const sortie_extent &extent : ArrayRef(info.shape, info.rank))
    shape.push_back(extent.per_symbol * symbol + extent.constant);
  return shape;
}

Expected<int64_t> elementCount(StringRef name, ArrayRef<int64_t> shape) {
  int64_t count = kElementBytes;
  for (const int64_t extent : shape)
    if (MulOverflow(count, extent, count))
      return makeError("'" + name + "' would be too large");
  return count / kElementBytes;
}

Expected<InputArray> makeRandomInput(const sortie_value_info &info, StringRef settings) {
  Expected<RandomSpec> spec = parseRandom(settings);
  if (!spec)
    return spec.takeError();
  const bool hasSymbol = any_of(ArrayRef(info.shape, info.rank),
                                [](const sortie_extent &e) { return e.per_symbol != 0; });
  if (hasSymbol && !spec->tokens)
    return makeError("--input " + Twine(info.name) + "=random: needs tokens=<number>");
  InputArray input;
  input.name = info.name;
  input.dtype = info.dtype;
  constexpr int64_t kMaxTokens = int64_t{1} << 31;
  input.shape = shapeAt(info, std::min(spec->tokens.value_or(0), kMaxTokens));
  Expected<int64_t> count = elementCount(input.name, input.shape);
  if (!count)
    return count.takeError();
  input.generated.resize(*count * kElementBytes);
  input.data = StringRef(input.generated.data(), input.generated.size());
  if (info.dtype == SORTIE_I32) {
    if (!spec->max)
      return makeError(
          "--input " + Twine(info.name) +
          "=random: holds integers and needs max=<number>, the first that is not made");
    fillRandomInts(info.name, spec->seed, *spec->max,
                   {reinterpret_cast<int32_t *>(input.generated.data()), size_t(*count)});
  } else {
    fillRandomFloats(info.name, spec->seed,
                     {reinterpret_cast<float *>(input.generated.data()), size_t(*count)});
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

Expected<InputArray> makeInput(const sortie_value_info &info, StringRef what) {
  if (what.consume_front("random:"))
    return makeRandomInput(info, what);
  Expected<NpyArray> array = readNpy(what);
  if (!array)
    return array.takeError();
  InputArray input;
  input.name = info.name;
  input.dtype = array->dtype;
  input.shape = array->shape;
  input.data = array->data;
  input.file = std::move(*array);
  return input;
}

sortie_tensor OutputArray::tensor() {
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
  file.append(data.data(), data.size());
  return writeOutputFile(path, file);
}

Expected<OutputArray> makeOutput(const sortie_value_info &info, int64_t symbol) {
  OutputArray output{info.name, info.dtype, shapeAt(info, symbol), {}};
  Expected<int64_t> count = elementCount(output.name, output.shape);
  if (!count)
    return count.takeError();
  output.data.resize(*count * kElementBytes);
  return output;
}

} // namespace sortie::tool
