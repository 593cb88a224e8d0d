// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of the attention half's configuration, part by part.

#include "runtime/model/Attention.h"

#include "runtime/numerics/attention.h"
#include "runtime/support/Error.h"

#include <cmath>

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;
using llvm::StringLiteral;
using llvm::StringRef;
using llvm::Twine;

static constexpr uint64_t kMaxHeads = uint64_t{1} << 14;
/// Positions are 32-bit numbers, and tables of pages must stay small.
static constexpr uint64_t kMaxContext = uint64_t{1} << 26;

static constexpr StringLiteral kHeadsKey = "attention.head_count";
static constexpr StringLiteral kKeyHeadsKey = "attention.head_count_kv";
static constexpr StringLiteral kWindowKey = "attention.sliding_window";
static constexpr StringLiteral kContextKey = "context_length";
static constexpr StringLiteral kScalingTypeKey = "rope.scaling.type";
static constexpr StringLiteral kScalingFactorKey = "rope.scaling.factor";
static constexpr StringLiteral kOldScalingFactorKey = "rope.scale_linear";

/// Keys that say something of YaRN, and of no other scaling.
static constexpr StringLiteral kYarnContextKey = "rope.scaling.original_context_length";
static constexpr StringLiteral kFastTurnsKey = "rope.scaling.yarn_beta_fast";
static constexpr StringLiteral kSlowTurnsKey = "rope.scaling.yarn_beta_slow";
static constexpr StringLiteral kExtensionKey = "rope.scaling.yarn_ext_factor";
/// What YaRN multiplies sine and cosine by, where a model does not leave it to the factor.
static constexpr StringLiteral kYarnFactorKey = "rope.scaling.yarn_attn_factor";
static constexpr StringLiteral kYarnKeys[] = {kYarnContextKey, kFastTurnsKey, kSlowTurnsKey,
                                              kExtensionKey, kYarnFactorKey};
/// By how much the scores of latent attention grow with YaRN's factor.
static constexpr StringLiteral kGrowthKey = "rope.scaling.yarn_log_multiplier";

static constexpr StringLiteral kKeyWidthKey = "attention.key_length";
static constexpr StringLiteral kValueWidthKey = "attention.value_length";
static constexpr StringLiteral kRotatedKey = "rope.dimension_count";
/// Whether a model was trained with its scaling, or, in some architectures, whether heads turn.
static constexpr StringLiteral kFinetunedKey = "rope.scaling.finetuned";

/// How the maker of a model stored its weights, which says nothing of how tokens are computed.
static constexpr StringLiteral kLayoutKey = "tensor_data_layout";

namespace {

/// Fills an AttentionConfig, part by part.
class AttentionReader {
public:
  AttentionReader(ConfigKeys &keys, const AttentionForm &form, ModelSizes sizes,
                  std::optional<int64_t> askedContext)
      : keys(keys), form(form), sizes(sizes), askedContext(askedContext) {}

  Expected<AttentionConfig> read();

private:
  Error readHeads();
  Error readWidths();
  Error readLatentWidths();
  /// The width of a head as the model has it. In files from before `key`, `oldKey` says it, in
  /// others the width as the cache has it.
  Error readWidthOfLatents(StringRef key, StringRef oldKey, int64_t &width);
  /// The width of a head; hidden / heads where the file does not say it.
  Error readHeadWidth(StringRef key, int64_t &width);
  Error readScale();
  Error readWindow();
  Error readRotation();
  Error checkRotates();
  Error readScaling();
  Error readLinearScaling();
  Error readYarn();
  Error readGrowthOfScores(const Yarn &yarn);
  Error readRotaryFactor();
  /// A number above 0.
  Error readPositive(StringRef key, float &value);
  /// Sets `factor` where the file has one of the keys for it; old files have one of their own.
  Error readScalingFactor(float &factor);
  Error readContext();
  Error readVocabulary();

  ConfigKeys &keys;
  const AttentionForm &form;
  ModelSizes sizes;
  std::optional<int64_t> askedContext;
  AttentionConfig config = {};
  bool scoresGrow = false;
};

} // namespace

