// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The signature of 'forward' is checked once, so that a run has nothing left to check.

#include "runtime/generation/SessionForward.h"

#include "runtime/cache/PagePool.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <array>

using namespace llvm;

namespace sortie::generation {

namespace {

constexpr const char *kFunction = "forward";
constexpr const char *kPages = "pages"; // the symbol; an input is called so, too

Error signatureError(const Twine &what) {
  return makeError("its function 'forward' " + what +
                   ", so it is none of a whole model: import one with sortie-translate "
                   "--import-gguf, and compile it");
}

/// Reads values of the function, and finds their symbols.
class SignatureReader {
public:
  explicit SignatureReader(const sortie_program *program) : program(program) {}

  Expected<ForwardFunction> read();

private:
  Expected<sortie_value_info> find(StringRef name, sortie_dtype dtype, size_t rank);
  Error readList(StringRef name, sortie_symbol_info &symbol);
  Error readTable(StringRef name, sortie_dtype dtype, sortie_symbol_info &symbol, int64_t &columns);
  Error readSymbol(const sortie_value_info &value, sortie_symbol_info &symbol);
  Error readPages();
  std::optional<size_t> findFunction(const char *name);
  Error readPageFunctions();
  Error readOrigin(size_t readPages);
  Error addCache(const sortie_value_info &pages);

