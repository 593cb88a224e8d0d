// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes. Each has one name: this flag, the class (MoeFuseGlu), the file (MoeFuseGlu.cpp), the
// tests (test/passes/moe-fuse-glu.mlir, moe-fuse-glu-errors.mlir). Before/after IR of each stands
// in docs/passes.md, in the order of the pipeline.

#ifndef SORTIE_PASSES_PASSES
#define SORTIE_PASSES_PASSES

include "mlir/Pass/PassBase.td"

/// The passes that could make a named value disappear.
def MaterializeOption
    : Option<"materialize", "materialize", "::sortie::Materialize",
             /*default=*/"::sortie::Materialize::None",
             "`none`: named values may be fused away; `all`: each stays a buffer of its own",
             [{::llvm::cl::values(
               clEnumValN(::sortie::Materialize::None, "none", "named values may be fused away"),
               clEnumValN(::sortie::Materialize::All, "all", "named values are kept"))}]>;

//===----------------------------------------------------------------------===//
// Checks of a module
//===----------------------------------------------------------------------===//

def MoeVerifyInput : Pass<"moe-verify-input", "::mlir::ModuleOp"> {
  let summary = "Refuse what is no graph to compile";
  let description = [{
    The first pass of `--sortie-compile`. A module that is a compiled program is an error: the passes
    would leave it alone, and whatever the options ask for. So is one without functions, which is what
    the output of a command that failed looks like.
  }];
}

def MoeNameValues : Pass<"moe-name-values", "::mlir::ModuleOp"> {
  let summary = "Give every semantic value a name that the audit can print";
  let description = [{
    Results of semantic ops that have no `moe.names` are named after their function and op
    (`layer.glu`, `layer.glu_2`). Each function then lists all its names, in program order, in the
    attribute `moe.values`: passes may fuse a value away, but not its line in the audit.
    Weights and dispatch-level values have no names.

    A name that is used twice in a function is an error; a value of another function may have it,
    since what a function of a whole model computes has the names that it has in the functions of
    layers. Run again, the pass keeps the list that is
    there and adds what is new.
  }];
  let statistics = [Statistic<"named", "values-named", "Values that had no name">];
}