Error AttentionReader::readHeads() {
  const ConfigKeys::Bounds bounds = {1, kMaxHeads};
  auto heads = keys.readPerLayer(kHeadsKey, bounds, sizes.layers, sizes.predictionLayers);
  if (!heads)
    return heads.takeError();
  if (Error error = keys.checkNotLeftOut(kHeadsKey))
    return error;
  if (!*heads)
    return keys.makeError(kHeadsKey,
                          Twine("is missing: a whole model needs it; ") + kFeedForwardAdvice);
  if (form.isLatent) { // All heads have the same keys, whatever the file says.
    keys.acknowledge(kKeyHeadsKey);
    for (const int64_t count : **heads)
      config.layers.push_back({count, /*keyHeads=*/1});
    return Error::success();
  }
  auto keyHeads = keys.readPerLayer(kKeyHeadsKey, bounds, sizes.layers, sizes.predictionLayers);
  if (!keyHeads)
    return keyHeads.takeError();
  for (int64_t layer = 0; layer < sizes.layers; ++layer) {
    const int64_t count = (**heads)[layer];
    const int64_t keyCount = *keyHeads ? (**keyHeads)[layer] : count;
    if (count % keyCount != 0)
      return keys.makeError(kKeyHeadsKey, "is " + Twine(keyCount) + ", which does not divide the " +
                                              Twine(count) + " heads of layer " + Twine(layer));
    config.layers.push_back({count, keyCount});
  }
  return Error::success();
}

Error AttentionReader::readHeadWidth(StringRef key, int64_t &width) {
  if (keys.lookUp(key))
    return keys.readCount(key, {1, numerics::kMaxHead}, width);
  const int64_t heads = config.layers.front().heads;
  const bool isOne = llvm::all_of(
      config.layers, [&](const LayerAttention &layer) { return layer.heads == heads; });
  width = sizes.hidden / heads;
  if (isOne && sizes.hidden % heads == 0 && width <= numerics::kMaxHead)
    return Error::success();
  return keys.makeError(key, "is missing, and " + Twine(sizes.hidden) +
                                 " elements (embedding_length) are not divided among the heads "
                                 "into at most " +
                                 Twine(numerics::kMaxHead) + " each");
}

Error AttentionReader::readWidths() {
  if (form.isLatent)
    return readLatentWidths();
  if (Error error = readHeadWidth(kKeyWidthKey, config.keyWidth))
    return error;
  return readHeadWidth(kValueWidthKey, config.valueWidth);
}

Error AttentionReader::readWidthOfLatents(StringRef key, StringRef oldKey, int64_t &width) {
  const bool isOld = !keys.lookUp(key) && keys.lookUp(oldKey);
  keys.acknowledge(oldKey);
  return keys.readCount(isOld ? oldKey : key, {1, numerics::kMaxHead}, width);
}

Error AttentionReader::readLatentWidths() {
  const ConfigKeys::Bounds bounds = {1, numerics::kMaxHead};
  LatentSizes &latent = config.latent.emplace();
  if (Error error = keys.readCount("attention.kv_lora_rank", bounds, latent.rank))
    return error;
  const StringRef queryRankKey = "attention.q_lora_rank";
  if (keys.lookUp(queryRankKey))
    if (Error error = keys.readCount(queryRankKey, {1, kMaxWidth}, latent.queryRank.emplace()))
      return error;
  if (Error error = readWidthOfLatents("attention.key_length_mla", kKeyWidthKey, config.keyWidth))
    return error;
  if (Error error =
          readWidthOfLatents("attention.value_length_mla", kValueWidthKey, config.valueWidth))
    return error;
  if (Error error = keys.readCount(kRotatedKey, bounds, latent.rotated))
    return error;
  if (latent.rotated < config.keyWidth)
    return Error::success();
  return keys.makeError(kRotatedKey, "is " + Twine(latent.rotated) +
                                         ", which leaves nothing of the " + Twine(config.keyWidth) +
                                         " elements of a key (attention.key_length_mla) for its "
                                         "latent part");
}

