// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a source is written, and the sources of routing.

#include "codegen/KernelSource.h"

#include "codegen/SourceText.h"
#include "codegen/kernels/routing/RoutingGeometry.h"

using namespace llvm;

namespace sortie::codegen {

/// Each kernel waits for the launch before it and then says that its step has begun, which the
/// runtime relies on (LoadedKernels.h).
std::string writeSource(const KernelCode &code, StringRef entry) {
  std::string includes;
  for (const std::string &header : code.headers)
    includes += formatv("#include \"codegen/kernels/{0}\"\n", header);
  return formatv("{0}{1}\nusing namespace sortie::kernels;\n\n"
                 "{2}SORTIE_KERNEL({3}, {8}) {4}({5}, uint32_t *progress, uint32_t step) {{\n"
                 "  const auto begin = [=] {{\n    sortie::hw::waitForLaunchBefore();\n"
                 "    sortie::hw::beginStep(progress, step);\n    sortie::hw::allowNextLaunch();\n"
                 "  };\n{6}  {7};\n}\nSORTIE_EXPORT({4})\n",
                 code.definitions, includes, code.declarations, code.threads, entry,
                 join(code.parameters, ", "), code.beginsItself ? "" : "  begin();\n", code.call,
                 code.blocks);
}

/// Whether what stands between the two is a part of a longer name.
static bool isInName(StringRef before, StringRef behind) {
  const auto isPart = [](char c) { return isAlnum(c) || c == '_'; };
  return (!before.empty() && isPart(before.back())) || (!behind.empty() && isPart(behind.front()));
}

KernelCode inPlace(KernelCode code, unsigned read, unsigned write) {
  const std::string from = "r" + std::to_string(read), to = "w" + std::to_string(write);
  erase_if(code.parameters, [&](StringRef parameter) {
    return parameter.consume_back(from) && !isInName(parameter, "");
  });
  std::string call;
  StringRef rest = code.call;
  for (size_t at = rest.find(from); at != StringRef::npos; at = rest.find(from)) {
    const StringRef before = rest.take_front(at), behind = rest.drop_front(at + from.size());
    call += (before + (isInName(before, behind) ? from : to)).str();
    rest = behind;
  }
  code.call = call + rest.str();
  return code;
}

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
  code.headers = {"routing/Route.h"};
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
  code.headers = {"routing/Dispatch.h"};
  code.threads = kernels::kDispatchThreads;
  return code;
}

KernelCode dispatchCountKernel(const ExpertCounts &experts) {
  KernelCode code = dispatchKernel("dispatch_count");
  code.parameters = {"const int32_t *r0", "int32_t *w0", "int32_t e0", "int32_t e1"};
  code.call = formatv("dispatchCount<{0}, {1}>(r0, w0, e0, e1)", experts.count, experts.total);
  code.shared = kernels::dispatchCountSharedBytes(experts.count);
  return code;
}

KernelCode dispatchScatterKernel(const ExpertCounts &experts) {
  KernelCode code = dispatchKernel("dispatch_scatter");
  code.parameters = {"const int32_t *r0", "const int32_t *r1", "int32_t *w0", "int32_t *w1",
                     "int32_t *w2",       "int32_t *w3",       "int32_t *w4", "int32_t e0",
                     "int32_t e1",        "int32_t e2"};
  code.call = formatv("dispatchScatter<{0}, {1}>(r0, r1, w0, w1, w2, w3, w4, e0, e1, e2)",
                      experts.count, experts.total);
  code.shared = kernels::dispatchScatterSharedBytes(experts.count);
  return code;
}

} // namespace sortie::codegen