def MoeVerifyContract : Pass<"moe-verify-contract", "::mlir::ModuleOp"> {
  let summary = "Refuse ops whose arithmetic breaks the module's determinism contract";
  let description = [{
    `moe.contract` lists what must not change a bit of the results: another run, another batch,
    another device. A module that says nothing promises all three, and the pass writes that down.
    An op whose arithmetic cannot keep the promise is an error that names the op, its arithmetic and
    the broken member; so a rewrite that would break the contract is refused, not taken silently.
    The pipeline runs it on the way in and before lowering. A compiled program states its contract
    elsewhere, and its own verifiers have checked it: it is left alone.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let statistics = [Statistic<"verified", "ops-verified", "Ops whose arithmetic was checked">];
}

//===----------------------------------------------------------------------===//
// Semantic level to dispatch level
//===----------------------------------------------------------------------===//

def MoeDispatchBySort : Pass<"moe-dispatch-by-sort", "::mlir::func::FuncOp"> {
  let summary = "Turn routed matmuls into grouped matmuls over rows sorted by expert";
  let description = [{
    One stable sort of the routed slots by expert (`moe.dispatch`) serves every matmul that is routed
    by the same ids. Each `moe.routed_matmul` becomes: gather its rows into that order, multiply them
    group by group, put the result back into slot order. Each dense `moe.matmul` becomes a grouped
    matmul with one group, so that later passes know one kind of matmul. Biases go along.

    Two routed matmuls by the same ids whose weights hold different numbers of experts are an error;
    so is a number of experts, or of slots per token, that is not static.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"dispatches", "dispatches", "Sorts that were made">,
    Statistic<"routed", "routed-matmuls", "Routed matmuls that became grouped">,
    Statistic<"dense", "dense-matmuls", "Dense matmuls that became grouped with one group">
  ];
}

def MoeSinkUnsort : Pass<"moe-sink-unsort", "::mlir::func::FuncOp"> {
  let summary = "Keep rows in sorted order from the first expert matmul to the combine";
  let description = [{
    Moves `moe.unsort` down past elementwise ops, cancels it against a gather by the permutation of
    the same dispatch, and lets `moe.combine` read sorted rows through the inverse permutation. An
    elementwise op with a name stays where it cannot be seen that its sorted rows lie in the order
    that the unsort undoes: the audit could not undo it.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let statistics = [
    Statistic<"sunk", "unsorts-sunk", "Unsorts moved past an elementwise op">,
    Statistic<"cancelled", "unsorts-cancelled", "Gathers that read what was just unsorted">,
    Statistic<"combined", "unsorts-combined", "Unsorts that a combine took in">
  ];
}

def MoeFuseGather : Pass<"moe-fuse-gather", "::mlir::func::FuncOp"> {
  let summary = "Let grouped matmuls read token rows through the permutation";
  let description = [{
    A gather that only feeds grouped matmuls disappears: the matmul is given the token rows and the
    permutation, so that every token is stored (and quantized) once, not once per slot.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let statistics = [Statistic<"fused", "gathers-fused", "Matmuls that took a gather in">];
}

def MoeFuseGlu : Pass<"moe-fuse-glu", "::mlir::func::FuncOp"> {
  let summary = "Fuse the gate matmul, the up matmul and their gated activation";
  let description = [{
    Two grouped matmuls of the same rows whose only reader is one `moe.glu` become one
    `moe.grouped_glu`, routed and dense alike, biases included. With `materialize=all`, matmuls whose
    results have names stay.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let options = [MaterializeOption];
  let statistics = [Statistic<"fused", "glus-fused", "Gated activations that were fused">];
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

def MoeChooseArithmetic : Pass<"moe-choose-arithmetic", "::mlir::ModuleOp"> {
  let summary = "Choose `exact`, `float` or `bf16` arithmetic for every matmul";
  let description = [{
    `exact` for block-quantized weights, `float` for F32, F16 and BF16. A choice that the IR states
    already is kept. Both keep the whole contract; where that costs speed (experts in F16 or BF16), a
    remark names the faster options. Routers are `float` in nearly every model and get no remark.

    With `unquantized=bf16`, weights in F32, F16 and BF16 are multiplied as bf16 by tensor cores, but
    for routers. That keeps `{run, batch}`: a module that promises `device` is an error.

    A fused gate and up of which only one is block-quantized are an error: no arithmetic suits both.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let options = [
    Option<"unquantized", "unquantized", "::sortie::Arithmetic",
           /*default=*/"::sortie::Arithmetic::Float",
           "Arithmetic of matmuls with weights in F32, F16 or BF16: `float` or `bf16`",
           [{::llvm::cl::values(
             clEnumValN(::sortie::Arithmetic::Float, "float", "fp32, the whole contract"),
             clEnumValN(::sortie::Arithmetic::Bf16, "bf16", "tensor cores, {run, batch}"))}]>
  ];
  let statistics = [
    Statistic<"exact", "exact-matmuls", "Matmuls that are exact">,
    Statistic<"floating", "float-matmuls", "Matmuls in fp32">,
    Statistic<"bf16", "bf16-matmuls", "Matmuls of bf16 operands">
  ];
}

def MoeQuantizeActivations : Pass<"moe-quantize-activations", "::mlir::func::FuncOp"> {
  let summary = "Make the quantization of activations explicit, once a value";
  let description = [{
    Each value that exact matmuls read is quantized once, where it is defined, and all of them read
    that: gate, up and shared experts share one quantization of the normed tokens. A row is quantized
    by itself, before it is gathered, so a token's integers depend on nothing but the token. Products
    of heads (`lm.head_matmul`) share one quantization of each head.
  }];
  let dependentDialects = ["::sortie::lm::LmDialect", "::sortie::moe::MoeDialect"];
  let options = [
    Option<"activations", "activations", "::sortie::numerics::ActivationWidth",
           /*default=*/"::sortie::numerics::ActivationWidth::Int16",
           "Width of quantized activations: `int16` (two limbs) or `int8`",
           [{::llvm::cl::values(
             clEnumValN(::sortie::numerics::ActivationWidth::Int16, "int16", "15-bit integers in two limbs"),
             clEnumValN(::sortie::numerics::ActivationWidth::Int8, "int8", "one limb, faster, less exact"))}]>
  ];
  let statistics = [
    Statistic<"quantized", "values-quantized", "Values that are quantized">,
    Statistic<"readers", "readers", "Matmuls that read quantized values">
  ];
}

def MoeFuseRequantize : Pass<"moe-fuse-requantize", "::mlir::func::FuncOp"> {
  let summary = "Quantize the gated activation inside the op that computes it";
  let description = [{
    A `moe.grouped_glu` that is only read by one `moe.quantize` gives the quantized rows itself. The
    rounding is the same; the fp32 rows are never stored. With `materialize=all` a named activation
    stays.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let options = [MaterializeOption];
  let statistics = [Statistic<"fused", "quantizations-fused", "Quantizations that were fused">];
}

def MoeFuseRoutingWeight : Pass<"moe-fuse-routing-weight", "::mlir::func::FuncOp"> {
  let summary = "Multiply by the routing weight inside the down matmul";
  let description = [{
    RN(w*x) is rounded before it is added, in the contract, so the product may move from
    `moe.combine` into the matmul that gives the rows, when nothing else reads them. With
    `materialize=all` named rows stay unweighted.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let options = [MaterializeOption];
  let statistics = [Statistic<"fused", "weights-fused", "Routing weights that were fused">];
}

def LmChooseWidths : Pass<"lm-choose-widths", "::mlir::ModuleOp"> {
  let summary = "Choose the widths of caches and of the queries that are multiplied with them";
  let description = [{
    Caches that have no width get that of `kv`, and every value of theirs; queries of `lm.attend` and
    `lm.attend_latent` get that of `activations`. A cache or a query that has one keeps it.
  }];
  let dependentDialects = ["::sortie::lm::LmDialect"];
  let options = [
    Option<"activations", "activations", "::sortie::IntegerWidth",
           /*default=*/"::sortie::IntegerWidth::Int16", "Width of queries and softmax weights",
           [{::llvm::cl::values(
             clEnumValN(::sortie::IntegerWidth::Int16, "int16", "15-bit integers in two limbs"),
             clEnumValN(::sortie::IntegerWidth::Int8, "int8", "one limb, faster, less exact"))}]>,
    Option<"kv", "kv", "::sortie::IntegerWidth", /*default=*/"::sortie::IntegerWidth::Int16",
           "Width of the rows of caches",
           [{::llvm::cl::values(
             clEnumValN(::sortie::IntegerWidth::Int16, "int16", "two bytes an element"),
             clEnumValN(::sortie::IntegerWidth::Int8, "int8", "one byte, less exact"))}]>
  ];
  let statistics = [Statistic<"chosen", "widths-chosen", "Caches and queries that got a width">];
}

//===----------------------------------------------------------------------===//
// Runtime level
//===----------------------------------------------------------------------===//

def MoeLowerToMoert : Pass<"moe-lower-to-moert", "::mlir::ModuleOp"> {
  let summary = "Lower dispatch-level functions to a moert program of unplanned buffers";
  let description = [{
    Every function becomes a `moert.func` in destination-passing style, every tensor a buffer whose
    extents are affine in the number of tokens, every `moe.weight` a module-level `moert.weight`.
    Each name of `moe.values` gets a `moert.checkpoint`: with its buffer where the value is stored,
    without one where it was fused away.

    What other passes must have done first is asked for by name: `moe.routed_matmul` and `moe.matmul`
    replaced, arithmetic chosen, operands of exact matmuls quantized. A dynamic extent other than the
    number of tokens, a weight that is computed, quantized rows as an input or output, and an op of
    another dialect are errors, too; so are indices that no `moe.dispatch` made, as verifiers of the
    program say.

    A weight is called as its tensor, the number of tokens `tokens`, other dynamic extents as their
    argument's `moe.symbol`; where a function has that name, a number follows.

    A cache becomes a `moert.state` of pages, whose number is the symbol `pages` of the session, and
    `lm.append` writes it in place. So of the values of a cache in a function none may be appended to
    twice or read after that, and the last one must be what `lm.write_cache` keeps.
  }];
  let dependentDialects = ["::sortie::lm::LmDialect", "::sortie::moe::MoeDialect",
                           "::sortie::moert::MoertDialect"];
  let options = [
    Option<"maxTokens", "max-tokens", "int64_t", /*default=*/"8192",
           "The most tokens, or rows of another symbol, that the program will be run with">
  ];
  let statistics = [
    Statistic<"functions", "functions", "Functions that were lowered">,
    Statistic<"fusedAway", "names-fused-away", "Named values that have no buffer">
  ];
}

def MoertPlanMemory : Pass<"moert-plan-memory", "::sortie::moert::FuncOp"> {
  let summary = "Give every buffer its place in the arena";
  let description = [{
    Buffers that are never live at the same time share bytes. Sizes and offsets are affine in the
    number of tokens, aligned to 64 bytes, and no two live buffers overlap at any number of tokens up
    to the symbol's maximum. The arena's size is written to the function. Where sizes depend on
    several symbols, the arena has a region for each, and buffers of different symbols share nothing.
    A function that is planned already is planned again, to the same result.
  }];
  let dependentDialects = ["::sortie::moert::MoertDialect"];
  let statistics = [
    Statistic<"placed", "buffers", "Buffers that were placed">,
    Statistic<"arenaBytes", "arena-bytes", "Bytes of all arenas at the most tokens">,
    Statistic<"placedBytes", "buffer-bytes", "Bytes of all buffers at the most tokens">
  ];
}

//===----------------------------------------------------------------------===//
// Kernels for CUDA
//===----------------------------------------------------------------------===//

def MoertSelectKernels : Pass<"moert-select-kernels", "::mlir::ModuleOp"> {
  let summary = "Turn the operations of a program into launches of kernels for CUDA";
  let description = [{
    Each operation of a device becomes one launch of a kernel, `moert.dispatch` two. A kernel is the
    source of an instance of a template of `codegen/kernels`, made for one shape, format and fusion,
    once for each chip where the chip decides about the tile; launches that need the same kernel
    share it, and all layers of a model usually do. Weights of exact products get a `pack` kernel.
    Dispatches get buffers for their histogram, tile map and status, and a `moert.check_ids` at the
    end of the function: the pass runs before `moert-plan-memory`. What reads numbers of rows, or
    places in caches, gets a status and a `moert.check_places`; operations that ask for the same
    places share one. The program's target becomes `cuda`; functions that state another target stay
    as they are.

    Gate and up in two formats of floats, which no kernel reads together, become two products, a
    `glu` kernel and, where the output is quantized, a `quantize` kernel: the bits are the same.

    PTX (`compute_80`) is added to `chips` always: it runs on what is not named.

    With `cublas`, dense products in `bf16` arithmetic are NVIDIA's library's: `moert.cublas_matmul`,
    whose input a kernel rounds to bf16, once per value. A gated product becomes two and a `glu` kernel.
    Weights in F32 and F16 are packed as bf16. Products with a bias or a quantized output stay
    kernels, since the library has no such epilogue. It keeps no contract but `{run}`: under `batch`
    the option is an error. A remark says so where it finds nothing to do.

    With `warpgroups`, grouped exact products have kernels for `sm_90a` that multiply more than a few
    rows with products of warpgroups (`wgmma`): the bits and the packed weights are the same. Formats
    with sub-blocks of 16 elements, and Q5_K with int16 activations, keep their kernels.

    With `join-launches`, the default, operations share a launch: exact products of one input side by
    side, and operations on rows, or on heads of rows, in turn, where a thread block goes on with what it
    wrote (docs/cuda.md, "Joined launches"). No bit and no named value changes. Functions whose memory is
    planned already keep a launch for each operation.

    Errors: an unknown chip, rows whose length is not constant, a grouped product whose offsets no
    dispatch of the function made, a grid that is too large for CUDA, memory that is planned already.
  }];
  let dependentDialects = ["::sortie::moert::MoertDialect"];
  let options = [
    ListOption<"chips", "chips", "std::string",
               "Chips to compile for, as `sm_90a` (default: sm_80,sm_90a)">,
    Option<"cublas", "cublas", "bool", /*default=*/"false",
           "Let cuBLAS do dense bf16 products; for a contract of {run} only">,
    Option<"warpgroups", "warpgroups", "bool", /*default=*/"false",
           "Let warpgroups multiply many rows in grouped exact products on sm_90a">,
    Option<"joinLaunches", "join-launches", "bool", /*default=*/"true",
           "Let operations share launches: products of one input, and what follows row by row">
  ];
  let statistics = [
    Statistic<"libraryCalls", "library-calls", "Products that cuBLAS does">,
    Statistic<"launches", "launches", "Launches that operations became">,
    Statistic<"kernelCount", "kernels", "Kernels, equal ones counted once">
  ];
}

def MoertCompileKernels : Pass<"moert-compile-kernels", "::mlir::ModuleOp"> {
  let summary = "Compile the kernels of a program for its chips";
  let description = [{
    Replaces the sources of every `moert.kernel` by images: a cubin for each `sm_*`, PTX for
    `compute_*`. NVIDIA's compiler NVRTC does it, which is looked for when the pass runs
    (`libnvrtc.so.13`; `SORTIE_NVRTC` may name the file); nothing else of the CUDA toolkit is needed,
    and no GPU. Kernels are compiled in parallel, with a counter on a terminal, and kept in a folder
    on disk: `SORTIE_CACHE_DIR`, else `sortie` in `XDG_CACHE_HOME`, else `~/.cache/sortie`; variables
    that are empty count as not set. The cache's key is everything that decides the bytes of an image.

    A kernel that spills registers or uses local memory gets a warning. No NVRTC, and a kernel that
    does not compile, are errors; a cache folder that cannot be used is a remark.
  }];
  let dependentDialects = ["::sortie::moert::MoertDialect"];
  let options = [
    Option<"cache", "cache", "std::string", /*default=*/"",
           "Folder of compiled kernels, `none` for none (default: SORTIE_CACHE_DIR, "
           "else XDG_CACHE_HOME/sortie, else ~/.cache/sortie)">,
    Option<"printSchedule", "print-schedule", "bool", /*default=*/"false",
           "Print tile, resources and predicted time of each kernel">
  ];
  let statistics = [
    Statistic<"images", "images", "Images that kernels became">,
    Statistic<"cached", "images-cached", "Images that were in the cache">,
    Statistic<"imageBytes", "image-bytes", "Bytes of all images">
  ];
}

#endif // SORTIE_PASSES_PASSES
