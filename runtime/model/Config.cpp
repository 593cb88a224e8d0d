// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of the configuration, part by part.

#include "runtime/model/Config.h"

#include "runtime/numerics/contract.h"
#include "runtime/support/Error.h"

#include <cmath>

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;
using llvm::StringLiteral;
using llvm::StringRef;
using llvm::Twine;

/// The most that a count of layers can sensibly be.
static constexpr uint64_t kMaxLayers = uint64_t{1} << 16;

static constexpr StringLiteral kExpertsKey = "expert_count";
static constexpr StringLiteral kLeadingDenseKey = "leading_dense_block_count";
static constexpr StringLiteral kUsedKey = "expert_used_count";
static constexpr StringLiteral kGatingKey = "expert_gating_func";

/// The numbers of `expert_gating_func`.
static constexpr uint64_t kGatingNone = 0; // Written by old converters: the file does not say.
static constexpr uint64_t kGatingSoftmax = 1;
static constexpr uint64_t kGatingSigmoid = 2;
static constexpr uint64_t kGatingSoftmaxAfterTopK = 3;

namespace {

/// Fills a Config, part by part.
class ConfigReader {
public:
  ConfigReader(const gguf::Model &model, MetadataReader &metadata, const Architecture &architecture,
               Scope scope, const ConfigOverrides &overrides, NameFilter &ignoredKeys)
      : keys(model, metadata, architecture.name, ignoredKeys), architecture(architecture),
        scope(scope), overrides(overrides) {}

  Expected<Config> read();

private:
  Error readShape();
  Error readExpertCounts();
  /// The model is dense, for the key of the experts `reason`: "is missing".
  Error setAllDense(StringRef reason);
  Error readSelectedCounts();
  /// Sets the number of experts per token of a layer, of which the file states `stated`, if any.
  Error chooseSelectedCount(int64_t number, std::optional<int64_t> stated);
  Error readWidths();
  Error readSharedWidths();
  Error readScoring();
  Error readStatedScoring();
  Error readGroups();
  Error checkGroups() const;
  Error readRouting();
  Error readScales();
  Error readScale(StringRef key, float &scale);
  /// Of a whole model, everything beside its feed-forward halves.
  Error readAttention();

  /// The number of each layer, as ConfigKeys::readPerLayer has it.
  Expected<std::optional<std::vector<int64_t>>> readPerLayer(StringRef key,
                                                             ConfigKeys::Bounds bounds) {
    return keys.readPerLayer(key, bounds, config.layers.size(), config.predictionLayers);
  }
  /// Sets a width of every layer where the file has the key.
  Error readWidth(StringRef key, std::optional<int64_t> LayerConfig::*width);