  const sortie_program *program;
  ForwardFunction function;
};

Expected<sortie_value_info> SignatureReader::find(StringRef name, sortie_dtype dtype, size_t rank) {
  sortie_function_info info = SORTIE_INIT(sortie_function_info);
  if (Error error = toError(sortie_program_get_function(program, function.index, &info)))
    return error;
  const bool isOutput = dtype == SORTIE_F32;
  const auto get = isOutput ? sortie_program_get_output : sortie_program_get_input;
  const size_t count = isOutput ? info.output_count : info.input_count;
  if (count != (isOutput ? 1 : 5))
    return signatureError("has " + Twine(count) + (isOutput ? " outputs" : " inputs"));
  for (size_t i = 0; i < count; ++i) {
    sortie_value_info value = SORTIE_INIT(sortie_value_info);
    if (Error error = toError(get(program, function.index, i, &value)))
      return error;
    if (name != value.name)
      continue;
    if (value.dtype != dtype || value.rank != rank)
      return signatureError("has '" + name + "' of another type or rank");
    return value;
  }
  return signatureError("has no " + Twine(isOutput ? "output" : "input") + " '" + name + "'");
}

Error SignatureReader::readSymbol(const sortie_value_info &value, sortie_symbol_info &symbol) {
  const sortie_extent &extent = value.shape[0];
  if (value.shape_symbols[0] == SIZE_MAX || extent.per_symbol != 1 || extent.constant != 0)
    return signatureError("has '" + Twine(value.name) + "' of a length that is no symbol");
  return toError(sortie_program_get_symbol(program, value.shape_symbols[0], &symbol));
}

/// A list of one number for each of a symbol's.
Error SignatureReader::readList(StringRef name, sortie_symbol_info &symbol) {
  Expected<sortie_value_info> value = find(name, SORTIE_I32, 1);
  return value ? readSymbol(*value, symbol) : value.takeError();
}

/// A table of a row for each of a symbol's.
Error SignatureReader::readTable(StringRef name, sortie_dtype dtype, sortie_symbol_info &symbol,
                                 int64_t &columns) {
  Expected<sortie_value_info> value = find(name, dtype, 2);
  if (!value)
    return value.takeError();
  if (value->shape_symbols[1] != SIZE_MAX)
    return signatureError("has '" + name + "' of rows of no fixed length");
  columns = value->shape[1].constant;
  return readSymbol(*value, symbol);
}

/// How many pages a session may have.
Error SignatureReader::readPages() {
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(program, &info);
  for (size_t i = 0; i < info.symbol_count; ++i) {
    sortie_symbol_info symbol = SORTIE_INIT(sortie_symbol_info);
    if (Error error = toError(sortie_program_get_symbol(program, i, &symbol)))
      return error;
    if (symbol.is_session && StringRef(symbol.name) == kPages) {
      function.most.pages = symbol.max;
      return Error::success();
    }
  }
  return signatureError("has no cache: there is no symbol 'pages' of the session");
}

std::optional<size_t> SignatureReader::findFunction(const char *name) {
  size_t index = 0;
  if (Error error = toError(sortie_program_find_function(program, name, &index))) {
    consumeError(std::move(error)); // there is none
    return std::nullopt;
  }
  return index;
}

Error SignatureReader::readPageFunctions() {
  const auto copy = findFunction("copy_pages");
  const auto read = findFunction("read_pages");
  const auto write = findFunction("write_pages");
  if (!copy || !read || !write)
    return Error::success();
  sortie_value_info from = SORTIE_INIT(sortie_value_info);
  if (Error error = toError(sortie_program_get_input(program, *copy, 0, &from)))
    return error;
  if (from.rank != 1)
    return signatureError("has beside it a function 'copy_pages' that copies no pages");
  sortie_symbol_info copies = SORTIE_INIT(sortie_symbol_info);
  if (Error error = readSymbol(from, copies))
    return error;
  function.pages = {*copy, *read, *write};
  function.most.copies = copies.max;
  function.copies = copies.name;
  return readOrigin(*read);
}

Error SignatureReader::readOrigin(size_t readPages) {
  CacheOrigin &origin = function.origin;
  sortie_program_info program = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(this->program, &program);
  origin.numerics = program.numerics;
  if (program.has_fingerprint) {
    origin.fingerprintRule = static_cast<uint32_t>(program.fingerprint_rule);
    origin.fingerprint = program.fingerprint;
  }
  origin.importOptions = program.import_options ? program.import_options : "";
  sortie_function_info info = SORTIE_INIT(sortie_function_info);
  if (Error error = toError(sortie_program_get_function(this->program, function.index, &info)))
    return error;
  origin.activationBits = static_cast<uint32_t>(info.activation_bits);
  if (Error error = toError(sortie_program_get_function(this->program, readPages, &info)))
    return error;
  for (size_t i = 0; i < info.output_count; ++i) {
    sortie_value_info pages = SORTIE_INIT(sortie_value_info);
    if (Error error = toError(sortie_program_get_output(this->program, readPages, i, &pages)))
      return error;
    if (Error error = addCache(pages))
      return error;
  }
  return Error::success();
}

/// The cache whose pages these are, which has their name.
Error SignatureReader::addCache(const sortie_value_info &pages) {
  size_t index = 0;
  if (Error error = toError(sortie_program_find_state(program, pages.name, &index)))
    return error;
  sortie_state_info state = SORTIE_INIT(sortie_state_info);
  if (Error error = toError(sortie_program_get_state(program, index, &state)))
    return error;
  CacheLayout cache;
  cache.name = state.name;
  cache.heads = state.cache_heads;
  cache.key = state.cache_key;
  cache.value = state.cache_value;
  cache.rotated = state.cache_rotated;
  cache.width =
      state.cache_bits == 16 ? numerics::ActivationWidth::Int16 : numerics::ActivationWidth::Int8;
  if (state.cache_bits == 0 || pages.rank != 2 || pages.shape[1].constant != cache.words())
    return signatureError("has beside it a function 'read_pages' that reads '" + cache.name +
                          "', to which no function appends keys and values");
  function.origin.caches.push_back(std::move(cache));
  return Error::success();
}

Expected<ForwardFunction> SignatureReader::read() {
  if (const auto index = findFunction(kFunction))
    function.index = *index;
  else
    return makeError("has no function 'forward', which only whole models have: import one with "
                     "sortie-translate --import-gguf without --what, and compile it");
  sortie_symbol_info tokens = SORTIE_INIT(sortie_symbol_info);
  for (const StringRef name : {"tokens", "positions", "sequences"})
    if (Error error = readList(name, tokens))
      return error;
  sortie_symbol_info rows = SORTIE_INIT(sortie_symbol_info);
  if (Error error = readList("rows", rows))
    return error;
  sortie_symbol_info sequences = SORTIE_INIT(sortie_symbol_info);
  ForwardShape &most = function.most;
  if (Error error = readTable("pages", SORTIE_I32, sequences, most.tablePages))
    return error;
  if (Error error = readTable("logits", SORTIE_F32, rows, most.vocabulary))
    return error;
  if (Error error = readPages())
    return error;
  if (Error error = readPageFunctions())
    return error;
  most.tokens = tokens.max;
  most.rows = rows.max;
  most.sequences = sequences.max;
  function.tokens = tokens.name;
  function.rows = rows.name;
  function.sequences = sequences.name;
  return function;
}

/// How many pages of all caches are copied, read or written in one call. A session on a GPU keeps
/// memory for that many, though most never call it.
int64_t copiesWithin(const ForwardFunction &function) {
  constexpr size_t kBytes = size_t{64} << 20;
  if (!function.pages)
    return 0;
  const size_t bytesOfPage = std::max<size_t>(1, function.origin.words(1) * sizeof(int32_t));
  return std::clamp<int64_t>(static_cast<int64_t>(kBytes / bytesOfPage), 1, function.most.copies);
}

/// The shape of a session within the limits.
Expected<ForwardShape> shapeWithin(const ForwardFunction &function, const SessionLimits &limits) {
  const ForwardShape &most = function.most;
  if (limits.sequences > most.sequences)
    return makeError(Twine(limits.sequences) + " sequences at once: the program has room for " +
                     Twine(most.sequences) + "; take fewer");
  if (limits.pages > most.pages)
    return makeError(Twine(limits.pages) +
                     " pages of the cache are needed: the program has room "
                     "for " +
                     Twine(most.pages) + "; take fewer sequences or a smaller context");
  ForwardShape shape = most;
  shape.sequences = limits.sequences;
  shape.pages = limits.pages;
  shape.tokens = std::min(most.tokens, limits.tokens);
  shape.rows = std::min(most.rows, limits.rows);
  shape.copies = copiesWithin(function);
  return shape;
}

/// A row-major array of a run. The library only reads those that are inputs.
sortie_tensor tensorOf(const char *name, sortie_dtype dtype, const void *data,
                       ArrayRef<int64_t> shape) {
  sortie_tensor tensor = SORTIE_INIT(sortie_tensor);
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.data = const_cast<void *>(data);
  tensor.rank = shape.size();
  tensor.shape = shape.data();
  return tensor;
}

/// The index and pages of all caches, which lie one behind another.
class PageTensors {
public:
  PageTensors(const CacheOrigin &origin, ArrayRef<int32_t> index, const int32_t *words) {
    // The tensors point to shapes, which may not move.
    shapes.reserve(origin.caches.size());
    const auto count = static_cast<int64_t>(index.size());
    indexShape = count;
    tensors.push_back(tensorOf("index", SORTIE_I32, index.data(), indexShape));
    for (const CacheLayout &cache : origin.caches) {
      shapes.push_back({count, cache.words()});
      tensors.push_back(tensorOf(cache.name.c_str(), SORTIE_I32, words, shapes.back()));
      words += count * cache.words();
    }
  }
  PageTensors(const PageTensors &) = delete;

