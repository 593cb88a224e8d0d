// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_ATTRIBUTES
#define SORTIE_DIALECT_MOERT_ATTRIBUTES

include "mlir/IR/AttrTypeBase.td"
include "dialect/common/Enums.td"
include "dialect/common/Tensors.td"
include "dialect/moert/MoertDialect.td"
include "dialect/moert/MoertEnums.td"

class Moert_EnumAttr<EnumInfo info, string mnemonic> : EnumAttr<Moert_Dialect, info, mnemonic> {
  let cppNamespace = "::sortie::moert";
  let assemblyFormat = "`<` $value `>`";
}

def Moert_ScoringAttr : Moert_EnumAttr<Sortie_Scoring, "scoring">;
def Moert_GroupScoreAttr : Moert_EnumAttr<Sortie_GroupScore, "group_score">;
def Moert_TieRuleAttr : Moert_EnumAttr<Sortie_TieRule, "tie">;
def Moert_GluKindAttr : Moert_EnumAttr<Sortie_GluKind, "glu">;
def Moert_ArithmeticAttr : Moert_EnumAttr<Sortie_Arithmetic, "arithmetic">;
def Moert_PairOrderAttr : Moert_EnumAttr<Sortie_PairOrder, "pairs">;
def Moert_IntegerWidthAttr : Moert_EnumAttr<Sortie_IntegerWidth, "width">;
def Moert_WeightFormAttr : Moert_EnumAttr<Moert_WeightForm, "weight_form">;

class Moert_Attr<string name, string attrMnemonic> : AttrDef<Moert_Dialect, name> {
  let mnemonic = attrMnemonic;
  let genVerifyDecl = 1;
}

def Moert_ExtentAttr : Moert_Attr<"Extent", "extent"> {
  let summary = "a number that is affine in one bounded symbol";
  let description = [{
    `scale * symbol + constant`, or a constant: a dimension of a buffer, an offset in bytes, the
    size of an arena. Inside of types and ops it is written without its name: `8*tokens+64`,
    `tokens`, `2048`.

    (C1) `scale` and `constant` are 0 to 2^48.
    (C2) `symbol` is an identifier of letters, digits and underscores, and empty exactly if `scale`
    is 0.

    Example: `#moert.extent<8*tokens+64>`
  }];
  let parameters = (ins "int64_t":$scale, StringRefParameter<"name of a moert.symbol">:$symbol,
    "int64_t":$constant);
  let assemblyFormat = "`<` custom<ExtentParameters>($scale, $symbol, $constant) `>`";
  let builders = [
    AttrBuilderWithInferredContext<(ins "::mlir::MLIRContext *":$context, "int64_t":$constant), [{
      return $_get(context, 0, "", constant);
    }]>,
  ];
  let extraClassDeclaration = [{
    /// Largest scale and constant: sums and products with a bounded symbol then fit 128 bits.
    static constexpr int64_t kLimit = int64_t(1) << 48;

    bool isConstant() const { return getScale() == 0; }

    /// The value where the symbol is `symbolValue`; empty if 64 bits cannot hold it.
    std::optional<int64_t> evaluate(int64_t symbolValue) const;

    /// This extent times `factor`; null if it exceeds the limits.
    ExtentAttr multiply(int64_t factor) const;

    /// This extent and `constant` more.
    ExtentAttr plus(int64_t constant) const;

    /// At least `factor` times the quotient of this extent and `divisor` rounded up, at every value
    /// of the symbol: extents cannot be divided.
    ExtentAttr atLeastQuotient(int64_t divisor, int64_t factor) const;

    /// The product of extents of which at most one has a symbol.
    static ExtentAttr product(::mlir::MLIRContext *context, ::llvm::ArrayRef<ExtentAttr> factors);
  }];
}

def Moert_ProgramAttr : Moert_Attr<"Program", "program"> {
  let summary = "what a compiled program is and needs";
  let description = [{
    - `abi`: version of the interface between program and runtime;
    - `numerics`: version of the numerics contract;
    - `target`: the device that the program was compiled for;
    - `contract`: the determinism contract that it keeps;
    - `features`: features by name that the runtime must have, empty ones left out;
    - `producer`: the compiler and its version.

    (C1) `abi` and `numerics` are not negative.
    (C2) `target` and `producer` are not empty.
    (C3) `contract` is a set as in `#moe.contract`.
    (C4) Names of `features` are not empty and all different.

    Whether the runtime knows the versions, the target and the features is for the loader to say.

    Example:
    ```mlir
    module attributes {moert.program = #moert.program<abi = 5, numerics = 1, target = "cpu",
        contract = [run, batch, device], features = [], producer = "sortie 0.1.0">} { ... }
    ```
  }];
  let parameters = (ins
    "int64_t":$abi,
    "int64_t":$numerics,
    StringRefParameter<"device">:$target,
    EnumParameter<Sortie_Determinism>:$contract,
    ArrayRefParameter<"::mlir::StringAttr", "required features">:$features,
    StringRefParameter<"compiler">:$producer);
  let assemblyFormat = [{
    `<` `abi` `=` $abi `,` `numerics` `=` $numerics `,` `target` `=` $target `,`
    `contract` `=` `[` custom<DeterminismSet>($contract) `]` `,`
    `features` `=` `[` custom<Features>($features) `]` `,` `producer` `=` $producer `>`
  }];
}

