// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the ops of the dialect `lm` mean, as LmOps.td states it.

#include "test/interpreter/Products.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

/// Rows have as many columns as heads of their cache need, where types do not say how many.
static LogicalResult checkColumns(Operation *op, StringRef what, const Tensor &rows,
                                  int64_t columns) {
  if (rows.columns() == columns)
    return success();
  return op->emitOpError() << what << " have " << rows.columns() << " columns, expected "
                           << columns;
}

//===----------------------------------------------------------------------===//
// lm.embed, lm.select_rows
//===----------------------------------------------------------------------===//

/// The rows of `table` that an operand of `op` names.
static FailureOr<Tensor> pickRows(Operation *op, StringRef what, const Tensor &table,
                                  const Tensor &numbers) {
  Tensor result({numbers.shape[0], table.columns()});
  for (auto [index, number] : llvm::enumerate(numbers.elements)) {
    const FailureOr<int64_t> row = checkIndex(op, what, number, table.rows());
    if (failed(row))
      return failure();
    llvm::copy(table.row(*row), result.row(static_cast<int64_t>(index)).begin());
  }
  return result;
}

static void relateEmbed(lm::EmbedOp op, Relations &relations) {
  relations.equal({op.getTokens(), 0}, {op.getResult(), 0});
  relations.equal({op.getTable(), 1}, {op.getResult(), 1});
  relations.holds(op.getTokens(), IndexKind::Numbers, Dimension{op.getTable(), 0});
}

static LogicalResult embed(lm::EmbedOp op, Frame &frame) {
  FailureOr<Tensor> rows = pickRows(op, "tokens", frame[op.getTable()], frame[op.getTokens()]);
  if (failed(rows))
    return failure();
  frame.set(op.getResult(), std::move(*rows));
  return success();
}

static void relateSelectRows(lm::SelectRowsOp op, Relations &relations) {
  relations.equal({op.getRows(), 0}, {op.getResult(), 0});
  relations.equal({op.getInput(), 1}, {op.getResult(), 1});
  relations.holds(op.getRows(), IndexKind::Numbers, Dimension{op.getInput(), 0});
}

static LogicalResult selectRows(lm::SelectRowsOp op, Frame &frame) {
  FailureOr<Tensor> rows = pickRows(op, "rows", frame[op.getInput()], frame[op.getRows()]);
  if (failed(rows))
    return failure();
  frame.set(op.getResult(), std::move(*rows));
  return success();
}

//===----------------------------------------------------------------------===//
// lm.head_norm
//===----------------------------------------------------------------------===//

static void relateHeadNorm(lm::HeadNormOp op, Relations &relations) {
  relations.sameShape(op.getInput(), op.getResult());
  relations.scaled({op.getInput(), 1}, static_cast<int64_t>(op.getHeads()), {op.getWeight(), 0});
}

