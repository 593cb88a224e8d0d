// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pass that is wrong, to prove that the judge finds it.

#ifndef SORTIE_TEST_INTERPRETER_WRONGREWRITES_H
#define SORTIE_TEST_INTERPRETER_WRONGREWRITES_H

namespace sortie::interpreter {

/// Registers `test-wrong-rewrite{of=...}`.
void registerWrongRewrites();

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_WRONGREWRITES_H