def Moert_TensorsAttr : Sortie_TensorsAttr<Moert_Dialect>;

//===----------------------------------------------------------------------===//
// Kernels and launches
//===----------------------------------------------------------------------===//

def Moert_TensorMapAttr : Moert_Attr<"TensorMap", "tensor_map"> {
  let summary = "a tensor map that a kernel takes as a parameter";
  let description = [{
    What the driver encodes for copies by hardware: a window of an operand of the launch.

    - `operand`, `index`: which buffer read, buffer written or weight it describes;
    - `element`: bytes of an element;
    - `dims`: elements along each dimension, the innermost first;
    - `strides`: bytes between neighbours along the second dimension, and so on;
    - `box`: elements that are copied along each dimension;
    - `swizzle`: bytes whose order the copy changes against bank conflicts, 0 for none.

    (C1) `index` is not negative, `element` is 1, 2, 4 or 8, `swizzle` 0, 32, 64 or 128.
    (C2) There are 1 to 5 `dims`, which are `#moert.extent`, as many sizes of `box`, and one stride
    less.
    (C3) Strides are multiples of 16 below 2^40; sizes of `box` are 1 to 256.
    (C4) A row of the box is a multiple of 16 bytes, and no longer than `swizzle` unless that is 0.

    Example:
    ```mlir
    #moert.tensor_map<operand = weight, index = 0, element = 1,
                      dims = [#moert.extent<2048>, #moert.extent<98304>],
                      strides = [2048], box = [128, 64], swizzle = 128>
    ```
  }];
  let parameters = (ins
    EnumParameter<Moert_MapOperand>:$operand,
    "int64_t":$index,
    "int64_t":$element,
    "::mlir::ArrayAttr":$dims,
    "::mlir::DenseI64ArrayAttr":$strides,
    "::mlir::DenseI64ArrayAttr":$box,
    DefaultValuedParameter<"int64_t", "0">:$swizzle);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moert_ConfigAttr : Moert_Attr<"Config", "config"> {
  let summary = "how one architecture's variant of a kernel is launched";
  let description = [{
    What is left out is as the kernel says, or not there.

    - `threads` of a thread block;
    - `cluster`: thread blocks along each of three dimensions that run together;
    - `maps`: tensor maps, which are parameters behind the extents.

    (C1) There is one of them.
    (C2) `threads` is a multiple of 32 from 32 to 1024.
    (C3) `cluster` has three sizes, each at least 1, with a product of at most 8.
    (C4) `maps` are `#moert.tensor_map`, at least one.

    Example: `#moert.config<threads = 384, cluster = [2, 1, 1]>`
  }];
  let parameters = (ins
    DefaultValuedParameter<"int64_t", "0">:$threads,
    OptionalParameter<"::mlir::DenseI64ArrayAttr">:$cluster,
    OptionalParameter<"::mlir::ArrayAttr">:$maps);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// What a thread block's number of threads must be.
    static bool areThreads(int64_t threads);
  }];
}

def Moert_ImageAttr : Moert_Attr<"Image", "image"> {
  let summary = "a kernel compiled for one chip";
  let description = [{
    - `arch`: `sm_XY` (a cubin for chips of this major version, this minor one or a newer one),
      `sm_XYa` (a cubin for this chip alone), or `compute_XY` (PTX, with its terminating zero);
    - `shared`: bytes of dynamic shared memory that a thread block needs on this chip;
    - `config`: how it is launched where that differs from the kernel's other variants;
    - `hash`: the first 16 bytes of BLAKE3 of the data, which the loader compares.

    (C1) `arch` is `sm_` and a number, with an `a` behind or without, or `compute_` and a number: 2
    or 3 digits, the first of which is not 0.
    (C2) `shared` is 0 to 232448.
    (C3) `hash` is 32 lower-case hexadecimal digits.
    (C4) `data` has one dimension, not empty, of i8.
    (C5) A `config` with a cluster or with maps is for compute capability 9.0 or newer.

    Example:
    ```mlir
    #moert.image<arch = "sm_90a", shared = 98304, hash = "af1349b9f5f9a1a6a0404dea36dcc949",
                 data = dense_resource<glu_0_sm_90a> : tensor<81920xi8>>
    ```
  }];
  let parameters = (ins
    StringRefParameter<"chip">:$arch,
    "int64_t":$shared,
    OptionalParameter<"ConfigAttr">:$config,
    StringRefParameter<"hash of the data">:$hash,
    "::mlir::DenseResourceElementsAttr":$data);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// What a thread block can have on the chips of today: 227 KiB.
    static constexpr int64_t kMaxShared = 232448;

    /// The hash of an image's bytes.
    static std::string computeHash(::llvm::ArrayRef<char> bytes);

    /// An image of these bytes, which it copies, with their hash. `name` is that of the resource.
    static ImageAttr create(::mlir::MLIRContext *context, ::llvm::StringRef arch, int64_t shared,
                            ConfigAttr config, ::llvm::StringRef name,
                            ::llvm::ArrayRef<char> bytes);
  }];
}

