// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `moert`: what a module holds, then the operations of a function's body.

#ifndef SORTIE_DIALECT_MOERT_OPS
#define SORTIE_DIALECT_MOERT_OPS

include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/moert/MoertAttributes.td"
include "dialect/moert/MoertInterfaces.td"
include "dialect/moert/MoertTypes.td"

class Moert_Op<string mnemonic, list<Trait> traits = []> : Op<Moert_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

def Moert_SymbolOp : Moert_Op<"symbol", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "a bounded symbol";
  let description = [{
    A number that is known when a function is called, 0 to `max`: the number of tokens. Dimensions
    and sizes are affine in symbols.

    (C1) `max` is 1 to 2^31 - 1.
    (C2) The name is an identifier of letters, digits and underscores.

    Example:
    ```mlir
    moert.symbol @tokens max(8192)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$max);
  let assemblyFormat = "$sym_name `max` `(` $max `)` attr-dict";
}

def Moert_SourceArrayAttr : TypedArrayAttrBase<Moert_SourceAttr, "sources">;
def Moert_ImageArrayAttr : TypedArrayAttrBase<Moert_ImageAttr, "images">;
def Moert_WeightFormArrayAttr : TypedArrayAttrBase<Moert_WeightFormAttr, "forms of weights">;
def Moert_LaunchVariantArrayAttr
    : TypedArrayAttrBase<Moert_LaunchVariantAttr, "variants of a launch">;
def Moert_PackVariantArrayAttr : TypedArrayAttrBase<Moert_PackVariantAttr, "variants of a pack">;
def Moert_GridArrayAttr : TypedArrayAttrBase<Moert_GridAttr, "dimensions of a grid">;
def Moert_WeightArrayAttr : TypedArrayAttrBase<FlatSymbolRefAttr, "names of weights">;
def Moert_ExtentArrayAttr : TypedArrayAttrBase<Moert_ExtentAttr, "extents">;

def Moert_KernelOp : Moert_Op<"kernel", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "a kernel of a device";
  let description = [{
    Code that `moert.launch` starts, by the name `entry`. Its parameters are a pointer for each
    buffer it reads, each buffer it writes and each weight, then an `int32` for each extent. Two
    more follow in every kernel, which no count includes: a pointer to a `uint32`, and a `uint32`,
    the number of the step that the launch is in its function. The kernel writes the number there
    when it begins, unless the pointer is null. A weight is read in one of three forms: `packed` is
    the output of the weight's pack kernel, `raw` the bytes of the file, row-major, `floats` fp32.

    `sources` are for `moert-compile-kernels`, which puts `images` in their place, one for each
    chip.
    Thread blocks have one dimension, of `threads` threads where the source or image does not say
    otherwise (docs/launch-variants.md).

    Each thread waits for the launch before it before it touches what launches have written, but for
    the buffers read whose numbers are in `early`.

    (C1) `entry` is an identifier of letters, digits and underscores.
    (C2) `reads` and `extents` are not negative, `writes` is at least 1, and together with the
    weights there are at most 64 parameters.
    (C3) `threads` is a multiple of 32 from 32 to 1024.
    (C4) There are either sources or images, at least one.
    (C5) They are for different chips.
    (C6) Tensor maps are of operands that the kernel has.
    (C7) `early` are numbers of buffers that are read, ascending.

    Examples:
    ```mlir
    moert.kernel @glu_0 "sortie_glu_0" reads(3) writes(1) weights(packed, packed) threads(256)
      sources [#moert.source<arch = "sm_90a", shared = 98304, schedule = "", text = "#include ...">]
    moert.kernel @pack_0 "sortie_pack_0" reads(1) writes(1) extents(2) threads(256)
      images [#moert.image<arch = "sm_90", shared = 0, hash = "af1349b9f5f9a1a6a0404dea36dcc949",
                           data = dense_resource<pack_0_sm_90> : tensor<8192xi8>>]
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name, StrAttr:$entry, I64Attr:$reads, I64Attr:$writes,
    DefaultValuedAttr<Moert_WeightFormArrayAttr, "{}">:$weights,
    DefaultValuedAttr<I64Attr, "0">:$extents, I64Attr:$threads,
    OptionalAttr<DenseI64ArrayAttr>:$early,
    OptionalAttr<Moert_SourceArrayAttr>:$sources, OptionalAttr<Moert_ImageArrayAttr>:$images);
  let useCustomPropertiesEncoding = 1;
  let assemblyFormat = [{
    $sym_name $entry `reads` `(` $reads `)` `writes` `(` $writes `)`
    (`weights` `(` custom<WeightForms>($weights)^ `)`)? (`extents` `(` $extents^ `)`)?
    `threads` `(` $threads `)` (`early` $early^)? (`sources` $sources^)? (`images` $images^)?
    attr-dict
  }];
  let extraClassDeclaration = [{
    static constexpr unsigned kMaxParameters = 64;

    /// The form of the weight with this number.
    WeightForm getForm(unsigned index) {
      return ::llvm::cast<WeightFormAttr>(getWeights()[index]).getValue();
    }

    /// Its sources, or its images.
    ::mlir::ArrayAttr getVariants() { return getSourcesAttr() ? getSourcesAttr() : getImagesAttr(); }

    /// The architecture of a source or an image, and how it is launched; null: as the kernel says.
    static ::llvm::StringRef getArch(::mlir::Attribute variant);
    static ConfigAttr getConfig(::mlir::Attribute variant);
  }];
}

def Moert_WeightOp : Moert_Op<"weight", [
    Symbol, HasParent<"::mlir::ModuleOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a tensor of the model file, a part of one, or several";
  let description = [{
    Names a tensor by `tensor`, its name in the model's own file, a part of it, or several, one an
    expert (`#moert.tensors`), as `moe.weight` does. States the shape and format of the weight that
    the program was compiled for. The loader compares both with the file, shapes without their
    dimensions of one. Rows run along the last dimension.

    `pack` says how the device packs it, once, for the kernels that read it `packed`, and `packs`
    how for kernels whose image is for another architecture (docs/launch-variants.md).

    (C1) `tensor` is not empty, and UTF-8 without control characters.
    (C2) `format` is a name of the table of encodings in `runtime/numerics/encoding.h`.
    (C3) The shape has 1 to 3 dimensions, each 1 to 2^31 - 1, and keeps the limit of 2^48 bytes.
    (C4) The last dimension is a multiple of the encoding's block.
    (C5) A weight with a `pack` has 2 or 3 dimensions; packed it keeps the limit of 2^48 bytes.
    (C6) The kernel of a pack is a `moert.kernel` that reads one buffer, writes one, takes two
    extents and no weight.
    (C7) `tensor` keeps the constraints (C4) to (C8) of `moe.weight`, and each tensor that it names
    the limit of 2^48 bytes.
    (C8) `packs` stand beside a `pack` and are for different architectures; each keeps (C5).

    Examples:
    ```mlir
    moert.weight @gate "blk.0.ffn_gate_exps.weight" : 128x768x2048xq4_K
    moert.weight @up "blk.0.ffn_up_exps.weight" pack(@pack_q4_K_0 rows(16) bytes(18432))
      : 128x768x2048xq4_K
    moert.weight @half "blk.0.ffn_gate_up_exps.weight" rows(512 of 1024) : 8x512x256xq4_0
    moert.weight @stacked ["blk.0.ffn_up.0.weight", "blk.0.ffn_up.1.weight"] : 2x512x256xq4_0
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name, AnyAttrOf<[StrAttr, Moert_TensorsAttr]>:$tensor,
    DenseI64ArrayAttr:$shape, StrAttr:$format, OptionalAttr<Moert_PackAttr>:$pack,
    OptionalAttr<Moert_PackVariantArrayAttr>:$packs);
  let useCustomPropertiesEncoding = 1;
  let assemblyFormat = [{
    $sym_name custom<Tensors>($tensor) (`pack` `(` custom<Pack>($pack)^ `)`)? (`packs` $packs^)?
    attr-dict `:` custom<WeightShape>($shape, $format)
  }];
  let extraClassDeclaration = [{
    /// How the model file stores the weight. The op is verified.
    const ::sortie::numerics::EncodingInfo &getEncodingInfo();
    /// The packed form that its products compute with.
    ::sortie::numerics::FormatInfo getFormatInfo() {
      return ::sortie::numerics::formatInfo(getEncodingInfo());
    }

    /// What the weight is made of.
    WeightTensors getTensors() { return WeightTensors::from<TensorsAttr>(getTensor()); }

    /// (C5) and (C8).
    ::llvm::LogicalResult verifyPacks();

    /// How it is packed for kernels whose image is for this architecture. Null: it is not.
    PackAttr getPackFor(::llvm::StringRef arch);

    /// `pack`, if it has one, and those of `packs`.
    ::llvm::SmallVector<PackAttr> getAllPacks();

    /// Panels of all experts together, each of `rows` rows or fewer. The weight has a matrix.
    int64_t getPanels(int64_t rows);
  }];
}

def Moert_StateOp : Moert_Op<"state", [
    Symbol, HasParent<"::mlir::ModuleOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "memory of a session that stays between runs";
  let description = [{
    A buffer that each session of the program has for itself, of zeros when the session is made or
    the state is reset. Functions name it with `moert.state_buffer`; callers reset, read, write and
    copy it between runs.

    A symbol that the shape of a state depends on is one of the *session*: it gets its value when
    the session is made, and keeps it.

    (C1) The name is not empty, and UTF-8 without control characters.
    (C2) The symbol of its dimensions, if it has one, is a `moert.symbol` of the module, and the
    size at its bound is less than 2^63 bytes.
    (C3) It holds f32, i32, bf16 or f16.
    (C4) It lies in space "global", on the device of the functions that use it.
    (C5) All of these have one target.

    Example:
    ```mlir
    moert.state @window : !moert.buffer<128 x 64 x f32>
    moert.state @blk.0.cache : !moert.buffer<pages x 33024 x i32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Moert_Buffer>:$buffer_type);
  let assemblyFormat = "$sym_name attr-dict `:` $buffer_type";
}

def Moert_FuncOp : Moert_Op<"func", [
    Symbol, HasParent<"::mlir::ModuleOp">, IsolatedFromAbove,
    SingleBlockImplicitTerminator<"ReturnOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "an entry point";
  let description = [{
    A straight line of operations. Its arguments are the inputs, then the outputs, all buffers of
    the caller, each with a name. `arena` is the size in bytes of the scratch memory that a call
    needs; without it, memory has not been planned yet. Where sizes depend on several symbols, the
    arena has a region for each of them: a buffer lies in the region of the symbol of its size, one
    of constant size in the first, and offsets count from the start of the region.

    The function runs on a device of kind `target`, the program's if left out: on number `device` of
    those that the program uses, 0 if left out.

    (C1) Each block argument has one name in `arg_names` (inputs) or `out_names` (outputs); names
    are not empty and all different. There is at least one output, or a state that is written. Names
    of arguments and of the function, which is not empty either, are UTF-8 without control
    characters.
    (C2) Arguments are buffers.
    (C3) Every symbol of a type, an offset, the arena, or the grid and extents of a launch is a
    `moert.symbol` of the module.
    (C4) With an arena, every `moert.buffer` has an offset, and offset + size lies within its region
    for all values of the symbols. Without one, none has an offset.
    (C5) Inputs are not written; a state may be read and written by any number of operations, in
    their order; every other buffer is written once, before it is read. Outputs are written.
    (C6) Of two buffers that are live together one lies before the other, for all values of the
    symbols. A buffer is live from the operation that writes it to the last that reads it.
    (C7) The arena and every argument take less than 2^63 bytes at the bounds of the symbols.
    Several regions are multiples of 64 bytes, each in a symbol of its own, and there is one for the
    size of every buffer that is not constant.
    (C8) The body holds nothing but operations of this dialect.
    (C9) In a program, what an operation reads as `permutation`, `inverse`, `offsets` or `order` was
    written in that role by a `moert.dispatch` of the function, one and the same for all indices of
    the operation, or by a kernel; copies count as their originals. A state never counts as such. A
    product with `offsets` has as many rows as the dispatch.
    (C10) No operation writes a buffer twice. It writes a state that it reads, too, only if it can
    do so in place: `moert.add`, `moert.glu` and `moert.rms_norm` from any of their rows.
    (C11) A state has one `moert.state_buffer` in a function.
    (C12) What the kernel of a launch that `overlaps` reads `early` is not written by a launch that
    may still run then: by the one before it, nor, as long as those can have no thread blocks, by one
    before that. What is not a launch, a buffer, a state or a checkpoint ends by itself.
    (C13) `target` is not empty, `device` not negative. All buffers lie on device `device`.
    (C14) What lies in another space than "global" is an argument, and `moert.copy` alone reads or
    writes it.

    Examples:
    ```mlir
    moert.func @blk_0_ffn("hidden" %hidden: !moert.buffer<tokens x 2048 x f32>)
        outs("ffn_out" %out: !moert.buffer<tokens x 2048 x f32>) arena(8192*tokens) {
      %norm = moert.buffer offset(0) : !moert.buffer<tokens x 2048 x f32>
      ...
      moert.return
    }
    moert.func @experts("x" %x: !moert.buffer<tokens x 2048 x f32, device = 1>)
        outs("y" %y: !moert.buffer<tokens x 2048 x f32, device = 1>) target("cuda") device(1) { ... }
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name, StrArrayAttr:$arg_names, StrArrayAttr:$out_names,
    OptionalAttr<StrAttr>:$target, DefaultValuedOptionalAttr<I64Attr, "0">:$device,
    OptionalAttr<AnyAttrOf<[Moert_ExtentAttr, Moert_ExtentArrayAttr]>>:$arena);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let useCustomPropertiesEncoding = 1;
  let skipDefaultBuilders = 1;
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$name,
      "::llvm::ArrayRef<std::pair<::mlir::StringAttr, BufferType>>":$inputs,
      "::llvm::ArrayRef<std::pair<::mlir::StringAttr, BufferType>>":$outputs)>
  ];
  let extraClassDeclaration = [{
    unsigned getNumInputs() { return getArgNames().size(); }
    unsigned getNumOutputs() { return getOutNames().size(); }
    /// The kind of device that the function runs on: its own, or the program's; empty if neither is
    /// there.
    ::llvm::StringRef getTargetOrProgram();
    /// The sizes of the arena's regions; none before memory is planned.
    ::llvm::SmallVector<ExtentAttr> getArenaRegions();
    /// At least one region.
    void setArenaRegions(::llvm::ArrayRef<ExtentAttr> regions);
    /// The region that a buffer of this size lies in; as many as there are if there is none.
    unsigned getArenaRegionOf(ExtentAttr size);
    ::mlir::Block::BlockArgListType getInputs() {
      return getBody().front().getArguments().take_front(getNumInputs());
    }
    ::mlir::Block::BlockArgListType getOutputs() {
      return getBody().front().getArguments().drop_front(getNumInputs());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

class Moert_BodyOp<string mnemonic, list<Trait> traits = []>
  : Moert_Op<mnemonic, [HasParent<"FuncOp">] # traits>;

// All buffers of the operation lie on one device, in one memory space.
def Moert_SamePlacement : NativeOpTrait<"SamePlacement"> {
  let cppNamespace = "::sortie::moert";
}

// An operation that one device executes.
class Moert_DeviceOp<string mnemonic, list<Trait> traits = []>
  : Moert_BodyOp<mnemonic, [Moert_SamePlacement] # traits>;

// An operation that names weights.
class Moert_WeightUserOp<string mnemonic, list<Trait> traits = []>
  : Moert_DeviceOp<mnemonic, [DeclareOpInterfaceMethods<SymbolUserOpInterface>] # traits>;

// An operation that computes something. Those that name weights verify these with symbols.
class Moert_StepOp<string mnemonic, list<Trait> traits = []>
  : Moert_DeviceOp<mnemonic, [Moert_StepOpInterface] # traits>;
class Moert_WeightStepOp<string mnemonic, list<Trait> traits = []>
  : Moert_WeightUserOp<mnemonic, [Moert_StepOpInterface] # traits>;

class Moert_Read<Type type> : Arg<type, "", [MemRead]>;
class Moert_ReadOptional<Type type> : Arg<Optional<type>, "", [MemRead]>;
class Moert_Write<Type type> : Arg<type, "", [MemWrite]>;
// Written in part: what is not written stays. So only a state can be updated.
class Moert_Update<Type type> : Arg<type, "", [MemRead, MemWrite]>;

// What the audit records. A write to it keeps checkpoints alive and in order.
def Moert_AuditResource : Resource<"::sortie::moert::AuditResource">;

def Moert_ReturnOp : Moert_BodyOp<"return", [Terminator, Pure]> {
  let summary = "ends a function";
  let description = [{
    Ends a `moert.func`. Results are in the output buffers.

    Example:
    ```mlir
    moert.return
    ```
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 0;
}

def Moert_BufferOp : Moert_BodyOp<"buffer"> {
  let summary = "a slice of the arena";
  let description = [{
    A buffer at `offset` bytes from the start of the arena; without an offset, before
    `moert-plan-memory`. The function's constraints (C4) to (C6) say where it may lie.

    (C1) Scale and constant of `offset` are multiples of 64.
    (C2) The buffer lies in space "global", where the arena is.

    Example:
    ```mlir
    %norm = moert.buffer offset(8192*tokens+64) : !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins OptionalAttr<Moert_ExtentAttr>:$offset);
  let results = (outs Res<Moert_Buffer, "", [MemAlloc]>:$result);
  let assemblyFormat = "(`offset` `(` custom<Extent>($offset)^ `)`)? attr-dict `:` type(results)";
  let extraClassDeclaration = [{
    /// Alignment in bytes of every slice of the arena, and of the arena itself.
    static constexpr int64_t kAlignment = 64;
  }];
}

def Moert_StateBufferOp : Moert_BodyOp<"state_buffer", [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the memory of a state";
  let description = [{
    The session's memory of a `moert.state`, as whichever function ran last has left it.

    (C1) `state` is a `moert.state` of the result's type.

    Example:
    ```mlir
    %window = moert.state_buffer @window : !moert.buffer<128 x 64 x f32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$state);
  let results = (outs Moert_Buffer:$result);
  let assemblyFormat = "$state attr-dict `:` type(results)";
  let hasVerifier = 0;
}

// An operation over f32 rows `[T, K]` that weighs each column after it has made the row's size one.
class Moert_NormOp<string mnemonic> : Moert_WeightStepOp<mnemonic> {
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$input, FlatSymbolRefAttr:$weight, F32Attr:$eps,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `,` $weight `eps` `(` $eps `)` `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .readInPlace(getInput())
          .vector(getWeightAttr())
          .write(getOutput())
          .parameter(getEps().convertToFloat());
    }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      return verifyNorm(*this, getInput(), getOutput(), getEps());
    }
    ::llvm::LogicalResult $cppClass::verifySymbolUses(::mlir::SymbolTableCollection &symbols) {
      return verifyVector(*this, symbols, getWeightAttr(), getDim(getInput(), 1).getConstant());
    }
  }];
}

def Moert_RmsNormOp : Moert_NormOp<"rms_norm"> {
  let summary = "root-mean-square normalisation of rows";
  let description = [{
    As `moe.rms_norm`.

    (C1) `input` and `output` are `[T, K]`.
    (C2) `weight` is `K` x f32.
    (C3) `eps` is finite and not negative.

    Example:
    ```mlir
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%y)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
}

def Moert_RouteOp : Moert_WeightStepOp<"route"> {
  let summary = "selects the experts of each token and their weights";
  let description = [{
    As `moe.route`.

    (C1) `scores` is `[T, E]`, `ids` and `weights` are `[T, top]`.
    (C2) `E`, `top`, `groups`, `groups_used`, `group_score` and `scale` keep the constraints of
    `moe.route`.
    (C3) `bias` is `E` x f32.

    Example:
    ```mlir
    moert.route %scores bias(@bias) top(8) scoring(sigmoid) groups(4 of 8) normalize scale(2.5)
      tie(lower_id) outs(%ids, %weights)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 8 x i32>,
        !moert.buffer<tokens x 8 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$scores,
    OptionalAttr<FlatSymbolRefAttr>:$bias,
    I64Attr:$top,
    Moert_ScoringAttr:$scoring,
    OptionalAttr<I64Attr>:$groups_used,
    OptionalAttr<I64Attr>:$groups,
    DefaultValuedAttr<Moert_GroupScoreAttr, "::sortie::GroupScore::BestTwo">:$group_score,
    UnitAttr:$normalize,
    DefaultValuedAttr<F32Attr, "1.0f">:$scale,
    Moert_TieRuleAttr:$tie,
    Moert_Write<Moert_I32Buffer>:$ids,
    Moert_Write<Moert_F32Buffer>:$weights);
  let assemblyFormat = [{
    $scores (`bias` `(` $bias^ `)`)? `top` `(` $top `)` `scoring` `(` custom<Word>($scoring) `)`
    (`groups` `(` $groups_used^ `of` $groups `)`)?
    (`group_score` `(` custom<Word>($group_score)^ `)`)? (`normalize` $normalize^)?
    (`scale` `(` $scale^ `)`)? `tie` `(` custom<Word>($tie) `)` `outs` `(` $ids `,` $weights `)`
    attr-dict `:` type(operands)
  }];
  let useCustomPropertiesEncoding = 1;
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_DispatchOp : Moert_StepOp<"dispatch"> {
  let summary = "stable sort of the slots by expert";
  let description = [{
    As `moe.dispatch`. An id outside of `[0, experts)` is an error of the call.

    (C1) `ids` is `[T, k]`, `permutation` `[k*T]`, `inverse` `[T, k]`, `offsets` `[count + 1]`.
    (C2) `experts` and `range` keep the constraints of `moe.dispatch`.

    Example:
    ```mlir
    moert.dispatch %ids experts(128) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<tokens x 8 x i32>, !moert.buffer<8*tokens x i32>,
        !moert.buffer<tokens x 8 x i32>, !moert.buffer<129 x i32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_I32Buffer>:$ids,
    I64Attr:$experts,
    OptionalAttr<DenseI64ArrayAttr>:$range,
    Moert_Write<Moert_I32Buffer>:$permutation,
    Moert_Write<Moert_I32Buffer>:$inverse,
    Moert_Write<Moert_I32Buffer>:$offsets);
  let assemblyFormat = [{
    $ids `experts` `(` $experts `)` (`range` $range^)?
    `outs` `(` $permutation `,` $inverse `,` $offsets `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    /// The experts that slots are sorted by: those of `range`, which is verified, or all.
    int64_t getFirstExpert() { return getRange() ? getRange()->front() : 0; }
    int64_t getExpertCount() {
      return getRange() ? getRange()->back() : static_cast<int64_t>(getExperts());
    }
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getIds())
          .write(getPermutation())
          .write(getInverse())
          .write(getOffsets())
          .parameter(static_cast<int64_t>(getExperts()))
          .parameter(getFirstExpert())
          .parameter(getExpertCount());
    }
  }];
}

def Moert_QuantizeOp : Moert_StepOp<"quantize"> {
  let summary = "quantizes rows of activations";
  let description = [{
    As `moe.quantize`.

    (C1) `input` is f32 `[T, K]`, `output` act16 or act8 of the same shape.

    Example:
    ```mlir
    moert.quantize %x outs(%q)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_F32Buffer>:$input, Moert_Write<Moert_ActBuffer>:$output);
  let assemblyFormat = "$input `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands().read(getInput()).write(getOutput());
    }
  }];
}

def Moert_GatherOp : Moert_StepOp<"gather"> {
  let summary = "rows of tokens in sorted order";
  let description = [{
    As `moe.gather`, over f32 rows.

    (C1) `input` is `[T, K]`, `permutation` `[slots*T]`, `output` `[slots*T, K]`.
    (C2) `slots >= 1`.

    Example:
    ```mlir
    moert.gather %x, %permutation slots(8) outs(%y)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<8*tokens x i32>,
        !moert.buffer<8*tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$input, Moert_Read<Moert_I32Buffer>:$permutation, I64Attr:$slots,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `,` $permutation `slots` `(` $slots `)` `outs` `(` $output `)` attr-dict
    `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getInput())
          .readPermutation(getPermutation())
          .write(getOutput())
          .parameter(static_cast<int64_t>(getSlots()));
    }
  }];
}