  ArrayRef<sortie_tensor> all() const { return tensors; }
  ArrayRef<sortie_tensor> index() const { return all().take_front(); }
  ArrayRef<sortie_tensor> pages() const { return all().drop_front(); }

private:
  int64_t indexShape = 0;
  std::vector<std::array<int64_t, 2>> shapes;
  std::vector<sortie_tensor> tensors;
};

/// What a session is made with. Its options point into it.
struct SessionRequest {
  SessionRequest(const ForwardFunction &function, const ForwardShape &shape,
                 const SessionLimits &limits);
  SessionRequest(const SessionRequest &) = delete;

  std::vector<sortie_symbol_value> symbols;
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
};

SessionRequest::SessionRequest(const ForwardFunction &function, const ForwardShape &shape,
                               const SessionLimits &limits) {
  const auto add = [&](const char *name, int64_t value) {
    sortie_symbol_value &symbol = symbols.emplace_back(SORTIE_INIT(sortie_symbol_value));
    symbol.name = name;
    symbol.value = value;
  };
  add(function.tokens.c_str(), shape.tokens);
  add(function.sequences.c_str(), shape.sequences);
  add(function.rows.c_str(), shape.rows);
  add(kPages, shape.pages);
  if (shape.copies != 0)
    add(function.copies.c_str(), shape.copies);
  options.device = limits.device.empty() ? nullptr : limits.device.c_str();
  options.threads = limits.threads;
  options.eager = limits.isEager;
  options.cpu_isa = limits.isa.empty() ? nullptr : limits.isa.c_str();
  options.symbols = symbols.data();
  options.symbol_count = symbols.size();
}

/// The function of a program, and the shape that a session of it has.
struct PlannedForward {
  ForwardFunction function;
  ForwardShape shape;
};

Expected<PlannedForward> planForward(const sortie_program *program, const SessionLimits &limits) {
  Expected<ForwardFunction> function = ForwardFunction::find(program);
  if (!function)
    return function.takeError();
  Expected<ForwardShape> shape = shapeWithin(*function, limits);
  if (!shape)
    return shape.takeError();
  return PlannedForward{std::move(*function), *shape};
}

} // namespace

Expected<ForwardFunction> ForwardFunction::find(const sortie_program *program) {
  return SignatureReader(program).read();
}

std::vector<size_t> ForwardFunction::functions() const {
  if (!pages)
    return {index};
  return {index, pages->copy, pages->read, pages->write};
}

Expected<std::unique_ptr<SessionForward>> SessionForward::create(const sortie_program *program,
                                                                 const sortie_weights *weights,
                                                                 const SessionLimits &limits) {
  Expected<PlannedForward> planned = planForward(program, limits);
  if (!planned)
    return planned.takeError();
  const SessionRequest request(planned->function, planned->shape, limits);
  sortie_session *created = nullptr;
  if (Error error = toError(sortie_session_create(program, weights, &request.options, &created)))
    return error;
  return std::unique_ptr<SessionForward>(
      new SessionForward(SessionPtr(created), std::move(planned->function), planned->shape));
}

Expected<sortie_memory_info> SessionForward::planMemory(const sortie_program *program,
                                                        const SessionLimits &limits) {
  Expected<PlannedForward> planned = planForward(program, limits);
  if (!planned)
    return planned.takeError();
  const SessionRequest request(planned->function, planned->shape, limits);
  const std::vector<size_t> functions = planned->function.functions();
  sortie_memory_info info = SORTIE_INIT(sortie_memory_info);
  if (Error error = toError(sortie_program_plan_memory(program, functions.data(), functions.size(),
                                                       &request.options, &info)))
    return error;
  return info;
}

Error SessionForward::call(size_t index, ArrayRef<sortie_tensor> inputs,
                           ArrayRef<sortie_tensor> outputs) {
  sortie_run_options options = SORTIE_INIT(sortie_run_options);
  options.function = index;
  options.inputs = inputs.data();
  options.input_count = inputs.size();
  options.outputs = outputs.data();
  options.output_count = outputs.size();
  return toError(sortie_session_run(session.get(), &options));
}

Error SessionForward::run(const ForwardInputs &inputs, MutableArrayRef<float> logits) {
  const auto tokens = static_cast<int64_t>(inputs.tokens.size());
  const auto rows = static_cast<int64_t>(inputs.rows.size());
  const int64_t table[] = {static_cast<int64_t>(inputs.pages.size()) / limits.tablePages,
                           limits.tablePages};
  const int64_t output[] = {rows, limits.vocabulary};
  const sortie_tensor inputTensors[] = {
      tensorOf("tokens", SORTIE_I32, inputs.tokens.data(), tokens),
      tensorOf("positions", SORTIE_I32, inputs.positions.data(), tokens),
      tensorOf("sequences", SORTIE_I32, inputs.sequences.data(), tokens),
      tensorOf("pages", SORTIE_I32, inputs.pages.data(), table),
      tensorOf("rows", SORTIE_I32, inputs.rows.data(), rows)};
  const sortie_tensor outputTensor = tensorOf("logits", SORTIE_F32, logits.data(), output);
  return call(function.index, inputTensors, outputTensor);
}

Error SessionForward::copyPages(ArrayRef<int32_t> from, ArrayRef<int32_t> to) {
  const auto count = static_cast<int64_t>(from.size());
  const sortie_tensor inputs[] = {tensorOf("from", SORTIE_I32, from.data(), count),
                                  tensorOf("to", SORTIE_I32, to.data(), count)};
  return call(function.pages->copy, inputs, {});
}

Error SessionForward::readPages(ArrayRef<int32_t> index, MutableArrayRef<int32_t> words) {
  const PageTensors tensors(origin(), index, words.data());
  return call(function.pages->read, tensors.index(), tensors.pages());
}

Error SessionForward::writePages(ArrayRef<int32_t> index, ArrayRef<int32_t> words) {
  const PageTensors tensors(origin(), index, words.data());
  return call(function.pages->write, tensors.all(), {});
}

} // namespace sortie::generation
