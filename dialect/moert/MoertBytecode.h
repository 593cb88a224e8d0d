// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The version of the dialect `moert` that bytecode was written in.

#ifndef SORTIE_DIALECT_MOERT_MOERTBYTECODE_H
#define SORTIE_DIALECT_MOERT_MOERTBYTECODE_H

#include <cstdint>

namespace mlir {
class DialectBytecodeReader;
} // namespace mlir

namespace sortie::moert {

/// Raised with every change of the dialect that an older reader would misunderstand.
/// Version 1: the first.
/// Version 2: moert.matmul and moert.glu_matmul have scales by expert, moert.route a group_score,
/// moert.weight the attribute tensors.
/// Version 3: moert.kernel has early, moert.weight packs, moert.launch overlaps and variants;
/// images may have a config; moert.func has a target and a device.
inline constexpr uint64_t kBytecodeVersion = 3;

/// The version of the file that is being read.
uint64_t getVersion(const mlir::DialectBytecodeReader &reader);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_MOERTBYTECODE_H