  ConfigKeys keys;
  const Architecture &architecture;
  Scope scope;
  const ConfigOverrides &overrides;
  Config config = {};
  /// This is a dense model.
  bool hasNoExperts = false;
};

Error ConfigReader::readShape() {
  int64_t blocks = 0;
  if (Error error = keys.readCount("block_count", {1, kMaxLayers}, blocks))
    return error;
  const uint64_t most = static_cast<uint64_t>(blocks) - 1;
  if (Error error =
          keys.readOptionalCount("nextn_predict_layers", {0, most}, config.predictionLayers))
    return error;
  config.layers.resize(blocks - config.predictionLayers);
  if (Error error = keys.readCount("embedding_length", {1, kMaxWidth}, config.hidden))
    return error;
  const StringRef epsilonKey = "attention.layer_norm_rms_epsilon";
  if (Error error = keys.readFloat(epsilonKey, config.epsilon))
    return error;
  if (!(config.epsilon >= 0 && config.epsilon < 1))
    return keys.makeError(epsilonKey, "must be at least 0 and less than 1");
  return Error::success();
}

Error ConfigReader::setAllDense(StringRef reason) {
  const bool isKnownDense = architecture.experts != Experts::Always;
  if (scope == Scope::FeedForwardHalves)
    return keys.makeError(kExpertsKey,
                          reason +
                              ": this is a dense model, without experts. Sortie imports the "
                              "feed-forward halves of Mixture-of-Experts models" +
                              (isKnownDense ? "; --what=model imports whole dense models" : ""));
  if (!isKnownDense)
    return keys.makeError(kExpertsKey, reason + "; models of architecture " + architecture.name +
                                           " have experts");
  if (overrides.expertsUsed || overrides.gating)
    return sortie::makeError(Twine(overrides.gating ? "--gating" : "--experts-used") +
                             ": this is a dense model, without experts; leave the option out");
  hasNoExperts = true;
  for (LayerConfig &layer : config.layers)
    layer.dense = true;
  // Beside no experts, these have nothing to say.
  for (const StringRef key : {StringRef(kUsedKey), StringRef(kLeadingDenseKey)})
    keys.acknowledge(key);
  return Error::success();
}

Error ConfigReader::readExpertCounts() {
  auto experts = readPerLayer(kExpertsKey, {0, numerics::kMaxExperts});
  if (!experts)
    return experts.takeError();
  if (Error error = keys.checkNotLeftOut(kExpertsKey))
    return error;
  const bool isDense =
      !*experts || llvm::all_of(**experts, [](int64_t count) { return count == 0; });
  if (isDense)
    return setAllDense(*experts ? "is 0" : "is missing");
  if (architecture.experts == Experts::Never)
    return keys.makeError(kExpertsKey, "says that the model has experts; models of architecture " +
                                           architecture.name + " have none");
  int64_t leadingDense = 0;
  if (!architecture.fixedRouting)
    if (Error error =
            keys.readOptionalCount(kLeadingDenseKey, {0, config.layers.size()}, leadingDense))
      return error;
  int64_t step = 1;
  if (architecture.expertsInterleave)
    if (Error error = keys.readOptionalCount("interleave_moe_layer_step", {1, kMaxLayers}, step))
      return error;
  for (auto [index, layer] : llvm::enumerate(config.layers)) {
    const auto number = static_cast<int64_t>(index);
    layer.experts = (**experts)[number];
    layer.dense = number < leadingDense || (number + 1) % step != 0 || layer.experts == 0;
  }
  return Error::success();
}

Error ConfigReader::readSelectedCounts() {
  if (hasNoExperts)
    return Error::success();
  auto used = readPerLayer(kUsedKey, {0, numerics::kMaxSelected});
  if (!used)
    return used.takeError();
  if (!*used && !overrides.expertsUsed) {
    if (Error error = keys.checkNotLeftOut(kUsedKey))
      return error;
    return keys.makeError(kUsedKey, "is missing; --experts-used=N says how many experts a token "
                                    "uses");
  }
  const bool hasRouted = *used && llvm::any_of(**used, [](int64_t count) { return count > 0; });
  for (auto [number, layer] : llvm::enumerate(config.layers)) {
    std::optional<int64_t> stated;
    if (*used)
      stated = (**used)[number];
    // An array says by 0 that a layer has no experts.
    if (stated == 0 && hasRouted)
      layer.dense = true;
    if (layer.dense)
      continue;
    if (Error error = chooseSelectedCount(number, stated))
      return error;
  }
  return Error::success();
}

Error ConfigReader::chooseSelectedCount(int64_t number, std::optional<int64_t> stated) {
  LayerConfig &layer = config.layers[number];
  const int64_t most = std::min<int64_t>(layer.experts, numerics::kMaxSelected);
  if (stated && (*stated < 1 || *stated > most))
    return keys.makeError(kUsedKey, "is " + Twine(*stated) + ", expected 1 to " + Twine(most));
  if (const std::optional<int64_t> asked = overrides.expertsUsed;
      asked && (*asked < 1 || *asked > most))
    return sortie::makeError("--experts-used is " + Twine(*asked) + ", expected 1 to " +
                             Twine(most) + " for layer " + Twine(number));
  layer.selected = overrides.expertsUsed ? *overrides.expertsUsed : *stated;
  layer.selectedIsStated = layer.selected == stated;
  return Error::success();
}

Error ConfigReader::readWidth(StringRef key, std::optional<int64_t> LayerConfig::*width) {
  auto widths = readPerLayer(key, {0, kMaxWidth});
  if (!widths)
    return widths.takeError();
  if (*widths)
    for (auto [layer, value] : llvm::zip_equal(config.layers, **widths))
      if (value > 0)
        layer.*width = value;
  return Error::success();
}

Error ConfigReader::readWidths() {
  if (Error error = readWidth("feed_forward_length", &LayerConfig::denseWidth))
    return error;
  if (architecture.expertWidthIsCommon)
    for (LayerConfig &layer : config.layers)
      layer.expertWidth = layer.denseWidth;
  return readWidth("expert_feed_forward_length", &LayerConfig::expertWidth);
}

Error ConfigReader::readSharedWidths() {
  if (architecture.shared == SharedExperts::None) {
    // Zero says that there are none; any other number is not understood.
    for (StringRef key : {"expert_shared_count", "expert_shared_feed_forward_length"}) {
      int64_t value = 0;
      if (Error error = keys.readOptionalCount(key, {0, kMaxWidth}, value))
        return error;
      if (value > 0)
        return keys.makeError(key, "is " + Twine(value) + "; models of architecture " +
                                       architecture.name + " have no shared experts");
    }
    for (LayerConfig &layer : config.layers)
      layer.hasShared = false;
    return Error::success();
  }
  auto counts = readPerLayer("expert_shared_count", {0, numerics::kMaxExperts});
  if (!counts)
    return counts.takeError();
  if (*counts)
    for (auto [layer, count] : llvm::zip_equal(config.layers, **counts)) {
      layer.hasShared = count > 0;
      if (layer.expertWidth)
        layer.sharedWidth = count * *layer.expertWidth;
    }
  if (Error error = readWidth("expert_shared_feed_forward_length", &LayerConfig::sharedWidth))
    return error;
  for (LayerConfig &layer : config.layers)
    if (architecture.shared == SharedExperts::Gated || (!layer.hasShared && layer.sharedWidth))
      layer.hasShared = true;
  return Error::success();
}

Error ConfigReader::readStatedScoring() {
  Expected<uint64_t> gating = keys.getUnsigned(kGatingKey);
  if (!gating)
    return gating.takeError();
  config.scoringIsStated |= *gating != kGatingNone;
  switch (*gating) {
  case kGatingNone:
    return Error::success();
  case kGatingSoftmax:
    config.scoring = numerics::Scoring::Softmax;
    return Error::success();
  case kGatingSigmoid:
    config.scoring = numerics::Scoring::Sigmoid;
    return Error::success();
  case kGatingSoftmaxAfterTopK:
    config.scoring = numerics::Scoring::SoftmaxAfterTopK;
    return Error::success();
  }
  return keys.makeError(kGatingKey,
                        "is " + Twine(*gating) +
                            ", expected 1 (softmax), 2 (sigmoid) or 3 (softmax after selection)");
}

Error ConfigReader::readScoring() {
  if (!architecture.fixedRouting && keys.lookUp(kGatingKey))
    if (Error error = readStatedScoring())
      return error;
  if (!overrides.gating)
    return Error::success();
  if (architecture.fixedRouting || architecture.scoringIsCertain)
    return sortie::makeError("--gating: models of architecture " + architecture.name +
                             " have one gating function; leave the option out");
  if (config.scoringIsStated)
    return keys.makeError(kGatingKey, "says which gating function the model has; leave --gating "
                                      "out, or leave the key out with --ignore-keys");
  config.scoring = *overrides.gating;
  config.scoringIsStated = true;
  return Error::success();
}

Error ConfigReader::checkGroups() const {
  for (const LayerConfig &layer : config.layers) {
    if (layer.dense)
      continue;
    if (layer.experts % config.groups != 0)
      return keys.makeError("expert_group_count", "is " + Twine(config.groups) +
                                                      ", which does not divide " +
                                                      Twine(layer.experts) + " experts");
    if (layer.selected > config.groupsUsed * (layer.experts / config.groups))
      return keys.makeError("expert_group_used_count", "is " + Twine(config.groupsUsed) +
                                                           ": these groups hold fewer than " +
                                                           Twine(layer.selected) + " experts");
  }
  return Error::success();
}

Error ConfigReader::readGroups() {
  if (Error error = keys.readOptionalCount("expert_group_count", {0, numerics::kMaxExpertGroups},
                                           config.groups))
    return error;
  if (config.groups <= 1) {
    // One group is no groups, whatever number of them the file says is used.
    keys.acknowledge("expert_group_used_count");
    config.groups = 1;
    return Error::success();
  }
  if (Error error = keys.readCount("expert_group_used_count",
                                   {1, static_cast<uint64_t>(config.groups)}, config.groupsUsed))
    return error;
  if (Error error = checkGroups())
    return error;
  if (config.groupsUsed == config.groups) {
    config.groups = config.groupsUsed = 1;
    return Error::success();
  }
  // DeepSeek-V2 scores a group by its best expert, V3 by the sum of its two best. The scoring tells
  // which of them it is.
  if (config.scoring == numerics::Scoring::Softmax)
    config.groupScore = numerics::GroupScore::Best;
  else if (config.scoring != numerics::Scoring::Sigmoid)
    return keys.makeError("expert_group_count",
                          "is " + Twine(config.groups) +
                              ": groups are known with softmax or sigmoid scores only");
  return Error::success();
}

Error ConfigReader::readRouting() {
  if (Error error = readScoring())
    return error;
  if (architecture.fixedRouting)
    return Error::success();
  if (Error error = keys.readOptionalBool("expert_weights_norm", config.normalize))
    return error;
  if (Error error = keys.readOptionalFloat("expert_weights_scale", config.scale))
    return error;
  if (!std::isfinite(config.scale))
    return keys.makeError("expert_weights_scale", "must be finite");
  // Files write 0 where the model has no scale.
  if (config.scale == 0)
    config.scale = 1;
  return readGroups();
}

Error ConfigReader::readScale(StringRef key, float &scale) {
  if (Error error = keys.readOptionalFloat(key, scale))
    return error;
  if (scale >= 1e-6f && scale <= 1e6f)
    return Error::success();
  return keys.makeError(key, "must be from 1e-6 to 1e6");
}

Error ConfigReader::readScales() {
  if (!architecture.scales)
    return Error::success();
  if (Error error = readScale("residual_scale", config.residualScale))
    return error;
  if (scope != Scope::WholeModel)
    return Error::success();
  if (Error error = readScale("embedding_scale", config.embeddingScale))
    return error;
  return readScale("logit_scale", config.logitDivisor);
}

Error ConfigReader::readAttention() {
  if (scope != Scope::WholeModel)
    return Error::success();
  Expected<AttentionConfig> attention = readAttentionConfig(
      keys, architecture.attentionForm,
      {static_cast<int64_t>(config.layers.size()), config.predictionLayers, config.hidden},
      overrides.context);
  if (!attention)
    return attention.takeError();
  config.attention = std::move(*attention);
  return Error::success();
}

Expected<Config> ConfigReader::read() {
  config.architecture = &architecture;
  config.scoring = architecture.scoring;
  config.scoringIsStated = architecture.scoringIsCertain;
  config.normalize = architecture.normalize;
  using Part = Error (ConfigReader::*)();
  for (const Part part : {&ConfigReader::readShape, &ConfigReader::readExpertCounts,
                          &ConfigReader::readSelectedCounts, &ConfigReader::readWidths,
                          &ConfigReader::readSharedWidths, &ConfigReader::readRouting,
                          &ConfigReader::readScales, &ConfigReader::readAttention})
    if (Error error = (this->*part)())
      return error;
  if (Error error = keys.checkUnderstood(scope))
    return error;
  return std::move(config);
}

} // namespace

Expected<Config> model::readConfig(const gguf::Model &model, MetadataReader &metadata, Scope scope,
                                   const ConfigOverrides &overrides, NameFilter &ignoredKeys) {
  Expected<StringRef> name = metadata.getString("general.architecture");
  if (!name)
    return name.takeError();
  const Architecture *architecture = findArchitecture(*name);
  if (!architecture)
    return sortie::makeError(model.name() + ": unknown architecture '" + *name +
                             "'; this version imports " + listArchitectures());
  return ConfigReader(model, metadata, *architecture, scope, overrides, ignoredKeys).read();
}

std::string model::gatingKey(const Architecture &architecture) {
  return (architecture.name + "." + kGatingKey).str();
}
