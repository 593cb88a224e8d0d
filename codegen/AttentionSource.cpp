// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of attention over a cache.

#include "codegen/CostModel.h"
#include "codegen/KernelSource.h"
#include "codegen/SourceText.h"
#include "codegen/kernels/attention/AttentionGeometry.h"

#include <algorithm>

using namespace llvm;

namespace sortie::codegen {

/// Memory that the results of spans may take: what 64 tokens of a model with four heads of keys
/// take at a context of 65536.
static constexpr int64_t kMostResultBytes = int64_t{128} << 20;

static kernels::AttentionHeads headsOf(const Attention &attention) {
  return {attention.own, attention.cached, static_cast<int>(attention.key),
          static_cast<int>(attention.value), static_cast<int>(attention.rotated)};
}

int64_t Attention::tilesOfToken() const {
  return kernels::ceilDiv(heads / kvHeads, kernels::kTileQueries);
}

int64_t Attention::spans() const { return kernels::ceilDiv(pages, kernels::kChunksOfSpan); }

int64_t Attention::resultFloats() const {
  return tilesOfToken() * kvHeads * spans() * kernels::spanFloats(static_cast<int>(value));
}

int64_t Attention::chooseSplitTokens(int64_t maxTokens) const {
  const int64_t fit = kMostResultBytes / (resultFloats() * 4);
  return std::max<int64_t>(1, std::min({int64_t{kernels::kSplitTokens}, maxTokens, fit}));
}

/// The struct of constants that AttentionShape.h describes.
static std::string writeSpec(const Attention &attention, const Chip &chip) {
  return formatv("struct Spec {{\n"
                 "  static constexpr ActivationWidth kOwn = {0}, kCached = {1};\n"
                 "  static constexpr int kHeads = {2}, kKvHeads = {3};\n"
                 "  static constexpr int kKey = {4}, kValue = {5}, kRotated = {6};\n"
                 "  static constexpr uint32_t kScale = {7};\n"
                 "  static constexpr int kWindow = {8}, kPages = {9}, kSplit = {10};\n"
                 "  static constexpr bool kHasSinks = {11};\n"
                 "  static constexpr int kSharedLimit = {12};\n"
                 "};\n\n",
                 nameOf(attention.own), nameOf(attention.cached), attention.heads,
                 attention.kvHeads, attention.key, attention.value, attention.rotated,
                 bitsOf(attention.scale), attention.window, attention.pages, attention.splitTokens,
                 attention.hasSinks ? "true" : "false", chip.sharedLimit);
}

static KernelCode attentionCode(StringRef kind, StringRef header, const Attention &attention,
                                const Chip &chip) {
  KernelCode code;
  code.kind = kind;
  code.headers = {("attention/" + header).str()};
  code.declarations = writeSpec(attention, chip);
  return code;
}

/// AttendOperands, with more buffers before the status.
static std::string operandArguments(const Attention &attention, Parameters &parameters,
                                    std::string *results = nullptr) {
  std::vector<std::string> arguments = {parameters.read("const float *")};
  arguments.push_back(parameters.readIf(attention.rotated != 0, "const float *"));
  arguments.push_back(parameters.read("const void *"));
  for (int i = 0; i < 3; ++i) // positions, sequences, pages
    arguments.push_back(parameters.read("const int32_t *"));
  if (results)
    *results = parameters.read("const float *");
  arguments.push_back(parameters.read("const int32_t *")); // status
  return "{" + join(arguments, ", ") + "}";
}

KernelCode attendSpansKernel(const Attention &attention, const Chip &chip) {
  const kernels::SpansGeometry geometry =
      kernels::spansGeometry(headsOf(attention), chip.sharedLimit);
  Parameters parameters;
  const std::string operands = operandArguments(attention, parameters);
  const std::string results = parameters.write("float *");
  KernelCode code = attentionCode("attend_spans", "AttendSpans.h", attention, chip);
  code.call = formatv("attendSpans<Spec>({0}, {1}, {2})", operands, results, parameters.extent());
  code.parameters = parameters.list;
  code.threads = kernels::kSpanThreads;
  code.shared = geometry.sharedBytes;
  code.schedule = formatv("{0} chunks, {1} stages", kernels::kChunksOfSpan, geometry.stages);
  return code;
}

KernelCode attendKernel(const Attention &attention, const Chip &chip) {
  const kernels::AttendGeometry geometry =
      kernels::attendGeometry(headsOf(attention), chip.sharedLimit);
  Parameters parameters;
  std::string results;
  const std::string operands = operandArguments(attention, parameters, &results);
  const std::string outputs = parameters.write("float *");
  const std::string sinks = parameters.weightIf(attention.hasSinks, "const float *");
  KernelCode code = attentionCode("attend", "Attend.h", attention, chip);
  code.call = formatv("attend<Spec>({0}, {1}, {2}, {3}, {4})", operands, results, outputs, sinks,
                      parameters.extent());
  code.parameters = parameters.list;
  code.threads = geometry.warps * kernels::kWarp;
  code.blocks = geometry.blocks;
  code.shared = geometry.sharedBytes;
  code.schedule = formatv("{0} tiles, {1} stages of {2}, {3} blocks", geometry.warps,
                          geometry.stages, geometry.together, geometry.blocks);
  return code;
}

AttendGrid attendGrid(const Attention &attention, const Chip &chip) {
  const int warps = kernels::attendGeometry(headsOf(attention), chip.sharedLimit).warps;
  return {int64_t{warps} * kernels::kTileQueries,
          kernels::ceilDiv(kernels::valuePanels(static_cast<int>(attention.value)), warps)};
}

} // namespace sortie::codegen
