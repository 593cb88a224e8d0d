// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ModelConfig.h"

#include "runtime/numerics/contract.h"
#include "runtime/support/Error.h"

using namespace sortie;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

/// The most that a width or a count of layers can sensibly be; keeps products inside 64 bits.
static constexpr uint64_t kMaxWidth = uint64_t{1} << 24;
static constexpr uint64_t kMaxLayers = uint64_t{1} << 16;

/// The numbers of `expert_gating_func`.
static constexpr uint64_t kGatingNone = 0; // Written by old converters: softmax.
static constexpr uint64_t kGatingSoftmax = 1;
static constexpr uint64_t kGatingSigmoid = 2;
static constexpr uint64_t kGatingSoftmaxAfterTopK = 3;

namespace {

/// Reads keys below the architecture's prefix, with their bounds.
class ConfigReader {
public:
  ConfigReader(const gguf::Model &model, MetadataReader &metadata, const Architecture &architecture)
      : model(model), metadata(metadata), architecture(architecture) {}

  Expected<ModelConfig> read();

private:
  Error readShape(ModelConfig &config);
  Error readExperts(ModelConfig &config);
  Error readDenseAndShared(ModelConfig &config);
  Error readRouting(ModelConfig &config);
  Error readScoring(ModelConfig &config);
  Error readGroups(ModelConfig &config);

  std::string fullKey(StringRef key) const { return (architecture.name + "." + key).str(); }
  bool has(StringRef key) const { return metadata.find(fullKey(key)) != nullptr; }
  Error makeError(StringRef key, const Twine &problem) const {
    return sortie::makeError(model.name() + ": metadata key '" + fullKey(key) + "' " + problem);
  }

  /// A number in [least, most].
  Error readCount(StringRef key, uint64_t least, uint64_t most, int64_t &value) const;
  /// The same for a key that may be absent: `value` stays as it is then.
  Error readOptionalCount(StringRef key, uint64_t least, uint64_t most, int64_t &value) const {
    return has(key) ? readCount(key, least, most, value) : Error::success();
  }

