// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-opt/OptionFiles.h"

#include "tools/common/FileClaims.h"

#include "llvm/Support/CommandLine.h"

using namespace llvm;

namespace sortie {

static constexpr StringLiteral kCrashReproducer = "mlir-pass-pipeline-crash-reproducer";

/// The value of an option whose text the driver's configuration does not tell.
static std::string valueOf(StringRef name) {
  const auto it = cl::getRegisteredOptions().find(name);
  if (it == cl::getRegisteredOptions().end())
    return {};
  return static_cast<const cl::opt<std::string> *>(it->second)->getValue();
}

Error checkOptionFiles(StringRef input, StringRef output, const mlir::MlirOptMainConfig &config) {
  FileClaims claims;
  if (Error error = claims.claimInput(input, "the input"))
    return error;
  if (Error error = claims.claimInput(config.getIrdlFile(), "--irdl-file"))
    return error;
  if (Error error = claims.claimOutput(output, "-o"))
    return error;
  const mlir::tracing::DebugConfig &debug = config.getDebugConfig();
  const std::pair<std::string, std::string> reports[] = {
      {debug.getLogActionsTo().str(), "--log-actions-to"},
      {debug.getProfileActionsTo().str(), "--profile-actions-to"},
      {config.getReproducerFilename().str(), "--mlir-generate-reproducer"},
      {config.getRemarksOutputFile(), "--remarks-output-file"},
      {valueOf(kCrashReproducer), "--" + kCrashReproducer.str()}};
  for (const auto &[path, role] : reports)
    // In these options, `-` is the standard error.
    if (!path.empty() && path != "-")
      if (Error error = claims.claimOutput(path, role))
        return error;
  return Error::success();
}

} // namespace sortie
