// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations of language models that are computed as a whole. Each says what is wrong with the
// numbers that the caller passed before it writes anything that was there before the run.

#ifndef SORTIE_RUNTIME_CPU_ATTENTIONOPERATIONS_H
#define SORTIE_RUNTIME_CPU_ATTENTIONOPERATIONS_H

#include "runtime/cpu/Operations.h"

namespace sortie::cpu {

std::optional<BadIndex> runEmbed(const Operands &op, const Device &device);
std::optional<BadIndex> runAppend(const Operands &op, const Device &device);
std::optional<BadIndex> runAppendLatent(const Operands &op, const Device &device);
std::optional<BadIndex> runAttend(const Operands &op, const Device &device);
std::optional<BadIndex> runAttendLatent(const Operands &op, const Device &device);

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_ATTENTIONOPERATIONS_H
