// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "AttentionBuilder.h"
#include "DialectEnums.h"

using namespace mlir;
using namespace sortie;
using model::QueryKeyNorm;
using model::TensorRole;

lm::CacheType AttentionBuilder::cacheType() const {
  if (attention.latent)
    return lm::CacheType::getLatent(builder.getContext(), attention.latent->rank,
                                    attention.latent->rotated);
  return lm::CacheType::get(builder.getContext(), layer.keyHeads, attention.keyWidth,
                            attention.valueWidth);
}

Value AttentionBuilder::buildHeadNorm(TensorRole norm, int64_t heads, Value rows, StringRef name) {
  if (!hasWeight({norm}))
    return rows;
  if (config.architecture->attentionForm.norm == QueryKeyNorm::AllHeads)
    return buildNorm(norm, rows, config.epsilon, name);
  return named(lm::HeadNormOp::create(builder, rows.getType(), rows, weight({norm}),
                                      builder.getI64IntegerAttr(heads),
                                      builder.getF32FloatAttr(config.epsilon)),
               name);
}

Value AttentionBuilder::buildRotation(int64_t heads, Value rows, Value positions, StringRef name) {
  const auto bits = llvm::to_vector_of<int64_t>(frequencies);
  auto pairs = lm::PairOrderAttr::get(builder.getContext(),
                                      toDialect(config.architecture->attentionForm.pairs));
  return named(lm::RotateOp::create(builder, rows.getType(), rows, positions,
                                    builder.getI64IntegerAttr(heads), pairs,
                                    builder.getDenseI64ArrayAttr(bits),
                                    builder.getF32FloatAttr(attention.rotaryFactor)),
               name);
}

Value AttentionBuilder::buildHeads(TensorRole matrix, TensorRole norm, int64_t heads, Value normed,
                                   Value positions, StringRef name) {
  const std::string normName = (name + "_norm").str(), rotatedName = (name + "_rotated").str();
  Value projected = buildMatmul(matrix, normed, name);
  if (config.architecture->attentionForm.normFollowsRotation) {
    Value rotated = buildRotation(heads, projected, positions, rotatedName);
    return buildHeadNorm(norm, heads, rotated, normName);
  }
  Value even = buildHeadNorm(norm, heads, projected, normName);
  return buildRotation(heads, even, positions, rotatedName);
}

Value AttentionBuilder::buildAttend(Value queries, Value cache, const TokenPlaces &places) {
  return named(lm::AttendOp::create(builder, headsType(layer.heads, attention.valueWidth), queries,
                                    cache, places.positions, places.sequences, places.pages,
                                    optionalWeight({TensorRole::Sinks}),
                                    builder.getI64IntegerAttr(layer.heads),
                                    builder.getF64FloatAttr(attention.scale),
                                    builder.getI64IntegerAttr(layer.window.value_or(0)),
                                    /*query_width=*/lm::IntegerWidthAttr()),
               "attn");
}

Value AttentionBuilder::mix(Value normed, Value &cache, const TokenPlaces &places) {
  Value queries = buildHeads(TensorRole::Query, TensorRole::QueryNorm, layer.heads, normed,
                             places.positions, "q");
  Value keys = buildHeads(TensorRole::Key, TensorRole::KeyNorm, layer.keyHeads, normed,
                          places.positions, "k");
  Value values = buildMatmul(TensorRole::Value, normed, "v");
  cache = lm::AppendOp::create(builder, cache.getType(), cache, keys, values, places.positions,
                               places.sequences, places.pages);
  return buildAttend(queries, cache, places);
}

//===----------------------------------------------------------------------===//
// Latent attention
//===----------------------------------------------------------------------===//

Value AttentionBuilder::buildSlice(int64_t heads, Value rows, int64_t first, int64_t elements,
                                   StringRef name) {
  return named(lm::SliceHeadsOp::create(builder, headsType(heads, elements), rows,
                                        builder.getI64IntegerAttr(heads),
                                        builder.getI64IntegerAttr(first)),
               name);
}

Value AttentionBuilder::buildHeadMatmul(TensorRole matrices, Value rows, StringRef name) {
  Value weights = weight({matrices});
  const int64_t outputs = cast<RankedTensorType>(weights.getType()).getDimSize(1);
  return named(lm::HeadMatmulOp::create(builder, headsType(layer.heads, outputs), rows, weights,
                                        moe::ArithmeticAttr()),
               name);
}

Value AttentionBuilder::buildLatentQueries(const model::LatentSizes &latent, Value normed) {
  if (!latent.queryRank)
    return buildMatmul(TensorRole::Query, normed, "q");
  Value low = buildMatmul(TensorRole::QueryDown, normed, "q_low");
  Value even = buildNorm(TensorRole::QueryDownNorm, low, config.epsilon, "q_low_norm");
  return buildMatmul(TensorRole::QueryUp, even, "q");
}

Value AttentionBuilder::mixLatents(const model::LatentSizes &latent, Value normed, Value &cache,
                                   const TokenPlaces &places) {
  const int64_t plain = attention.keyWidth - latent.rotated;
  Value queries = buildLatentQueries(latent, normed);
  Value plainQueries = buildSlice(layer.heads, queries, 0, plain, "q_plain");
  Value turnedQueries = buildSlice(layer.heads, queries, plain, latent.rotated, "q_turned");
  Value rotatedQueries = buildRotation(layer.heads, turnedQueries, places.positions, "q_rotated");

  Value compressed = buildMatmul(TensorRole::KeyValueDown, normed, "kv_low");
  Value latents = buildSlice(1, compressed, 0, latent.rank, "latent");
  Value even = buildNorm(TensorRole::KeyValueDownNorm, latents, config.epsilon, "latent_norm");
  Value turnedKeys = buildSlice(1, compressed, latent.rank, latent.rotated, "k_turned");
  Value rotatedKeys = buildRotation(1, turnedKeys, places.positions, "k_rotated");
  cache = lm::AppendLatentOp::create(builder, cache.getType(), cache, even, rotatedKeys,
                                     places.positions, places.sequences, places.pages);

  // Keys and values are never made: queries meet the latents, and heads make values of their sums.
  Value absorbed = buildHeadMatmul(TensorRole::LatentKeyUp, plainQueries, "q_latent");
  Value attended =
      named(lm::AttendLatentOp::create(builder, headsType(layer.heads, latent.rank), absorbed,
                                       rotatedQueries, cache, places.positions, places.sequences,
                                       places.pages, builder.getI64IntegerAttr(layer.heads),
                                       builder.getF64FloatAttr(attention.scale),
                                       /*query_width=*/lm::IntegerWidthAttr()),
            "attn_latent");
  return buildHeadMatmul(TensorRole::LatentValueUp, attended, "attn");
}

//===----------------------------------------------------------------------===//
// The half
//===----------------------------------------------------------------------===//

Value AttentionBuilder::build(Value hidden, Value &cache, const TokenPlaces &places) {
  Value normed = buildNorm(TensorRole::AttentionNorm, hidden, config.epsilon, "attn_norm");
  Value attended = attention.latent ? mixLatents(*attention.latent, normed, cache, places)
                                    : mix(normed, cache, places);
  Value projected = buildMatmul(TensorRole::AttentionOutput, attended, "attn_projected");
  return buildAdd(buildScale(projected, config.residualScale, "attn_scaled"), hidden, "attn_out");
}
