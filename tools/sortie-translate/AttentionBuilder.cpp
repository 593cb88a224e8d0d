// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "AttentionBuilder.h"
#include "DialectEnums.h"

using namespace mlir;
using namespace sortie;
using model::QueryKeyNorm;
using model::TensorRole;

lm::CacheType AttentionBuilder::cacheType() const {
  return lm::CacheType::get(builder.getContext(), layer.keyHeads, attention.keyWidth,
                            attention.valueWidth);
}

Value AttentionBuilder::buildHeadNorm(TensorRole norm, int64_t heads, Value rows, StringRef name) {
  switch (config.architecture->attentionForm->norm) {
  case QueryKeyNorm::None:
    return rows;
  case QueryKeyNorm::AllHeads:
    return buildNorm(norm, rows, config.epsilon, name);
  case QueryKeyNorm::EachHead:
    return named(lm::HeadNormOp::create(builder, rows.getType(), rows, weight({norm}),
                                        builder.getI64IntegerAttr(heads),
                                        builder.getF32FloatAttr(config.epsilon)),
                 name);
  }
  llvm_unreachable("all norms are handled");
}

Value AttentionBuilder::buildRotation(int64_t heads, Value rows, Value positions, StringRef name) {
  const auto bits = llvm::to_vector_of<int64_t>(frequencies);
  auto pairs = lm::PairOrderAttr::get(builder.getContext(),
                                      toDialect(config.architecture->attentionForm->pairs));
  return named(lm::RotateOp::create(builder, rows.getType(), rows, positions,
                                    builder.getI64IntegerAttr(heads), pairs,
                                    builder.getDenseI64ArrayAttr(bits),
                                    builder.getF32FloatAttr(attention.rotaryFactor)),
               name);
}

Value AttentionBuilder::buildHeads(TensorRole matrix, TensorRole norm, int64_t heads, Value normed,
                                   Value positions, StringRef name) {
  Value projected = buildMatmul(matrix, normed, name);
  Value even = buildHeadNorm(norm, heads, projected, (name + "_norm").str());
  return buildRotation(heads, even, positions, (name + "_rotated").str());
}

Value AttentionBuilder::buildAttend(Value queries, Value cache, const TokenPlaces &places) {
  auto type = RankedTensorType::get({ShapedType::kDynamic, layer.heads * attention.valueWidth},
                                    builder.getF32Type());
  return named(lm::AttendOp::create(
                   builder, type, queries, cache, places.positions, places.sequences, places.pages,
                   optionalWeight({TensorRole::Sinks}), builder.getI64IntegerAttr(layer.heads),
                   builder.getF64FloatAttr(attention.scale),
                   builder.getI64IntegerAttr(layer.window.value_or(0)),
                   /*query_width=*/lm::IntegerWidthAttr()),
               "attn");
}

Value AttentionBuilder::build(Value hidden, Value &cache, const TokenPlaces &places) {
  Value normed = buildNorm(TensorRole::AttentionNorm, hidden, config.epsilon, "attn_norm");
  Value queries = buildHeads(TensorRole::Query, TensorRole::QueryNorm, layer.heads, normed,
                             places.positions, "q");
  Value keys = buildHeads(TensorRole::Key, TensorRole::KeyNorm, layer.keyHeads, normed,
                          places.positions, "k");
  Value values = buildMatmul(TensorRole::Value, normed, "v");
  cache = lm::AppendOp::create(builder, cache.getType(), cache, keys, values, places.positions,
                               places.sequences, places.pages);
  Value attended = buildAttend(queries, cache, places);
  Value projected = buildMatmul(TensorRole::AttentionOutput, attended, "attn_projected");
  return buildAdd(projected, hidden, "attn_out");
}