static LogicalResult headNorm(lm::HeadNormOp op, Frame &frame) {
  const std::vector<double> &weight = frame[op.getWeight()].elements;
  Tensor result = frame[op.getInput()];
  const MutableArrayRef<double> elements(result.elements);
  for (size_t first = 0; first < elements.size(); first += weight.size()) {
    const MutableArrayRef<double> head = elements.slice(first, weight.size());
    double squares = 0;
    for (const double x : head)
      squares += x * x;
    const double mean = squares / static_cast<double>(head.size());
    for (auto [x, w] : llvm::zip_equal(head, weight))
      x = x / std::sqrt(mean + op.getEps().convertToDouble()) * w;
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// lm.rotate
//===----------------------------------------------------------------------===//

/// Positions that are only turned by may be any.
constexpr int64_t kMostPositions = 1 << 20;

static void relateRotate(lm::RotateOp op, Relations &relations) {
  relations.sameShape(op.getInput(), op.getResult());
  relations.equal({op.getInput(), 0}, {op.getPositions(), 0});
  relations.holds(op.getPositions(), IndexKind::Numbers, kMostPositions);
}

/// The angle of `position` times 2^-64 turns times `frequency`. Whole turns are left out before
/// anything is rounded.
static double angleOf(double position, int64_t frequency) {
  const uint64_t phase =
      static_cast<uint64_t>(static_cast<int64_t>(position)) * static_cast<uint64_t>(frequency);
  return static_cast<double>(static_cast<int64_t>(phase)) * 0x1p-64 * 2 * std::numbers::pi;
}

static void rotateHead(lm::RotateOp op, double position, MutableArrayRef<double> head) {
  const ArrayRef<int64_t> frequencies = op.getFrequencies();
  const bool isHalves = op.getPairs() == PairOrder::Halves;
  for (auto [pair, frequency] : llvm::enumerate(frequencies)) {
    double &x = head[isHalves ? pair : 2 * pair];
    double &y = head[isHalves ? pair + frequencies.size() : 2 * pair + 1];
    const double angle = angleOf(position, frequency), factor = op.getFactor().convertToDouble();
    const double cosine = std::cos(angle) * factor, sine = std::sin(angle) * factor;
    std::tie(x, y) = std::pair(x * cosine - y * sine, y * cosine + x * sine);
  }
}

static LogicalResult rotate(lm::RotateOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  const auto heads = static_cast<int64_t>(op.getHeads());
  const int64_t width = result.columns() / heads;
  if (width * heads != result.columns() || width < 2 * std::ssize(op.getFrequencies()))
    return op.emitOpError() << "has rows of " << result.columns() << " columns, which are not "
                            << heads << " heads with two for each frequency";
  for (int64_t row = 0, rows = result.rows(); row < rows; ++row)
    for (int64_t head = 0; head < heads; ++head)
      rotateHead(op, frame[op.getPositions()].elements[row],
                 result.row(row).slice(head * width, width));
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// lm.slice_heads, lm.quantize_heads, lm.head_matmul
//===----------------------------------------------------------------------===//

static void relateSliceHeads(lm::SliceHeadsOp op, Relations &relations) {
  relations.equal({op.getInput(), 0}, {op.getResult(), 0});
}

static LogicalResult sliceHeads(lm::SliceHeadsOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()];
  const auto heads = static_cast<int64_t>(op.getHeads()),
             first = static_cast<int64_t>(op.getFirst());
  const int64_t columns = op.getType().getDimSize(1);
  if (ShapedType::isDynamic(columns))
    return op.emitOpError("does not say how many columns its result has");
  const int64_t from = input.columns() / heads, to = columns / heads;
  if (from * heads != input.columns() || first + to > from)
    return op.emitOpError() << "has rows of " << input.columns() << " columns, which are not "
                            << heads << " heads with elements " << first << " to "
                            << first + to - 1;
  Tensor result({input.rows(), columns});
  for (int64_t row = 0, rows = input.rows(); row < rows; ++row)
    for (int64_t head = 0; head < heads; ++head)
      llvm::copy(input.row(row).slice(head * from + first, to),
                 result.row(row).slice(head * to, to).begin());
  frame.set(op.getResult(), std::move(result));
  return success();
}

static void relateQuantizeHeads(lm::QuantizeHeadsOp op, Relations &relations) {
  relations.equal({op.getInput(), 0}, {op.getResult(), 0});
}

/// Quantization is the identity here.
static LogicalResult quantizeHeads(lm::QuantizeHeadsOp op, Frame &frame) {
  Tensor result = frame[op.getInput()];
  const int64_t heads = op.getType().getDimSize(1), elements = op.getType().getDimSize(2);
  if (ShapedType::isDynamic(heads) || heads * elements != result.columns())
    return op.emitOpError() << "has rows of " << result.columns() << " columns, which are not the "
                            << "heads of " << op.getType();
  result.shape = {result.rows(), heads, elements};
  frame.set(op.getResult(), std::move(result));
  return success();
}

static void relateHeadMatmul(lm::HeadMatmulOp op, Relations &relations) {
  relations.equal({op.getInput(), 0}, {op.getResult(), 0});
}

static LogicalResult headMatmul(lm::HeadMatmulOp op, Frame &frame) {
  const Tensor &input = frame[op.getInput()], &weights = frame[op.getWeights()];
  const int64_t heads = weights.shape[0], outputs = weights.shape[1], elements = weights.shape[2];
  const int64_t tokens = input.shape[0];
  if (std::ssize(input.elements) != tokens * heads * elements)
    return op.emitOpError() << "has rows that are not " << heads << " heads of " << elements;
  const ArrayRef<double> x = input.elements, w = weights.elements;
  Tensor result({tokens, heads * outputs}, /*fill=*/0);
  for (int64_t row = 0; row < tokens * heads; ++row) // of heads
    for (int64_t n = 0; n < outputs; ++n)
      for (int64_t c = 0; c < elements; ++c)
        result.elements[row * outputs + n] +=
            x[row * elements + c] * w[(row % heads * outputs + n) * elements + c];
  frame.set(op.getResult(), std::move(result));
  return success();
}

//===----------------------------------------------------------------------===//
// lm.read_cache, lm.write_cache
//===----------------------------------------------------------------------===//

static void relateReadCache(lm::ReadCacheOp, Relations &) {}

static LogicalResult readCache(lm::ReadCacheOp op, Frame &frame) {
  frame.set(op.getResult(), frame.weights.getCache(op));
  return success();
}

static void relateWriteCache(lm::WriteCacheOp, Relations &) {}

static LogicalResult writeCache(lm::WriteCacheOp op, Frame &frame) {
  CacheRef cache = frame.getCache(op.getValue());
  if (cache->getName() != op.getCache())
    return op.emitOpError() << "writes what was read from @" << cache->getName()
                            << "; the interpreter knows no cache that becomes another one";
  frame.kept[op.getCache().str()] = std::move(cache);
  return success();
}

//===----------------------------------------------------------------------===//
// lm.append, lm.append_latent
//===----------------------------------------------------------------------===//

/// The sizes and integers of the operands that say where each of the rows of `rows` belongs.
template <typename CacheOp> static void relatePlaces(CacheOp op, Value rows, Relations &relations) {
  relations.equal({rows, 0}, {op.getPositions(), 0});
  relations.equal({rows, 0}, {op.getSequences(), 0});
  relations.places.push_back({op.getPositions(), op.getSequences(), op.getPages()});
}

/// Where the position of a sequence lies.
template <typename CacheOp>
static FailureOr<CachePlace> findPlace(CacheOp op, double sequence, double position, Frame &frame) {
  const Tensor &pages = frame[op.getPages()];
  const FailureOr<int64_t> slot = checkIndex(op, "sequences", sequence, pages.rows());
  const FailureOr<int64_t> index =
      checkIndex(op, "positions", position, kPagePositions * pages.columns());
  if (failed(slot) || failed(index))
    return failure();
  const auto page = static_cast<int64_t>(pages.row(*slot)[*index / kPagePositions]);
  if (page < 0)
    return op.emitOpError() << "pages has none for position " << *index << " of sequence " << *slot;
  return CachePlace{page, *index % kPagePositions};
}

static void relateAppend(lm::AppendOp op, Relations &relations) {
  relations.equal({op.getKeys(), 0}, {op.getValues(), 0});
  relatePlaces(op, op.getKeys(), relations);
}

/// The cache with rows of `keys` and `values` where `op` says.
template <typename AppendOp>
static LogicalResult appendRows(AppendOp op, const Tensor &keys, const Tensor &values,
                                Frame &frame) {
  auto result = std::make_shared<Cache>(*frame.getCache(op.getCache()));
  for (int64_t row = 0, rows = keys.rows(); row < rows; ++row) {
    const FailureOr<CachePlace> place = findPlace(op, frame[op.getSequences()].elements[row],
                                                  frame[op.getPositions()].elements[row], frame);
    if (failed(place))
      return failure();
    result->set(*place, {keys.row(row).vec(), values.row(row).vec()});
  }
  frame.set(op.getResult(), CacheRef(std::move(result)));
  return success();
}

static LogicalResult append(lm::AppendOp op, Frame &frame) {
  const lm::CacheType type = op.getType();
  const Tensor &keys = frame[op.getKeys()], &values = frame[op.getValues()];
  if (failed(checkColumns(op, "keys", keys, type.getHeads() * type.getKey())) ||
      failed(checkColumns(op, "values", values, type.getHeads() * type.getValue())))
    return failure();
  return appendRows(op, keys, values, frame);
}

static void relateAppendLatent(lm::AppendLatentOp op, Relations &relations) {
  relations.equal({op.getLatents(), 0}, {op.getRotated(), 0});
  relatePlaces(op, op.getLatents(), relations);
}

static LogicalResult appendLatent(lm::AppendLatentOp op, Frame &frame) {
  const lm::CacheType type = op.getType();
  const Tensor &latents = frame[op.getLatents()], &rotated = frame[op.getRotated()];
  if (failed(checkColumns(op, "latents", latents, type.getKey())) ||
      failed(checkColumns(op, "rotated", rotated, type.getRotated())))
    return failure();
  return appendRows(op, latents, rotated, frame);
}

//===----------------------------------------------------------------------===//
// lm.attend, lm.attend_latent
//===----------------------------------------------------------------------===//

static void relateAttend(lm::AttendOp op, Relations &relations) {
  relations.equal({op.getQueries(), 0}, {op.getResult(), 0});
  relatePlaces(op, op.getQueries(), relations);
}

/// The rows of the cache that a token sees: the last `window`, or all (0).
template <typename AttendOp>
static FailureOr<std::vector<CacheRow>> visibleRows(AttendOp op, int64_t window, int64_t token,
                                                    Frame &frame) {
  const double sequence = frame[op.getSequences()].elements[token];
  const auto last = static_cast<int64_t>(frame[op.getPositions()].elements[token]);
  std::vector<CacheRow> rows;
  for (int64_t position = window ? std::max<int64_t>(0, last - window + 1) : 0; position <= last;
       ++position) {
    const FailureOr<CachePlace> place =
        findPlace(op, sequence, static_cast<double>(position), frame);
    if (failed(place))
      return failure();
    rows.push_back(frame.getCache(op.getCache())->at(*place));
  }
  return rows;
}

static double dot(ArrayRef<double> lhs, ArrayRef<double> rhs) {
  double sum = 0;
  for (auto [x, y] : llvm::zip_equal(lhs, rhs))
    sum += x * y;
  return sum;
}

/// Replaces scores by their softmax. The greatest is subtracted lest exp overflows.
static void applySoftmax(std::vector<double> &scores) {
  const double greatest = *llvm::max_element(scores);
  double sum = 0;
  for (double &score : scores)
    sum += score = std::exp(score - greatest);
  for (double &score : scores)
    score /= sum;
}

/// What head `head` of a token sees, weighed. The result is zero at first.
static void attendHead(lm::AttendOp op, int64_t head, ArrayRef<double> query,
                       const std::vector<CacheRow> &rows, const Tensor *sinks,
                       MutableArrayRef<double> result) {
  const lm::CacheType type = op.getCache().getType();
  const int64_t group = head / (static_cast<int64_t>(op.getHeads()) / type.getHeads());
  const auto key = [&](const CacheRow &row) {
    return ArrayRef(row.keys).slice(group * type.getKey(), type.getKey());
  };
  std::vector<double> weights;
  for (const CacheRow &row : rows)
    weights.push_back(op.getScale().convertToDouble() * dot(query, key(row)));
  if (sinks)
    weights.push_back(sinks->elements[head]);
  applySoftmax(weights);
  for (auto [weight, row] : llvm::zip(weights, rows)) // A sink has no value.
    for (auto [y, value] : llvm::zip_equal(
             result, ArrayRef(row.values).slice(group * type.getValue(), type.getValue())))
      y += weight * value;
}

static LogicalResult attend(lm::AttendOp op, Frame &frame) {
  const lm::CacheType type = op.getCache().getType();
  const auto heads = static_cast<int64_t>(op.getHeads());
  const int64_t key = type.getKey(), value = type.getValue();
  const Tensor &queries = frame[op.getQueries()];
  if (failed(checkColumns(op, "queries", queries, heads * key)))
    return failure();
  Tensor result({queries.rows(), heads * value}, /*fill=*/0);
  for (int64_t token = 0, tokens = queries.rows(); token < tokens; ++token) {
    const FailureOr<std::vector<CacheRow>> rows =
        visibleRows(op, static_cast<int64_t>(op.getWindow()), token, frame);
    if (failed(rows))
      return failure();
    for (int64_t head = 0; head < heads; ++head)
      attendHead(op, head, queries.row(token).slice(head * key, key), *rows,
                 frame.find(op.getSinks()), result.row(token).slice(head * value, value));
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

static void relateAttendLatent(lm::AttendLatentOp op, Relations &relations) {
  relations.equal({op.getQueries(), 0}, {op.getResult(), 0});
  relations.equal({op.getQueries(), 0}, {op.getRotated(), 0});
  relatePlaces(op, op.getQueries(), relations);
}

static LogicalResult attendLatent(lm::AttendLatentOp op, Frame &frame) {
  const lm::CacheType type = op.getCache().getType();
  const auto heads = static_cast<int64_t>(op.getHeads());
  const int64_t latent = type.getKey(), turned = type.getRotated();
  const Tensor &queries = frame[op.getQueries()], &rotated = frame[op.getRotated()];
  if (failed(checkColumns(op, "queries", queries, heads * latent)) ||
      failed(checkColumns(op, "rotated", rotated, heads * turned)))
    return failure();
  Tensor result({queries.rows(), heads * latent}, /*fill=*/0);
  for (int64_t token = 0, tokens = queries.rows(); token < tokens; ++token) {
    const FailureOr<std::vector<CacheRow>> rows = visibleRows(op, /*window=*/0, token, frame);
    if (failed(rows))
      return failure();
    for (int64_t head = 0; head < heads; ++head) {
      std::vector<double> weights;
      for (const CacheRow &row : *rows)
        weights.push_back(op.getScale().convertToDouble() *
                          (dot(queries.row(token).slice(head * latent, latent), row.keys) +
                           dot(rotated.row(token).slice(head * turned, turned), row.values)));
      applySoftmax(weights);
      for (auto [weight, row] : llvm::zip_equal(weights, *rows))
        for (auto [y, value] :
             llvm::zip_equal(result.row(token).slice(head * latent, latent), row.keys))
          y += weight * value;
    }
  }
  frame.set(op.getResult(), std::move(result));
  return success();
}

void sortie::interpreter::addLanguageModelOps(MeaningTable &table) {
  table.add(relateEmbed, embed);
  table.add(relateSelectRows, selectRows);
  table.add(relateHeadNorm, headNorm);
  table.add(relateRotate, rotate);
  table.add(relateSliceHeads, sliceHeads);
  table.add(relateQuantizeHeads, quantizeHeads);
  table.add(relateHeadMatmul, headMatmul);
  table.add(relateReadCache, readCache);
  table.add(relateWriteCache, writeCache);
  table.add(relateAppend, append);
  table.add(relateAppendLatent, appendLatent);
  table.add(relateAttend, attend);
  table.add(relateAttendLatent, attendLatent);
}