Error AttentionReader::readScale() {
  const StringRef key = "attention.scale";
  float scale = 0;
  if (Error error = keys.readOptionalFloat(key, scale))
    return error;
  if (!(scale >= 0 && std::isfinite(scale)))
    return keys.makeError(key, "must be finite and at least 0");
  // Files write 0 where the model has the usual scale.
  config.scale = scale > 0 ? scale : 1.0 / std::sqrt(static_cast<double>(config.keyWidth));
  const StringRef causalKey = "attention.causal";
  bool isCausal = true;
  if (Error error = keys.readOptionalBool(causalKey, isCausal))
    return error;
  if (!isCausal)
    return keys.makeError(causalKey, "is false: tokens see those after them. Sortie imports models "
                                     "whose tokens see those before them");
  return Error::success();
}

Error AttentionReader::readWindow() {
  int64_t window = 0;
  if (Error error = keys.readOptionalCount(kWindowKey, {0, kMaxContext}, window))
    return error;
  if (!form.alternatingWindow) {
    if (window > 0)
      return keys.makeError(kWindowKey, "is " + Twine(window) +
                                            "; which layers of this architecture have a window is "
                                            "not known");
    return Error::success();
  }
  if (window == 0)
    return keys.makeError(kWindowKey, "must say what every second layer sees");
  for (int64_t layer = 0; layer < sizes.layers; layer += 2)
    config.layers[layer].window = window;
  return Error::success();
}

Error AttentionReader::readScalingFactor(float &factor) {
  if (!keys.lookUp(kScalingFactorKey))
    return keys.readOptionalFloat(kOldScalingFactorKey, factor);
  keys.acknowledge(kOldScalingFactorKey);
  return keys.readFloat(kScalingFactorKey, factor);
}

Error AttentionReader::readLinearScaling() {
  if (Error error = readScalingFactor(config.rotary.divisor))
    return error;
  // Files write 0 where there is no scaling.
  if (config.rotary.divisor == 0)
    config.rotary.divisor = 1;
  return Error::success();
}

Error AttentionReader::readYarn() {
  Yarn yarn = {.factor = 1.0f, .context = 0};
  yarn.hasWholeEnds = form.yarnHasWholeEnds;
  if (Error error = keys.readFloat(kScalingFactorKey, yarn.factor))
    return error;
  if (Error error = keys.readCount(kYarnContextKey, {1, kMaxContext}, yarn.context))
    return error;
  if (Error error = keys.readOptionalFloat(kFastTurnsKey, yarn.fastTurns))
    return error;
  if (Error error = keys.readOptionalFloat(kSlowTurnsKey, yarn.slowTurns))
    return error;
  float extension = 1.0f;
  if (Error error = keys.readOptionalFloat(kExtensionKey, extension))
    return error;
  if (extension != 1.0f)
    return keys.makeError(kExtensionKey, "must be 1: Sortie knows YaRN in full alone");
  config.rotary.yarn = yarn;
  return form.isLatent ? readGrowthOfScores(yarn) : Error::success();
}

Error AttentionReader::readGrowthOfScores(const Yarn &yarn) {
  constexpr float kMost = 16.0f;
  float multiplier = 0.0f;
  if (Error error = keys.readOptionalFloat(kGrowthKey, multiplier))
    return error;
  if (!(multiplier >= 0.0f && multiplier <= kMost))
    return keys.makeError(kGrowthKey, "must be 0 to 16");
  const double growth = yarnGrowth(yarn, multiplier);
  config.scale *= growth * growth;
  scoresGrow = growth > 1.0;
  return Error::success();
}

Error AttentionReader::readScaling() {
  Expected<std::optional<StringRef>> stated = keys.readOptionalString(kScalingTypeKey);
  if (!stated)
    return stated.takeError();
  // Files from before there were types have a factor alone, which is linear.
  const StringRef type = stated->value_or("linear");
  if (type == "yarn")
    return readYarn();
  for (const StringRef key : kYarnKeys)
    keys.acknowledge(key);
  if (form.isLatent)
    keys.acknowledge(kGrowthKey);
  if (type == "linear")
    return readLinearScaling();
  if (type != "none")
    return keys.makeError(kScalingTypeKey, "is '" + type + "'; Sortie knows none, linear and yarn");
  keys.acknowledge(kScalingFactorKey);
  keys.acknowledge(kOldScalingFactorKey);
  return Error::success();
}