def Moert_MatmulOp : Moert_WeightStepOp<"matmul", [AttrSizedOperandSegments]> {
  let summary = "matrix product, dense or over rows grouped by expert";
  let description = [{
    As `moe.grouped_matmul`; without `offsets`, `moe.matmul`.

    (C1) With `offsets` `[E + 1]`, `weights` is `E x N x K`; without, `N x K`.
    (C2) `input` is `[R, K]`, with `slots` `[T, K]` where `R = slots*T`; `output` is f32 `[R, N]`.
    (C3) `bias` is `E x N` with `offsets`, otherwise `N`, of format f32.
    (C4) `permutation` `[R]` is given exactly if `slots` or `scale` is.
    (C5) `slots >= 1`; `scale` is `[T, k]` with `R = k*T`.
    (C6) `arithmetic` is `exact` (quantized input, a block format), `float` or `bf16` (f32 input, a
    format of floats). `bf16` is for programs whose contract is without `device`.
    (C7) `expert_scale` is `E` x f32, and needs `offsets`.

    Example:
    ```mlir
    moert.matmul %x, @down offsets(%offsets) permutation(%permutation) scale(%weights)
      arithmetic(exact) outs(%y)
      : !moert.buffer<8*tokens x 768 x act16>, !moert.buffer<129 x i32>,
        !moert.buffer<8*tokens x i32>, !moert.buffer<tokens x 8 x f32>,
        !moert.buffer<8*tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_RowsBuffer>:$input,
    FlatSymbolRefAttr:$weights,
    Moert_ReadOptional<Moert_I32Buffer>:$offsets,
    Moert_ReadOptional<Moert_I32Buffer>:$permutation,
    OptionalAttr<I64Attr>:$slots,
    OptionalAttr<FlatSymbolRefAttr>:$expert_scale,
    OptionalAttr<FlatSymbolRefAttr>:$bias,
    Moert_ReadOptional<Moert_F32Buffer>:$scale,
    Moert_ArithmeticAttr:$arithmetic,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `,` $weights (`offsets` `(` $offsets^ `)`)? (`permutation` `(` $permutation^ `)`)?
    (`slots` `(` $slots^ `)`)? (`expert_scale` `(` $expert_scale^ `)`)? (`bias` `(` $bias^ `)`)?
    (`scale` `(` $scale^ `)`)? `arithmetic` `(` custom<Word>($arithmetic) `)`
    `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let useCustomPropertiesEncoding = 1;
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_GluMatmulOp : Moert_WeightStepOp<"glu_matmul", [AttrSizedOperandSegments]> {
  let summary = "gate and up products with their activation";
  let description = [{
    As `moe.grouped_glu`. An output of act16 or act8 is quantized as `moert.quantize` does.

    (C1) With `offsets` `[E + 1]`, `gate` and `up` are `E x N x K`; without, `N x K`.
    (C2) `input` is `[R, K]`, with `slots` `[T, K]` where `R = slots*T`; `output` is `[R, N]`.
    (C3) `gate_bias` and `up_bias` are `E x N` with `offsets`, otherwise `N`, of format f32.
    (C4) `permutation` `[R]` is given exactly if `slots` is.
    (C5) `slots >= 1`.
    (C6) `arithmetic` suits input and both weights as in `moert.matmul`.
    (C7) `alpha` and `limit` are as in `moe.glu`.
    (C8) `gate_scale` and `up_scale` are `E` x f32, and need `offsets`.

    Example:
    ```mlir
    moert.glu_matmul %x, @gate, @up offsets(%offsets) permutation(%permutation) slots(8)
      kind(swiglu) arithmetic(exact) outs(%act)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<129 x i32>,
        !moert.buffer<8*tokens x i32>, !moert.buffer<8*tokens x 768 x act16>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_RowsBuffer>:$input,
    FlatSymbolRefAttr:$gate,
    FlatSymbolRefAttr:$up,
    Moert_ReadOptional<Moert_I32Buffer>:$offsets,
    Moert_ReadOptional<Moert_I32Buffer>:$permutation,
    OptionalAttr<I64Attr>:$slots,
    OptionalAttr<FlatSymbolRefAttr>:$gate_scale,
    OptionalAttr<FlatSymbolRefAttr>:$up_scale,
    OptionalAttr<FlatSymbolRefAttr>:$gate_bias,
    OptionalAttr<FlatSymbolRefAttr>:$up_bias,
    Moert_GluKindAttr:$kind,
    OptionalAttr<F32Attr>:$alpha,
    OptionalAttr<F32Attr>:$limit,
    Moert_ArithmeticAttr:$arithmetic,
    Moert_Write<Moert_RowsBuffer>:$output);
  let assemblyFormat = [{
    $input `,` $gate `,` $up (`offsets` `(` $offsets^ `)`)? (`permutation` `(` $permutation^ `)`)?
    (`slots` `(` $slots^ `)`)?
    (`gate_scale` `(` $gate_scale^ `)`)? (`up_scale` `(` $up_scale^ `)`)?
    (`gate_bias` `(` $gate_bias^ `)`)? (`up_bias` `(` $up_bias^ `)`)?
    `kind` `(` custom<Word>($kind) `)` (`alpha` `(` $alpha^ `)`)? (`limit` `(` $limit^ `)`)?
    `arithmetic` `(` custom<Word>($arithmetic) `)` `outs` `(` $output `)` attr-dict
    `:` type(operands)
  }];
  let useCustomPropertiesEncoding = 1;
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_CublasMatmulOp : Moert_WeightUserOp<"cublas_matmul"> {
  let summary = "dense product by cuBLAS";
  let description = [{
    As `moert.matmul` without `offsets`, in `bf16` arithmetic, by NVIDIA's library: the products of
    bf16 operands are added in fp32, in an order that is the library's own. It gives the same bits in
    another run, by the same version on a GPU of the same model; with another number of rows it may
    not.

    The matrix is read in bf16, row-major: as it lies in the file, or packed so, a panel for each
    row.

    (C1) `weights` is `N x K` of format bf16, or of another that is packed in 1 row and 2*K bytes on
    every architecture.
    (C2) `input` is bf16 `[R, K]`, `output` f32 `[R, N]`.
    (C3) The contract of the program is without `batch`.
    (C4) The program's features have `cublas`.

    Example:
    ```mlir
    moert.cublas_matmul %x, @down outs(%y)
      : !moert.buffer<tokens x 768 x bf16>, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_Bf16Buffer>:$input, FlatSymbolRefAttr:$weights,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = "$input `,` $weights `outs` `(` $output `)` attr-dict `:` type(operands)";
}

def Moert_GluOp : Moert_StepOp<"glu"> {
  let summary = "gated activation";
  let description = [{
    As `moe.glu`.

    (C1) `gate`, `up` and `output` have one shape.
    (C2) `alpha` and `limit` are as in `moe.glu`.

    Example:
    ```mlir
    moert.glu %gate, %up kind(swiglu) outs(%act) : !moert.buffer<8*tokens x 768 x f32>,
      !moert.buffer<8*tokens x 768 x f32>, !moert.buffer<8*tokens x 768 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$gate,
    Moert_Read<Moert_F32Buffer>:$up,
    Moert_GluKindAttr:$kind,
    OptionalAttr<F32Attr>:$alpha,
    OptionalAttr<F32Attr>:$limit,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $gate `,` $up `kind` `(` custom<Word>($kind) `)` (`alpha` `(` $alpha^ `)`)?
    (`limit` `(` $limit^ `)`)? `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      const numerics::Glu glu = getGluParams(getKind(), getAlpha(), getLimit());
      return StepOperands()
          .readInPlace(getGate())
          .readInPlace(getUp())
          .write(getOutput())
          .parameter(static_cast<int64_t>(glu.kind))
          .parameter(glu.alpha)
          .parameter(glu.limit);
    }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      if (failed(verifySameShape(*this, getGate(), {{"up", getUp()}, {"output", getOutput()}})))
        return failure(); // (C1)
      return verifyGlu([&] { return emitOpError(); }, getKind(), getAlpha(), getLimit()); // (C2)
    }
  }];
}

def Moert_UnsortOp : Moert_StepOp<"unsort"> {
  let summary = "sorted rows back in slot order";
  let description = [{
    As `moe.unsort`.

    (C1) `rows` is `[k*T, N]`, `inverse` `[T, k]`, `output` `[T, k, N]`.

    Example:
    ```mlir
    moert.unsort %rows, %inverse outs(%y)
      : !moert.buffer<8*tokens x 768 x f32>, !moert.buffer<tokens x 8 x i32>,
        !moert.buffer<tokens x 8 x 768 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$rows, Moert_Read<Moert_I32Buffer>:$inverse,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = "$rows `,` $inverse `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands().read(getRows()).readInverse(getInverse()).write(getOutput());
    }
  }];
}

def Moert_CombineOp : Moert_StepOp<"combine", [AttrSizedOperandSegments]> {
  let summary = "weighted sum of the slots of each token";
  let description = [{
    As `moe.combine`.

    (C1) With `inverse` `[T, k]`, `rows` is `[k*T, N]`; without, `[T, k, N]`.
    (C2) `weights` is `[T, k]`.
    (C3) `output` is `[T, N]`.

    Example:
    ```mlir
    moert.combine %rows inverse(%inverse) outs(%y)
      : !moert.buffer<8*tokens x 2048 x f32>, !moert.buffer<tokens x 8 x i32>,
        !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$rows,
    Moert_ReadOptional<Moert_I32Buffer>:$inverse,
    Moert_ReadOptional<Moert_F32Buffer>:$weights,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $rows (`inverse` `(` $inverse^ `)`)? (`weights` `(` $weights^ `)`)? `outs` `(` $output `)`
    attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getRows())
          .readInverse(getInverse())
          .read(getWeights())
          .write(getOutput());
    }
  }];
}

def Moert_AddOp : Moert_StepOp<"add"> {
  let summary = "sum of two buffers";
  let description = [{
    As `moe.add`.

    (C1) `lhs`, `rhs` and `output` have one shape.

    Example:
    ```mlir
    moert.add %a, %b outs(%y) : !moert.buffer<tokens x 2048 x f32>,
      !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$lhs, Moert_Read<Moert_F32Buffer>:$rhs,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = "$lhs `,` $rhs `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands().readInPlace(getLhs()).readInPlace(getRhs()).write(getOutput());
    }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      return verifySameShape(*this, getLhs(), {{"rhs", getRhs()}, {"output", getOutput()}}); // (C1)
    }
  }];
}

