// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_DIALECT
#define SORTIE_DIALECT_MOERT_DIALECT

include "mlir/IR/OpBase.td"

def Moert_Dialect : Dialect {
  let name = "moert";
  let cppNamespace = "::sortie::moert";
  let summary = "compiled programs: buffers in one planned arena, operations of a device";
  let description = [{
    `moert` is what the runtime loads: a module of bounded symbols, named weights, kernels, states
    and functions.
    A function is a straight line of device operations over buffers. Its inputs, outputs and
    weights have names; everything between lives in one arena whose layout was planned at compile
    time, affine in the bounded symbols, so the memory that a call needs is known before it.

    Operations read and write buffers and return nothing. Operands that are written stand in
    `outs(...)`. Each buffer is written by one operation, so a buffer is a value; memory is reused
    by giving slices of the arena to several buffers. States alone are written again and again: they
    belong to a session and stay between runs.

    All buffers of a function lie on its device. Operations work in the space "global", the memory
    of the device; only `moert.copy` knows others.

    The verifiers are the loader's first line of defence: a module that passes them can be executed
    without a further check of shapes, kinds, names or bounds. They never trust the producer.

    Attributes of the dialect:

    | attribute | on | meaning |
    |---|---|---|
    | `moert.program` | module | `#moert.program<...>`: marks a compiled program |
    | `moert.weights_fingerprint` | module | fingerprint of the model file: 16 hexadecimal digits, or `2:` and as many |
    | `moert.fingerprint_keys` | module | the metadata keys that a fingerprint of the second kind covers |
    | `moert.weight_hashes` | module | hashes of tensors by their names in the model file, 32 hexadecimal digits each |
    | `moert.import_options` | module | where the program is not what the model file says |

    Features that a program can need: `cublas` (`moert.cublas_matmul`).

    The rules of these attributes:
    (C1) `moert.program` is a `#moert.program` on a module that holds nothing but
    `moert.symbol`, `moert.kernel`, `moert.weight`, `moert.state` and `moert.func`.
    (C2) `moert.weights_fingerprint` is a string of 16 lower-case hexadecimal digits on a module,
    with `2:` in front if and only if the module has `moert.fingerprint_keys`, an array of non-empty
    strings, all different.
    (C3) No other discardable attribute begins with `moert.`.
    (C4) `moert.weight_hashes` is a dictionary of strings of 32 lower-case hexadecimal digits on a
    module.
    (C5) `moert.import_options` is a dictionary like `moe.import_options` on a module.

    Bytecode carries a version of the dialect; a program of a newer one is refused.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Names of the discardable attributes of the dialect.
    static constexpr ::llvm::StringLiteral kProgramName = "moert.program";
    static constexpr ::llvm::StringLiteral kWeightsFingerprintName = "moert.weights_fingerprint";
    static constexpr ::llvm::StringLiteral kFingerprintKeysName = "moert.fingerprint_keys";
    static constexpr ::llvm::StringLiteral kWeightHashesName = "moert.weight_hashes";
    static constexpr ::llvm::StringLiteral kImportOptionsName = "moert.import_options";

    /// Version of the interface between a program and the runtime, as the compiler writes it. From
    /// 2 on, kernels of cubins for sm_90 and newer wait themselves for the launch before theirs
    /// (runtime/cuda/ImageChoice.h). From 3 on, kernels write the number of their step when they
    /// begin. From 4 on, weights may be parts of tensors, or several, and products have scales by
    /// expert. From 5 on, launches and packs of weights have variants, and a launch overlaps the one
    /// before only if it says so (kOverlapAbi).
    static constexpr int64_t kProgramAbi = 5;
    /// Of programs before this, every launch may overlap the one before.
    static constexpr int64_t kOverlapAbi = 5;
    /// The oldest that the runtime runs.
    static constexpr int64_t kOldestProgramAbi = 3;

    /// The feature of programs that need cuBLAS.
    static constexpr ::llvm::StringLiteral kCublasFeature = "cublas";

    void registerTypes();
    void registerAttributes();
    void registerOps();
    void registerBytecode();
  }];
}

#endif // SORTIE_DIALECT_MOERT_DIALECT