Error AttentionReader::checkRotates() {
  if (!form.rotationIsOptional) {
    keys.acknowledge(kFinetunedKey);
    return Error::success();
  }
  bool rotates = true;
  if (Error error = keys.readOptionalBool(kFinetunedKey, rotates))
    return error;
  if (rotates)
    return Error::success();
  return keys.makeError(kFinetunedKey, "is false: positions do not turn the heads of this model. "
                                       "Sortie imports models whose heads turn");
}

Error AttentionReader::readRotation() {
  if (Error error = checkRotates())
    return error;
  const int64_t widest = config.latent ? config.latent->rotated : config.keyWidth;
  config.rotary = {.dimensions = widest, .base = 10000.0f};
  if (Error error = keys.readOptionalCount(kRotatedKey, {2, static_cast<uint64_t>(widest)},
                                           config.rotary.dimensions))
    return error;
  if (Error error = keys.readOptionalFloat("rope.freq_base", config.rotary.base))
    return error;
  if (Error error = readScaling())
    return error;
  if (Error error = rotaryFrequencies(config.rotary).takeError())
    return sortie::makeError(keys.fileName() + ": " + toString(std::move(error)));

  return readRotaryFactor();
}

Error AttentionReader::readPositive(StringRef key, float &value) {
  if (Error error = keys.readOptionalFloat(key, value))
    return error;
  if (value > 0 && std::isfinite(value))
    return Error::success();
  return keys.makeError(key, "must be finite and above 0");
}

Error AttentionReader::readRotaryFactor() {
  if (Error error = readPositive("rope.scaling.attn_factor", config.rotaryFactor))
    return error;
  if (!config.rotary.yarn)
    return Error::success();
  // Where scores grow instead, rotated vectors do not.
  float factor = scoresGrow ? 1.0f : yarnAttentionFactor(*config.rotary.yarn);
  if (Error error = readPositive(kYarnFactorKey, factor))
    return error;
  config.rotaryFactor *= factor;
  return Error::success();
}

Error AttentionReader::readContext() {
  const ConfigKeys::Bounds bounds = {1, kMaxContext};
  const bool isStated = keys.lookUp(kContextKey);
  if (isStated)
    if (Error error = keys.readCount(kContextKey, bounds, config.context))
      return error;
  if (!askedContext) {
    if (Error error = keys.checkNotLeftOut(kContextKey))
      return error;
    return isStated ? Error::success()
                    : keys.makeError(kContextKey,
                                     "is missing; --context=N says how long a sequence may be");
  }
  if (*askedContext < 1 || *askedContext > static_cast<int64_t>(kMaxContext))
    return sortie::makeError("--context is " + Twine(*askedContext) + ", expected 1 to " +
                             Twine(kMaxContext));
  config.contextIsExceeded = isStated && *askedContext > config.context;
  config.context = *askedContext;
  return Error::success();
}

Error AttentionReader::readVocabulary() {
  const StringRef key = "vocab_size";
  if (!keys.lookUp(key))
    return Error::success();
  return keys.readCount(key, {1, kMaxWidth}, config.vocabulary.emplace());
}

Expected<AttentionConfig> AttentionReader::read() {
  using Part = Error (AttentionReader::*)();
  for (const Part part :
       {&AttentionReader::readHeads, &AttentionReader::readWidths, &AttentionReader::readScale,
        &AttentionReader::readWindow, &AttentionReader::readRotation, &AttentionReader::readContext,
        &AttentionReader::readVocabulary})
    if (Error error = (this->*part)())
      return error;
  keys.acknowledge(kLayoutKey);
  return std::move(config);
}

Expected<AttentionConfig> model::readAttentionConfig(ConfigKeys &keys, const AttentionForm &form,
                                                     ModelSizes sizes,
                                                     std::optional<int64_t> context) {
  return AttentionReader(keys, form, sizes, context).read();
}
