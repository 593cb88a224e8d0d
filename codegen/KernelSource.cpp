// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of all kernels but products.

#include "codegen/KernelSource.h"

#include "codegen/SourceText.h"
#include "codegen/kernels/routing/RoutingGeometry.h"
#include "codegen/kernels/rows/RowGeometry.h"

using namespace llvm;

namespace sortie::codegen {

/// Each kernel waits for the launch before it and then says that its step has begun, which the
/// runtime relies on (LoadedKernels.h).
std::string writeSource(const KernelCode &code, StringRef entry) {
  return formatv("{0}#include \"codegen/kernels/{1}\"\n\nusing namespace sortie::kernels;\n\n"
                 "{2}SORTIE_KERNEL({3}, 1) {4}({5}, uint32_t *progress, uint32_t step) {{\n"
                 "  const auto begin = [=] {{\n    sortie::hw::waitForLaunchBefore();\n"
                 "    sortie::hw::beginStep(progress, step);\n    sortie::hw::allowNextLaunch();\n"
                 "  };\n{6}  {7};\n}\nSORTIE_EXPORT({4})\n",
                 code.definitions, code.header, code.declarations, code.threads, entry,
                 join(code.parameters, ", "), code.beginsItself ? "" : "  begin();\n", code.call);
}

//===----------------------------------------------------------------------===//
// Rows by themselves
//===----------------------------------------------------------------------===//

KernelCode rmsNormKernel(int64_t columns, float epsilon) {
  KernelCode code;
  code.kind = "rms_norm";
  code.header = "rows/Norm.h";
  code.parameters = {"const float *r0", "float *w0", "const float *g0"};
  code.call = formatv("rmsNormRows<{0}, {1}>(r0, w0, g0)", columns, bitsOf(epsilon));
  code.threads = kernels::normThreads(columns);
  code.shared = kernels::normSharedBytes(columns);
  return code;
}

KernelCode quantizeKernel(numerics::RowKind kind, int64_t columns) {
  KernelCode code;
  code.kind = "quantize";
  code.header = "rows/Quantize.h";
  code.parameters = {"const float *r0", "void *w0"};
  code.call = formatv("quantizeRows<{0}, {1}>(r0, w0)", nameOf(kind), columns);
  code.threads = kernels::quantizeThreads(columns);
  return code;
}

/// A kernel of Elementwise.h.
static KernelCode elementwiseKernel(StringRef kind, int64_t columns) {
  KernelCode code;
  code.kind = kind;
  code.header = "rows/Elementwise.h";
  code.threads = kernels::rowThreads(columns);
  return code;
}

KernelCode addKernel(int64_t columns) {
  KernelCode code = elementwiseKernel("add", columns);
  code.parameters = {"const float *r0", "const float *r1", "float *w0"};
  code.call = formatv("addRows<{0}>(r0, r1, w0)", columns);
  return code;
}

KernelCode gluKernel(int64_t columns, const numerics::Glu &glu) {
  KernelCode code = elementwiseKernel("glu", columns);
  code.parameters = {"const float *r0", "const float *r1", "float *w0"};
  code.call = formatv("gluRows<{0}, {1}, {2}, {3}>(r0, r1, w0)", columns, nameOf(glu.kind),
                      bitsOf(glu.alpha), bitsOf(glu.limit));
  return code;
}

KernelCode gatherKernel(int64_t columns, int64_t slots) {
  KernelCode code = elementwiseKernel("gather", columns);
  code.parameters = {"const float *r0", "const int32_t *r1", "float *w0"};
  code.call = formatv("gatherRows<{0}, {1}>(r0, r1, w0)", columns, slots);
  return code;
}

KernelCode unsortKernel(int64_t columns) {
  KernelCode code = elementwiseKernel("unsort", columns);
  code.parameters = {"const float *r0", "const int32_t *r1", "float *w0"};
  code.call = formatv("unsortRows<{0}>(r0, r1, w0)", columns);
  return code;
}

KernelCode combineKernel(int64_t columns, int64_t slots, bool hasInverse, bool hasWeights) {
  Parameters parameters;
  const std::string rows = parameters.read("const float *");
  const std::string inverse = parameters.readIf(hasInverse, "const int32_t *");
  const std::string weights = parameters.readIf(hasWeights, "const float *");
  const std::string output = parameters.write("float *");
  KernelCode code;
  code.kind = "combine";
  code.header = "rows/Combine.h";
  code.parameters = parameters.list;
  code.call = formatv("combineRows<{0}, {1}>({2}, {3}, {4}, {5})", columns, slots, rows, inverse,
                      weights, output);
  code.threads = kernels::rowThreads(columns);
  return code;
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

static StringRef nameOf(numerics::Scoring scoring) {
  switch (scoring) {
  case numerics::Scoring::Softmax:
    return "sortie::numerics::Scoring::Softmax";
  case numerics::Scoring::Sigmoid:
    return "sortie::numerics::Scoring::Sigmoid";
  case numerics::Scoring::SoftmaxAfterTopK:
    return "sortie::numerics::Scoring::SoftmaxAfterTopK";
  case numerics::Scoring::Raw:
    return "sortie::numerics::Scoring::Raw";
  }
  llvm_unreachable("unknown scoring");
}

/// The last template argument of routeRows, with a comma in front, unless it is the default.
static StringRef groupScoreArgument(numerics::GroupScore score) {
  switch (score) {
  case numerics::GroupScore::BestTwo:
    return "";
  case numerics::GroupScore::Best:
    return ", sortie::numerics::GroupScore::Best";
  }
  llvm_unreachable("unknown score of groups");
}

KernelCode routeKernel(const numerics::RouteParams &params, bool hasBias) {
  KernelCode code;
  code.kind = "route";
  code.header = "routing/Route.h";
  code.parameters = {"const float *r0", "int32_t *w0", "float *w1"};
  if (hasBias)
    code.parameters.push_back("const float *g0");
  code.parameters.push_back("int32_t e0");
  code.call =
      formatv("routeRows<{0}, {1}, {2}, {3}, {4}, {5}, {6}{8}>(r0, w0, w1, {7}, e0)",
              params.experts, params.selected, params.groups, params.groupsUsed,
              nameOf(params.scoring), params.normalize ? "true" : "false", bitsOf(params.scale),
              hasBias ? "g0" : "nullptr", groupScoreArgument(params.groupScore));
  code.threads = kernels::kRouteThreads;
  code.shared = kernels::routeSharedBytes(params.experts, params.groups, params.groupsUsed);
  return code;
}

/// A kernel of Dispatch.h.
static KernelCode dispatchKernel(StringRef kind) {
  KernelCode code;
  code.kind = kind;
  code.header = "routing/Dispatch.h";
  code.threads = kernels::kDispatchThreads;
  return code;
}

KernelCode dispatchCountKernel(const ExpertRange &experts) {
  KernelCode code = dispatchKernel("dispatch_count");
  code.parameters = {"const int32_t *r0", "int32_t *w0", "int32_t e0"};
  code.call = formatv("dispatchCount<{0}, {1}, {2}>(r0, w0, e0)", experts.count, experts.total,
                      experts.first);
  code.shared = kernels::dispatchCountSharedBytes(experts.count);
  return code;
}

KernelCode dispatchScatterKernel(const ExpertRange &experts) {
  KernelCode code = dispatchKernel("dispatch_scatter");
  code.parameters = {"const int32_t *r0", "const int32_t *r1", "int32_t *w0",
                     "int32_t *w1",       "int32_t *w2",       "int32_t *w3",
                     "int32_t *w4",       "int32_t e0",        "int32_t e1"};
  code.call = formatv("dispatchScatter<{0}, {1}, {2}>(r0, r1, w0, w1, w2, w3, w4, e0, e1)",
                      experts.count, experts.total, experts.first);
  code.shared = kernels::dispatchScatterSharedBytes(experts.count);
  return code;
}

} // namespace sortie::codegen