  const gguf::Model &model;
  MetadataReader &metadata;
  const Architecture &architecture;
};

Error ConfigReader::readCount(StringRef key, uint64_t least, uint64_t most, int64_t &value) const {
  Expected<uint64_t> number = metadata.getUnsigned(fullKey(key));
  if (!number)
    return number.takeError();
  if (*number < least || *number > most)
    return makeError(key,
                     "is " + Twine(*number) + ", expected " + Twine(least) + " to " + Twine(most));
  value = static_cast<int64_t>(*number);
  return Error::success();
}

Error ConfigReader::readShape(ModelConfig &config) {
  if (Error error = readCount("block_count", 1, kMaxLayers, config.layers))
    return error;
  if (Error error = readCount("embedding_length", 1, kMaxWidth, config.hidden))
    return error;
  const StringRef epsilonKey = "attention.layer_norm_rms_epsilon";
  Expected<double> epsilon = metadata.getFloat(fullKey(epsilonKey));
  if (!epsilon)
    return epsilon.takeError();
  config.epsilon = static_cast<float>(*epsilon);
  if (!(config.epsilon >= 0 && config.epsilon < 1))
    return makeError(epsilonKey, "must be at least 0 and less than 1");
  return Error::success();
}

Error ConfigReader::readExperts(ModelConfig &config) {
  if (Error error = readCount("expert_count", 1, numerics::kMaxExperts, config.experts))
    return error;
  const int64_t most = std::min<int64_t>(config.experts, numerics::kMaxSelected);
  if (Error error = readCount("expert_used_count", 1, most, config.selected))
    return error;
  return readCount(architecture.expertWidthKey, 1, kMaxWidth, config.expertWidth);
}

Error ConfigReader::readDenseAndShared(ModelConfig &config) {
  if (Error error =
          readOptionalCount("leading_dense_block_count", 0, config.layers, config.denseLayers))
    return error;
  if (config.denseLayers > 0)
    if (Error error = readCount("feed_forward_length", 1, kMaxWidth, config.denseWidth))
      return error;
  int64_t sharedExperts = 0;
  if (Error error =
          readOptionalCount("expert_shared_count", 0, numerics::kMaxExperts, sharedExperts))
    return error;
  config.sharedWidth = sharedExperts * config.expertWidth;
  return Error::success();
}

Error ConfigReader::readScoring(ModelConfig &config) {
  const StringRef key = "expert_gating_func";
  if (!has(key))
    return Error::success();
  Expected<uint64_t> gating = metadata.getUnsigned(fullKey(key));
  if (!gating)
    return gating.takeError();
  switch (*gating) {
  case kGatingNone:
  case kGatingSoftmax:
    config.scoring = Scoring::Softmax;
    return Error::success();
  case kGatingSigmoid:
    config.scoring = Scoring::Sigmoid;
    return Error::success();
  case kGatingSoftmaxAfterTopK:
    config.scoring = Scoring::SoftmaxAfterTopK;
    return Error::success();
  }
  return makeError(key, "is " + Twine(*gating) +
                            ", expected 1 (softmax), 2 (sigmoid) or 3 (softmax after selection)");
}

Error ConfigReader::readGroups(ModelConfig &config) {
  if (Error error =
          readOptionalCount("expert_group_count", 1, numerics::kMaxExpertGroups, config.groups))
    return error;
  if (config.groups == 1)
    return Error::success();
  if (config.experts % config.groups != 0)
    return makeError("expert_group_count", "is " + Twine(config.groups) +
                                               ", which does not divide " + Twine(config.experts) +
                                               " experts");
  // DeepSeek-V2 scores a group by its best expert, V3 by the sum of its two best. Only the latter
  // exists here, and quietly taking one for the other would route tokens wrongly.
  if (config.scoring != Scoring::Sigmoid)
    return makeError("expert_group_count", "is " + Twine(config.groups) +
                                               ": groups are supported with sigmoid scores only");
  if (Error error = readCount("expert_group_used_count", 1, config.groups, config.groupsUsed))
    return error;
  if (config.selected > config.groupsUsed * (config.experts / config.groups))
    return makeError("expert_group_used_count", "is " + Twine(config.groupsUsed) +
                                                    ": these groups hold fewer than " +
                                                    Twine(config.selected) + " experts");
  return Error::success();
}

Error ConfigReader::readRouting(ModelConfig &config) {
  if (Error error = readScoring(config))
    return error;
  if (has("expert_weights_norm")) {
    Expected<bool> normalize = metadata.getBool(fullKey("expert_weights_norm"));
    if (!normalize)
      return normalize.takeError();
    config.normalize = *normalize;
  }
  if (has("expert_weights_scale")) {
    Expected<double> scale = metadata.getFloat(fullKey("expert_weights_scale"));
    if (!scale)
      return scale.takeError();
    // Files write 0 where the model has no scale.
    config.scale = *scale == 0 ? 1.0f : static_cast<float>(*scale);
    if (!std::isfinite(config.scale))
      return makeError("expert_weights_scale", "must be finite");
  }
  return readGroups(config);
}

Expected<ModelConfig> ConfigReader::read() {
  ModelConfig config = {};
  config.architecture = &architecture;
  config.scoring = architecture.scoring;
  config.normalize = architecture.normalize;
  if (Error error = readShape(config))
    return error;
  if (Error error = readExperts(config))
    return error;
  if (architecture.denseAndShared)
    if (Error error = readDenseAndShared(config))
      return error;
  if (architecture.describesRouting)
    if (Error error = readRouting(config))
      return error;
  return config;
}

} // namespace

Expected<ModelConfig> sortie::readModelConfig(const gguf::Model &model, MetadataReader &metadata) {
  Expected<StringRef> name = metadata.getString("general.architecture");
  if (!name)
    return name.takeError();
  const Architecture *architecture = findArchitecture(*name);
  if (!architecture)
    return sortie::makeError(model.name() + ": unknown architecture '" + *name +
                             "'; this version imports " + listArchitectures());
  return ConfigReader(model, metadata, *architecture).read();
}
