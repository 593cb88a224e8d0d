// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The files that the options of sortie-opt name.

#ifndef SORTIE_TOOLS_SORTIE_OPT_OPTIONFILES_H
#define SORTIE_TOOLS_SORTIE_OPT_OPTIONFILES_H

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/Error.h"

namespace sortie {

/// An error if an output (`-o`, or an option of MLIR's driver that writes a file) is the input, a
/// file that another option reads, or another output. Nothing is opened.
llvm::Error checkOptionFiles(llvm::StringRef input, llvm::StringRef output,
                             const mlir::MlirOptMainConfig &config);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_OPT_OPTIONFILES_H