def Moert_ScaleOp : Moert_StepOp<"scale"> {
  let summary = "a buffer times a constant";
  let description = [{
    As `moe.scale`.

    (C1) `input` and `output` have one shape.
    (C2) `factor` is finite.

    Example:
    ```mlir
    moert.scale %a by(0.22) outs(%y)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$input, F32Attr:$factor, Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `by` `(` $factor `)` `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getInput())
          .write(getOutput())
          .parameter(getFactor().convertToFloat());
    }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      if (failed(verifySameShape(*this, getInput(), {{"output", getOutput()}})))
        return failure(); // (C1)
      return getFactor().isFinite() ? success() : emitOpError("factor must be finite"); // (C2)
    }
  }];
}

def Moert_ReadRowsOp : Moert_StepOp<"read_rows"> {
  let summary = "rows of a table, by their numbers";
  let description = [{
    Row `i` of `output` is row `index[i]` of `table`. A number that is no row of the table is an
    error of the run.

    (C1) `table` is `[R, C]`, `index` `[T]`, `output` `[T, C]` of the element kind of `table`.
    (C2) `C` is constant; so is `R`, at most 2^31 - 1, or it has a symbol.

    Example:
    ```mlir
    moert.read_rows %window, %index outs(%y)
      : !moert.buffer<128 x 64 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x 64 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_Buffer>:$table, Moert_Read<Moert_I32Buffer>:$index,
    Moert_Write<Moert_Buffer>:$output);
  let assemblyFormat = "$table `,` $index `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_WriteRowsOp : Moert_StepOp<"write_rows"> {
  let summary = "writes rows of a state, by their numbers";
  let description = [{
    Row `i` of `rows` becomes row `index[i]` of `table`, in ascending order: of several rows with
    one number, the last one stays. The other rows of the table stay as they are. A number that is
    no row of the table is an error of the run.

    (C1) `table` is `[R, C]`, `index` `[T]`, `rows` `[T, C]` of the element kind of `table`.
    (C2) `C` is constant; so is `R`, at most 2^31 - 1, or it has a symbol.

    Example:
    ```mlir
    moert.write_rows %x, %index outs(%window)
      : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<128 x 64 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_Buffer>:$rows, Moert_Read<Moert_I32Buffer>:$index,
    Moert_Update<Moert_Buffer>:$table);
  let assemblyFormat = "$rows `,` $index `outs` `(` $table `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_ConvertOp : Moert_StepOp<"convert"> {
  let summary = "floats of one width as floats of another";
  let description = [{
    Each element to the nearest of the output's kind, ties to even (`runtime/numerics/convert.h`);
    from f16 and bf16 to f32 nothing is rounded. Beyond the largest number of the kind it becomes
    infinite; each NaN becomes the canonical one.

    (C1) `input` and `output` have one shape.
    (C2) One of them is f32, the other f16 or bf16.

    Example:
    ```mlir
    moert.convert %x outs(%y)
      : !moert.buffer<tokens x 2048 x f16>, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_FloatBuffer>:$input, Moert_Write<Moert_FloatBuffer>:$output);
  let assemblyFormat = "$input `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

//===----------------------------------------------------------------------===//
// Language models
//===----------------------------------------------------------------------===//

def Moert_EmbedOp : Moert_WeightStepOp<"embed"> {
  let summary = "rows of an embedding table";
  let description = [{
    As `lm.embed`. A token that is no row of the table is an error of the run.

    (C1) `tokens` is `[T]`, `output` f32 `[T, K]`.
    (C2) `table` is `V x K`.

    Example:
    ```mlir
    moert.embed %tokens, @token_embd outs(%x)
      : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_I32Buffer>:$tokens, FlatSymbolRefAttr:$table,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = "$tokens `,` $table `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands().read(getTokens()).matrix(getTableAttr()).write(getOutput());
    }
  }];
}

def Moert_HeadNormOp : Moert_WeightStepOp<"head_norm"> {
  let summary = "root-mean-square normalisation of each head";
  let description = [{
    As `lm.head_norm`.

    (C1) `input` and `output` are `[T, K]`, K being `heads` (1 to 2^20) times 1 to 1024 elements.
    (C2) `weight` is `K / heads` x f32.
    (C3) `eps` is finite and not negative.

    Example:
    ```mlir
    moert.head_norm %q, @q_norm heads(32) eps(1.0e-06) outs(%y)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<tokens x 4096 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$input, FlatSymbolRefAttr:$weight, I64Attr:$heads, F32Attr:$eps,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `,` $weight `heads` `(` $heads `)` `eps` `(` $eps `)` `outs` `(` $output `)` attr-dict
    `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getInput())
          .vector(getWeightAttr())
          .write(getOutput())
          .parameter(static_cast<int64_t>(getHeads()))
          .parameter(getEps().convertToFloat());
    }
  }];
}

def Moert_RotateOp : Moert_StepOp<"rotate"> {
  let summary = "turns pairs of each head by the position";
  let description = [{
    As `lm.rotate`.

    (C1) `input` and `output` are `[T, K]`, K being `heads` (1 to 2^20) times 1 to 1024 elements;
    `positions` is `[T]`.
    (C2) `frequencies` are at least 1, and two times as many elements at most as a head has.
    (C3) `factor` is finite.

    Example:
    ```mlir
    moert.rotate %q, %positions heads(4) pairs(halves) frequencies [2935890503282001226, 92840]
      outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 16 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$input, Moert_Read<Moert_I32Buffer>:$positions, I64Attr:$heads,
    Moert_PairOrderAttr:$pairs, DenseI64ArrayAttr:$frequencies,
    DefaultValuedAttr<F32Attr, "1.0f">:$factor, Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `,` $positions `heads` `(` $heads `)` `pairs` `(` custom<Word>($pairs) `)`
    `frequencies` $frequencies (`factor` `(` $factor^ `)`)? `outs` `(` $output `)` attr-dict
    `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getInput())
          .read(getPositions())
          .write(getOutput())
          .parameter(static_cast<int64_t>(getHeads()))
          .parameter(static_cast<int64_t>(getPairs()))
          .parameter(getFactor().convertToFloat())
          .table(getFrequencies());
    }
  }];
}

def Moert_SliceHeadsOp : Moert_StepOp<"slice_heads"> {
  let summary = "some elements of each head";
  let description = [{
    As `lm.slice_heads`.

    (C1) `input` is `[T, heads*D]` and `output` `[T, heads*N]`; their heads have 1 to 1024 elements.
    (C2) `first` is at least 0, and `first + N` at most `D`.

    Example:
    ```mlir
    moert.slice_heads %q heads(16) first(128) outs(%y)
      : !moert.buffer<tokens x 3072 x f32>, !moert.buffer<tokens x 1024 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$input, I64Attr:$heads, I64Attr:$first,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `heads` `(` $heads `)` `first` `(` $first `)` `outs` `(` $output `)` attr-dict
    `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getInput())
          .write(getOutput())
          .parameter(static_cast<int64_t>(getHeads()))
          .parameter(static_cast<int64_t>(getFirst()));
    }
  }];
}

def Moert_QuantizeHeadsOp : Moert_StepOp<"quantize_heads"> {
  let summary = "quantizes each head of rows";
  let description = [{
    As `lm.quantize_heads`.

    (C1) `input` is f32 `[T, H*K]`, `output` act16 or act8 `[T, H, K]` with constant H.

    Example:
    ```mlir
    moert.quantize_heads %x outs(%q)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 16 x 128 x act16>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_F32Buffer>:$input, Moert_Write<Moert_ActBuffer>:$output);
  let assemblyFormat = "$input `outs` `(` $output `)` attr-dict `:` type(operands)";
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands().read(getInput()).write(getOutput());
    }
  }];
}

def Moert_HeadMatmulOp : Moert_WeightStepOp<"head_matmul"> {
  let summary = "product of each head with a matrix of its own";
  let description = [{
    As `lm.head_matmul`.

    (C1) `weights` is `H x N x K`, H being `heads`, at least 1; `output` is f32 `[T, H*N]`.
    (C2) `arithmetic` is `exact` (`input` quantized `[T, H, K]`, a block format), `float` or `bf16`
    (`input` f32 `[T, H*K]`, a format of floats). `bf16` is for programs whose contract is without
    `device`.

    Example:
    ```mlir
    moert.head_matmul %q, @attn_k_b heads(16) arithmetic(exact) outs(%y)
      : !moert.buffer<tokens x 16 x 128 x act16>, !moert.buffer<tokens x 8192 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_RowsBuffer>:$input, FlatSymbolRefAttr:$weights, I64Attr:$heads,
    Moert_ArithmeticAttr:$arithmetic, Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $input `,` $weights `heads` `(` $heads `)` `arithmetic` `(` custom<Word>($arithmetic) `)`
    `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_AppendOp : Moert_StepOp<"append"> {
  let summary = "quantizes rows of keys and values into a cache";
  let description = [{
    As `lm.append`: row `t` of each head of `keys` and `values` is quantized as one block of `width`
    and becomes position `positions[t]` of sequence `sequences[t]`, in page
    `pages[sequences[t], positions[t] / 128]` of `cache`. A sequence that `pages` does not have, a
    position beyond it, a page that the cache does not have, and two tokens with one place are
    errors of the run.

    How a page of the cache is made up, runtime/numerics/cache.h says.

    (C1) `keys` is f32 `[T, G*D]` and `values` `[T, G*Dv]`, G being `kv_heads`, 1 to 2^20; heads
    have 1 to 1024 elements.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]` with constant P.
    (C3) `cache` is i32 `[N, W]`, W being the 32-bit words of a page, and a state.

    Example:
    ```mlir
    moert.append %k, %v at(%positions, %sequences, %pages) kv_heads(2) width(int16) outs(%cache)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 128 x f32>,
        !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>,
        !moert.buffer<pages x 16896 x i32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$keys, Moert_Read<Moert_F32Buffer>:$values,
    Moert_Read<Moert_I32Buffer>:$positions, Moert_Read<Moert_I32Buffer>:$sequences,
    Moert_Read<Moert_I32Buffer>:$pages, I64Attr:$kv_heads, Moert_IntegerWidthAttr:$width,
    Moert_Update<Moert_I32Buffer>:$cache);
  let assemblyFormat = [{
    $keys `,` $values `at` `(` $positions `,` $sequences `,` $pages `)`
    `kv_heads` `(` $kv_heads `)` `width` `(` custom<Word>($width) `)` `outs` `(` $cache `)`
    attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getKeys())
          .read(getValues())
          .read(getPositions())
          .read(getSequences())
          .read(getPages())
          .write(getCache())
          .parameter(static_cast<int64_t>(getKvHeads()))
          .parameter(static_cast<int64_t>(getWidth()));
    }
  }];
}

def Moert_AppendLatentOp : Moert_StepOp<"append_latent"> {
  let summary = "quantizes rows of latents and rotated keys into a cache";
  let description = [{
    As `lm.append_latent`, by the rules of `moert.append`: row `t` of `latents` and row `t` of
    `rotated` are quantized as one block each.

    (C1) `latents` is f32 `[T, L]` and `rotated` `[T, R]`, of 1 to 1024 columns.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]` with constant P.
    (C3) `cache` is i32 `[N, W]`, W being the 32-bit words of a page, and a state.

    Example:
    ```mlir
    moert.append_latent %latent, %k at(%positions, %sequences, %pages) width(int16) outs(%cache)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 64 x f32>,
        !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>,
        !moert.buffer<pages x 69888 x i32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$latents, Moert_Read<Moert_F32Buffer>:$rotated,
    Moert_Read<Moert_I32Buffer>:$positions, Moert_Read<Moert_I32Buffer>:$sequences,
    Moert_Read<Moert_I32Buffer>:$pages, Moert_IntegerWidthAttr:$width,
    Moert_Update<Moert_I32Buffer>:$cache);
  let assemblyFormat = [{
    $latents `,` $rotated `at` `(` $positions `,` $sequences `,` $pages `)`
    `width` `(` custom<Word>($width) `)` `outs` `(` $cache `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands() {
      return StepOperands()
          .read(getLatents())
          .read(getRotated())
          .read(getPositions())
          .read(getSequences())
          .read(getPages())
          .write(getCache())
          .parameter(static_cast<int64_t>(getWidth()));
    }
  }];
}

def Moert_AttendOp : Moert_WeightStepOp<"attend"> {
  let summary = "attention of each token over the cache of its sequence";
  let description = [{
    As `lm.attend`, in the order of operations of docs/numerics-models.md. Places that no append
    has written count as what lies there: whoever passes `pages` sees to it that all positions up to
    a token's own have been appended. What `moert.append` refuses is an error of the run here, too.

    (C1) `queries` is f32 `[T, H*D]` and `output` `[T, H*Dv]`, H being `heads`, a multiple of
    `kv_heads`, both 1 to 2^20; heads have 1 to 1024 elements.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]` with constant P.
    (C3) `cache` is i32 `[N, W]`, W being the 32-bit words of a page.
    (C4) `sinks` is `H` x f32.
    (C5) `scale` is finite and positive; `window` is 0 (all positions) or more, below 2^31.

    Example:
    ```mlir
    moert.attend %q, %cache at(%positions, %sequences, %pages) heads(4) kv_heads(2)
      scale(1.250000e-01) query_width(int16) width(int16) outs(%y)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<pages x 16896 x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>,
        !moert.buffer<tokens x 256 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$queries, Moert_Read<Moert_I32Buffer>:$cache,
    Moert_Read<Moert_I32Buffer>:$positions, Moert_Read<Moert_I32Buffer>:$sequences,
    Moert_Read<Moert_I32Buffer>:$pages, OptionalAttr<FlatSymbolRefAttr>:$sinks,
    I64Attr:$heads, I64Attr:$kv_heads, F64Attr:$scale, DefaultValuedAttr<I64Attr, "0">:$window,
    Moert_IntegerWidthAttr:$query_width, Moert_IntegerWidthAttr:$width,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $queries `,` $cache `at` `(` $positions `,` $sequences `,` $pages `)`
    (`sinks` `(` $sinks^ `)`)? `heads` `(` $heads `)` `kv_heads` `(` $kv_heads `)`
    `scale` `(` $scale `)` (`window` `(` $window^ `)`)?
    `query_width` `(` custom<Word>($query_width) `)` `width` `(` custom<Word>($width) `)`
    `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_AttendLatentOp : Moert_StepOp<"attend_latent"> {
  let summary = "attention of each token over the latents of its sequence";
  let description = [{
    As `lm.attend_latent`, by the rules of `moert.attend`.

    (C1) `queries` is f32 `[T, H*L]`, `rotated` `[T, H*R]` and `output` `[T, H*L]`, H being `heads`;
    L and R are 1 to 1024.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]` with constant P.
    (C3) `cache` is i32 `[N, W]`, W being the 32-bit words of a page.
    (C4) `scale` is finite and positive.

    Example:
    ```mlir
    moert.attend_latent %q, %r, %cache at(%positions, %sequences, %pages) heads(16)
      scale(7.216878e-02) query_width(int16) width(int16) outs(%y)
      : !moert.buffer<tokens x 8192 x f32>, !moert.buffer<tokens x 1024 x f32>,
        !moert.buffer<pages x 69888 x i32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>,
        !moert.buffer<tokens x 8192 x f32>
    ```
  }];
  let arguments = (ins
    Moert_Read<Moert_F32Buffer>:$queries, Moert_Read<Moert_F32Buffer>:$rotated,
    Moert_Read<Moert_I32Buffer>:$cache, Moert_Read<Moert_I32Buffer>:$positions,
    Moert_Read<Moert_I32Buffer>:$sequences, Moert_Read<Moert_I32Buffer>:$pages, I64Attr:$heads,
    F64Attr:$scale, Moert_IntegerWidthAttr:$query_width, Moert_IntegerWidthAttr:$width,
    Moert_Write<Moert_F32Buffer>:$output);
  let assemblyFormat = [{
    $queries `,` $rotated `,` $cache `at` `(` $positions `,` $sequences `,` $pages `)`
    `heads` `(` $heads `)` `scale` `(` $scale `)`
    `query_width` `(` custom<Word>($query_width) `)` `width` `(` custom<Word>($width) `)`
    `outs` `(` $output `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    StepOperands getStepOperands();
  }];
}

def Moert_CopyOp : Moert_BodyOp<"copy"> {
  let summary = "copies a buffer, also between memory spaces";
  let description = [{
    The only operation whose operands may lie in different spaces. Between "host" and "global" it
    moves a buffer in the order of the function's operations, as a GPU comes to them.

    (C1) `input` and `output` have one shape and one element kind.
    (C2) One of them lies in space "global".

    Example:
    ```mlir
    moert.copy %a outs(%b)
      : !moert.buffer<tokens x 2048 x f32, space = "host">, !moert.buffer<tokens x 2048 x f32>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_Buffer>:$input, Moert_Write<Moert_Buffer>:$output);
  let assemblyFormat = "$input `outs` `(` $output `)` attr-dict `:` type(operands)";
}

def Moert_CheckpointOp : Moert_DeviceOp<"checkpoint", [
    AttrSizedOperandSegments, MemoryEffects<[MemWrite<Moert_AuditResource>]>]> {
  let summary = "names a semantic value for the audit";
  let description = [{
    The buffer holds the value that the model calls `name`: `sortie-run --checksums` prints a hash
    of its canonical, row-major bytes. If `order` `[T, k]` is given, the rows are stored sorted, and
    row `(t, j)` of the canonical value is `rows[order[t, j]]`. Without an operand the value was
    fused away. Nothing but the audit sees a checkpoint.

    (C1) `name` is not empty, and UTF-8 without control characters.
    (C2) `order` comes with `value`; then `value` is `[k*T, N]`.
    (C3) `value` holds f32, i32, bf16 or f16.

    Examples:
    ```mlir
    moert.checkpoint "blk.0.ffn_norm" = %norm : !moert.buffer<tokens x 2048 x f32>
    moert.checkpoint "blk.0.down" = %rows order(%inverse)
      : !moert.buffer<8*tokens x 2048 x f32>, !moert.buffer<tokens x 8 x i32>
    moert.checkpoint "blk.0.gate"
    ```
  }];
  let arguments = (ins
    StrAttr:$name, Moert_ReadOptional<Moert_Buffer>:$value,
    Moert_ReadOptional<Moert_I32Buffer>:$order);
  let assemblyFormat = [{
    $name (`=` $value^)? (`order` `(` $order^ `)`)? attr-dict (`:` type($value)^)?
    (`,` type($order)^)?
  }];
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

// Whether a run fails. A write to it keeps alive what may fail one.
def Moert_FailureResource : Resource<"::sortie::moert::FailureResource">;

def Moert_LaunchOp : Moert_WeightUserOp<"launch", [AttrSizedOperandSegments]> {
  let summary = "starts a kernel";
  let description = [{
    Starts `kernel` on a grid of thread blocks, unless a dimension of it is zero. The kernel gets
    the buffers, weights and extents in the order in which they stand, then where to write the
    number of its step, and that number. `work` says for reports what the launch does.

    `variants` are the grids for architectures on which it is not `grid` (docs/launch-variants.md).
    A launch that `overlaps` may begin before the launch before it has ended; what its kernel may
    read then, (C12) of `moert.func` says.

    (C1) `grid` has 1 to 3 dimensions.
    (C2) `kernel` is a `moert.kernel`, and takes as many buffers to read, buffers to write, weights
    and extents as there are.
    (C3) Weights are `moert.weight`; `packed` ones have a `pack`, `floats` are of a format of
    floats.
    (C4) The `offsets` of `work` are one of the buffers that are read, i32 `[E + 1]`.
    (C5) The `arithmetic` of `work` keeps the program's contract: `bf16` is for programs whose
    contract is without `device`.
    (C6) Where `work` has an `arithmetic`, a buffer is read, and the first weight has 2 or 3
    dimensions.
    (C7) `variants` are for different architectures, for which the kernel has a source or an image.
    (C8) On an architecture where the kernel has a cluster, each dimension of the grid is a multiple
    of the cluster's size, at every value of the symbols.

    Example:
    ```mlir
    moert.launch @glu_0 grid(6, 8*tokens+8192 ceildiv 64 max 8*tokens)
      reads(%x, %offsets, %permutation) writes(%act) weights(@gate, @up) overlaps
      work("moert.glu_matmul" arithmetic(exact) operations(6291456) offsets(1))
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<129 x i32>,
        !moert.buffer<8*tokens x i32>, !moert.buffer<8*tokens x 768 x act16>
    ```
  }];
  let arguments = (ins
    FlatSymbolRefAttr:$kernel,
    Moert_GridArrayAttr:$grid,
    OptionalAttr<Moert_LaunchVariantArrayAttr>:$variants,
    Arg<Variadic<Moert_Buffer>, "", [MemRead]>:$reads,
    Arg<Variadic<Moert_Buffer>, "", [MemWrite]>:$writes,
    DefaultValuedAttr<Moert_WeightArrayAttr, "{}">:$weights,
    DefaultValuedAttr<Moert_ExtentArrayAttr, "{}">:$extents,
    UnitAttr:$overlaps,
    Moert_WorkAttr:$work);
  let useCustomPropertiesEncoding = 1;
  let assemblyFormat = [{
    $kernel `grid` `(` custom<GridDims>($grid) `)` (`variants` $variants^)?
    (`reads` `(` $reads^ `)`)? (`writes` `(` $writes^ `)`)?
    (`weights` `(` custom<Weights>($weights)^ `)`)?
    (`extents` `(` custom<Extents>($extents)^ `)`)? (`overlaps` $overlaps^)?
    `work` `(` custom<Work>($work) `)` attr-dict `:` type(operands)
  }];
  let extraClassDeclaration = [{
    /// The grid for an architecture.
    ::mlir::ArrayAttr getGridFor(::llvm::StringRef arch);

    /// `grid` and those of all variants.
    ::llvm::SmallVector<::mlir::ArrayAttr> getGrids();

    /// Whether a grid of its can have no thread blocks at a value of the symbols from one on.
    bool mayBeEmpty();
  }];
}

def Moert_CheckIdsOp : Moert_BodyOp<"check_ids", [
    MemoryEffects<[MemWrite<Moert_FailureResource>]>]> {
  let summary = "fails the run if an expert's id was out of range";
  let description = [{
    `status[0]` is the number of the first slot whose expert id is not in `[0, experts)`, or -1;
    `status[1]` is that id. There are `slots` slots a token. Both are read where the operation
    stands; when the run is complete, the host looks at them and says which id of which token was
    wrong. Until then kernels take bad ids for expert 0.

    (C1) `status` is i32 `[2]`.
    (C2) `experts` and `slots` are 1 to 2^31 - 1.

    Example:
    ```mlir
    moert.check_ids %status experts(128) slots(8) : !moert.buffer<2 x i32>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_I32Buffer>:$status, I64Attr:$experts, I64Attr:$slots);
  let assemblyFormat = [{
    $status `experts` `(` $experts `)` `slots` `(` $slots `)` attr-dict `:` type(operands)
  }];
}

def Moert_CheckRowsOp : Moert_BodyOp<"check_rows", [
    MemoryEffects<[MemWrite<Moert_FailureResource>]>]> {
  let summary = "fails the run if the number of a row was out of range";
  let description = [{
    `status[0]` is the first position whose number is not in `[0, rows)`, or -1; `status[1]` is that
    number. Both are read where the operation stands; when the run is complete, the host looks at
    them and says which number was wrong, and in which operation: the one that wrote `status`.
    Compilers write `moert.check_places` today.

    (C1) `status` is i32 `[2]`.
    (C2) `rows` is 1 to 2^31 - 1.

    Example:
    ```mlir
    moert.check_rows %status rows(128) : !moert.buffer<2 x i32>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_I32Buffer>:$status, I64Attr:$rows);
  let assemblyFormat = "$status `rows` `(` $rows `)` attr-dict `:` type(operands)";
}

def Moert_CheckPlacesOp : Moert_BodyOp<"check_places", [
    MemoryEffects<[MemWrite<Moert_FailureResource>]>]> {
  let summary = "fails the run if a number named no row, or no place in a cache";
  let description = [{
    `status[0]` says what was wrong with the numbers that an operation read, as
    `numerics::IndexFault` numbers it: 0 nothing, 1 a number that is no row of a table, 2 a token's
    sequence that the page table does not have, 3 a position beyond it, 4 a page that the cache does
    not have, 5 a place in the cache that two tokens have. `status[1]` is the position of the first
    such number, or its token; `status[2]` the number, or the other token; `status[3]` how many there
    could be. All are read where the operation stands; when the run is complete, the host looks at
    them and says what was wrong, and in which operation: the first one that reads `status`, or else
    the one that wrote it.

    (C1) `status` is i32 `[4]`.

    Example:
    ```mlir
    moert.check_places %status : !moert.buffer<4 x i32>
    ```
  }];
  let arguments = (ins Moert_Read<Moert_I32Buffer>:$status);
  let assemblyFormat = "$status attr-dict `:` type(operands)";
}

#endif // SORTIE_DIALECT_MOERT_OPS
