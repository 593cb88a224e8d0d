// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ForwardBuilder.h"
#include "AttentionBuilder.h"
#include "FeedForwardBuilder.h"

#include "runtime/numerics/attention.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace sortie;
using model::TensorRole;

namespace {

/// An input of the function: i32, with a dynamic first dimension.
struct Input {
  StringRef name;
  /// What the program calls the first dimension; `tokens` if nothing is said.
  StringRef symbol = "";
};

class ForwardBuilder : PartBuilder {
public:
  /// `builder` inserts at the end of a module.
  ForwardBuilder(ImplicitLocOpBuilder &builder, const model::Config &config,
                 const model::ModelTensors &tensors)
      : PartBuilder(builder, tensors, /*prefix=*/""), config(config), tensors(tensors) {}

  void build();

private:
  /// The function without a body.
  func::FuncOp buildFunction();
  void buildBody(func::FuncOp function);
  Value buildEmbedding(Value tokens);
  /// Both halves of a layer, and what stays in its cache.
  Value buildLayer(int64_t layer, Value hidden, const TokenPlaces &places);
  /// The logits of the tokens that `rows` names.
  Value buildLogits(Value hidden, Value rows);

  /// Rows of this many f32 elements.
  RankedTensorType rowsType(int64_t elements) {
    return RankedTensorType::get({ShapedType::kDynamic, elements}, builder.getF32Type());
  }
  std::string cacheName(int64_t layer) const { return model::layerTensorName(layer, "cache"); }

  const model::Config &config;
  const model::ModelTensors &tensors;
};

} // namespace

func::FuncOp ForwardBuilder::buildFunction() {
  const Input inputs[] = {
      {"tokens"}, {"positions"}, {"sequences"}, {"pages", "slots"}, {"rows", "rows"}};
  const int64_t pages = llvm::divideCeil(static_cast<uint64_t>(config.attention->context),
                                         uint64_t{numerics::kAttentionChunk});
  auto indices = RankedTensorType::get(ShapedType::kDynamic, builder.getI32Type());
  auto table = RankedTensorType::get({ShapedType::kDynamic, pages}, builder.getI32Type());
  auto function =
      func::FuncOp::create(builder, "forward",
                           builder.getFunctionType({indices, indices, indices, table, indices},
                                                   rowsType(tensors.vocabulary())));
  for (const auto &[number, input] : llvm::enumerate(inputs)) {
    function.setArgAttr(number, moe::MoeDialect::kNameName, builder.getStringAttr(input.name));
    if (!input.symbol.empty())
      function.setArgAttr(number, moe::MoeDialect::kSymbolName,
                          builder.getStringAttr(input.symbol));
  }
  function.setResultAttr(0, moe::MoeDialect::kNameName, builder.getStringAttr("logits"));
  return function;
}

Value ForwardBuilder::buildEmbedding(Value tokens) {
  Value rows = named(lm::EmbedOp::create(builder, rowsType(config.hidden), tokens,
                                         weight({TensorRole::TokenEmbedding})),
                     "embedding");
  return buildScale(rows, config.embeddingScale, "embedding_scaled");
}

Value ForwardBuilder::buildLayer(int64_t layer, Value hidden, const TokenPlaces &places) {
  ImplicitLocOpBuilder inLayer(layerLocation(builder.getContext(), layer), builder);
  AttentionBuilder attention(inLayer, config, tensors, layer);
  Value cache = lm::ReadCacheOp::create(inLayer, attention.cacheType(), cacheName(layer));
  Value between = attention.build(hidden, cache, places);
  lm::WriteCacheOp::create(inLayer, cache, cacheName(layer));
  return FeedForwardBuilder(inLayer, config, tensors.layers()[layer].feedForward, layer)
      .build(between);
}

Value ForwardBuilder::buildLogits(Value hidden, Value rows) {
  // What nobody wants the logits of ends here.
  Value wanted =
      named(lm::SelectRowsOp::create(builder, rowsType(config.hidden), hidden, rows), "wanted");
  Value normed = buildNorm(TensorRole::OutputNorm, wanted, config.epsilon, "output_norm");
  const bool isScaled = config.logitDivisor != 1.0f;
  Value output = buildMatmul(TensorRole::Output, normed, isScaled ? "output" : "logits");
  return buildScale(output, 1.0f / config.logitDivisor, "logits");
}

void ForwardBuilder::buildBody(func::FuncOp function) {
  builder.setInsertionPointToStart(function.addEntryBlock());
  auto arguments = function.getArguments();
  const TokenPlaces places = {arguments[1], arguments[2], arguments[3]};
  Value hidden = buildEmbedding(arguments[0]);
  for (int64_t layer = 0; layer < static_cast<int64_t>(config.layers.size()); ++layer)
    hidden = buildLayer(layer, hidden, places);
  func::ReturnOp::create(builder, buildLogits(hidden, arguments[4]));
}

void ForwardBuilder::build() {
  for (int64_t layer = 0; layer < static_cast<int64_t>(config.layers.size()); ++layer)
    lm::CacheOp::create(builder, cacheName(layer),
                        AttentionBuilder(builder, config, tensors, layer).cacheType());
  buildBody(buildFunction());
}

void sortie::buildForward(ModuleOp module, const model::Config &config,
                          const model::ModelTensors &tensors) {
  ImplicitLocOpBuilder builder(NameLoc::get(StringAttr::get(module.getContext(), "forward")),
                               module.getBodyRegion());
  builder.setInsertionPointToEnd(module.getBody());
  ForwardBuilder(builder, config, tensors).build();
}