def Moert_SourceAttr : Moert_Attr<"Source", "source"> {
  let summary = "a kernel's source for one chip, before it is compiled";
  let description = [{
    - `arch`, `shared` and `config` are those of the image that will be made of it;
    - `schedule`: what was chosen for the chip, in words, for people;
    - `text`: what the compiler is given.

    (C1) `arch`, `shared` and `config` keep the constraints of `#moert.image`, `text` is not empty.

    Example:
    ```mlir
    #moert.source<arch = "sm_90a", shared = 98304, schedule = "tile 128 x 64, 3 stages",
                  text = "#include ...">
    ```
  }];
  let parameters = (ins
    StringRefParameter<"chip">:$arch,
    "int64_t":$shared,
    OptionalParameter<"ConfigAttr">:$config,
    StringRefParameter<"what was chosen">:$schedule,
    StringRefParameter<"source">:$text);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moert_GridAttr : Moert_Attr<"Grid", "grid"> {
  let summary = "a dimension of a grid";
  let description = [{
    The number of thread blocks along one dimension: `extent / divisor`, rounded up (`ceildiv`) or
    down (`floordiv`), and at most `max` if there is one.

    (C1) `divisor` is 1 to 2^31 - 1.

    Examples: `#moert.grid<6>`, `#moert.grid<8*tokens ceildiv 64>`,
    `#moert.grid<8*tokens floordiv 2048>`, `#moert.grid<8*tokens+8192 ceildiv 64 max 8*tokens>`
  }];
  let parameters = (ins
    "ExtentAttr":$extent, "int64_t":$divisor, "bool":$roundsDown,
    OptionalParameter<"ExtentAttr">:$max);
  let assemblyFormat = "`<` custom<GridParameters>($extent, $divisor, $roundsDown, $max) `>`";
  let extraClassDeclaration = [{
    /// The most thread blocks that CUDA allows along each dimension.
    static constexpr int64_t kMostBlocks[] = {2147483647, 65535, 65535};

    /// The number of thread blocks; empty if 64 bits cannot hold an extent.
    std::optional<int64_t> evaluate(int64_t symbolValue) const;

    /// Whether the number is a multiple of `factor` at every value of the symbols.
    bool isMultipleOf(int64_t factor) const;
  }];
}

def Moert_PackAttr : Moert_Attr<"Pack", "pack"> {
  let summary = "how a weight is packed";
  let description = [{
    `kernel` makes one panel of `bytes` bytes of each `rows` rows of an expert.

    (C1) `rows` is 1 to 2^31 - 1, `bytes` 1 to 2^48.

    Example: `#moert.pack<@pack_q4_K_0 rows(16) bytes(18432)>`
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$kernel, "int64_t":$rows, "int64_t":$bytes);
  let assemblyFormat = "`<` custom<PackParameters>($kernel, $rows, $bytes) `>`";
}

def Moert_PackVariantAttr : Moert_Attr<"PackVariant", "pack_variant"> {
  let summary = "how a weight is packed for one architecture";
  let description = [{
    (C1) `arch` is one of `#moert.image`.

    Example: `#moert.pack_variant<arch = "sm_90a", pack = <@pack_q4_K_1 rows(64) bytes(73728)>>`
  }];
  let parameters = (ins StringRefParameter<"chip">:$arch, "PackAttr":$pack);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moert_LaunchVariantAttr : Moert_Attr<"LaunchVariant", "launch_variant"> {
  let summary = "the grid of a launch on one architecture";
  let description = [{
    (C1) `arch` is one of `#moert.image`.
    (C2) `grid` has 1 to 3 dimensions, each a `#moert.grid`.

    Example:
    `#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<12>, #moert.grid<tokens ceildiv 64>]>`
  }];
  let parameters = (ins StringRefParameter<"chip">:$arch, "::mlir::ArrayAttr":$grid);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Moert_WorkAttr : Moert_Attr<"Work", "work"> {
  let summary = "what a launch does, for reports";
  let description = [{
    - `op`: the operation that the launch belongs to;
    - `arithmetic`: that of a product's launch;
    - `operations`: its multiplications and additions for each row of output, none if left out;
    - `offsets`: which of the read buffers holds the experts' offsets. Then rows are counted by the
      last of them, and weights by the experts in use.

    (C1) `op` is not empty.
    (C2) `operations` is 0 to 2^48, `offsets` is not negative.

    Examples: `#moert.work<"moert.quantize">`,
    `#moert.work<"moert.glu_matmul" arithmetic(exact) operations(6291456) offsets(1)>`
  }];
  let parameters = (ins
    StringRefParameter<"operation">:$op,
    OptionalParameter<"::std::optional<::sortie::Arithmetic>">:$arithmetic,
    "int64_t":$operations,
    OptionalParameter<"::std::optional<int64_t>">:$offsets);
  let assemblyFormat = "`<` custom<WorkParameters>($op, $arithmetic, $operations, $offsets) `>`";
}

#endif // SORTIE_DIALECT_MOERT_ATTRIBUTES
