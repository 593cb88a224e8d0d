// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The buffer type of the dialect `moert`, and the constraints on operands.

#ifndef SORTIE_DIALECT_MOERT_TYPES
#define SORTIE_DIALECT_MOERT_TYPES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/CommonTypeConstraints.td"
include "dialect/moert/MoertAttributes.td"
include "dialect/moert/MoertDialect.td"
include "dialect/moert/MoertEnums.td"

def Moert_BufferType : TypeDef<Moert_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "memory of a known shape on a device";
  let description = [{
    A dense row-major array in one memory space of one device. Each dimension is a constant or
    affine in a bounded symbol. The element kind says what a row along the last dimension holds:
    `f32`, `i32`, `bf16`, `f16`, or one row of quantized activations in the layout of
    `runtime/numerics/layout.h` (`act16`, `act8`), whose elements cannot be addressed one by one.

    (C1) There are 1 to 4 dimensions; constant ones are at least 1.
    (C2) At most one dimension has a symbol, so that the size in bytes is affine.
    (C3) The last dimension of `act16` and `act8` is constant.
    (C4) `device` is at least 0, `space` is not empty.
    (C5) The size in bytes keeps the limits of `#moert.extent`.

    Device 0 and space "global", the device's own memory, are left out when printed.

    Examples: `!moert.buffer<tokens x 2048 x f32>`, `!moert.buffer<8*tokens x 768 x act16>`,
    `!moert.buffer<129 x i32, device = 1, space = "host">`
  }];
  let parameters = (ins
    ArrayRefParameter<"ExtentAttr", "dimensions">:$shape,
    EnumParameter<Moert_ElementKind>:$kind,
    "int64_t":$device,
    StringRefParameter<"memory space">:$space);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let builders = [
    TypeBuilder<(ins "::llvm::ArrayRef<ExtentAttr>":$shape, "ElementKind":$kind), [{
      return $_get($_ctxt, shape, kind, 0, kGlobalSpace);
    }]>
  ];
  let extraClassDeclaration = [{
    /// The memory of the device.
    static constexpr ::llvm::StringLiteral kGlobalSpace = "global";
    /// That of the host, beside a GPU.
    static constexpr ::llvm::StringLiteral kHostSpace = "host";
    static constexpr unsigned kMaxRank = 4;

    unsigned getRank() const { return getShape().size(); }
    ExtentAttr getDim(unsigned index) const { return getShape()[index]; }

    bool isQuantized() const {
      return getKind() == ElementKind::Act16 || getKind() == ElementKind::Act8;
    }

    /// Bytes of the whole buffer, affine in the symbol of its dimensions.
    ExtentAttr getByteSize() const;
  }];
}

class Moert_BufferOf<list<string> kinds, string what> : Type<
  And<[CPred<"::llvm::isa<::sortie::moert::BufferType>($_self)">,
       Or<!foreach(kind, kinds,
         CPred<"::llvm::cast<::sortie::moert::BufferType>($_self).getKind() == "
               "::sortie::moert::ElementKind::" # kind>)>]>,
  "buffer of " # what, "::sortie::moert::BufferType">;

def Moert_Buffer : Moert_BufferOf<["F32", "I32", "Act16", "Act8", "BF16", "F16"], "any kind">;
def Moert_FloatBuffer : Moert_BufferOf<["F32", "BF16", "F16"], "f32, bf16 or f16">;
def Moert_F32Buffer : Moert_BufferOf<["F32"], "f32">;
def Moert_Bf16Buffer : Moert_BufferOf<["BF16"], "bf16">;
def Moert_I32Buffer : Moert_BufferOf<["I32"], "i32">;
def Moert_ActBuffer : Moert_BufferOf<["Act16", "Act8"], "quantized rows (act16 or act8)">;
def Moert_RowsBuffer : Moert_BufferOf<["F32", "Act16", "Act8"], "f32, act16 or act8">;

#endif // SORTIE_DIALECT_MOERT_TYPES
