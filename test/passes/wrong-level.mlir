// Every pass by itself leaves a compiled program as it is: passes of moe find nothing to do, those of
// moert have done it.
// RUN: sortie-opt %S/sortie-compile.mlir --sortie-compile -o %t.program
// RUN: sortie-opt %t.program --moe-name-values --moe-verify-contract -o %t.one && cmp %t.one %t.program
// RUN: sortie-opt %t.program --moe-choose-arithmetic --lm-choose-widths --moe-lower-to-moert -o %t.two
// RUN: cmp %t.two %t.program
// RUN: sortie-opt %t.program --pass-pipeline='builtin.module(func.func(moe-dispatch-by-sort,moe-sink-unsort,moe-fuse-gather,moe-fuse-glu,moe-quantize-activations,moe-fuse-requantize,moe-fuse-routing-weight),moert.func(moert-plan-memory),canonicalize,cse)' -o %t.three
// RUN: cmp %t.three %t.program
// RUN: sortie-opt %t.program --emit-bytecode -o %t.mlirbc && sortie-run %t.mlirbc --describe
