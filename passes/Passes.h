// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The passes and the pipeline of sortie-opt. Passes.td describes each pass.

#ifndef SORTIE_PASSES_PASSES_H
#define SORTIE_PASSES_PASSES_H

#include "dialect/lm/LmOps.h"
#include "dialect/moe/MoeOps.h"
#include "dialect/moert/MoertOps.h"
#include "passes/Statistic.h"
#include "runtime/numerics/contract.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace sortie {

/// Which named values become buffers that an audit can hash.
enum class Materialize {
  None, ///< those that the fastest program stores anyway
  All,  ///< every one
};

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

/// The options of `--sortie-compile`.
struct CompileOptions : mlir::PassPipelineOptions<CompileOptions> {
  Option<std::string> target{*this, "target", llvm::cl::desc("Device to compile for: cpu or cuda"),
                             llvm::cl::init("cpu")};
  ListOption<std::string> chips{
      *this, "chip",
      llvm::cl::desc("Chips to compile for with target=cuda (default: sm_80,sm_90a)")};
  Option<numerics::ActivationWidth> activations{
      *this, "activations", llvm::cl::desc("Width of quantized activations"),
      llvm::cl::init(numerics::ActivationWidth::Int16),
      llvm::cl::values(
          clEnumValN(numerics::ActivationWidth::Int16, "int16", "15-bit integers in two limbs"),
          clEnumValN(numerics::ActivationWidth::Int8, "int8", "one limb, faster, less exact"))};
  Option<IntegerWidth> kv{
      *this, "kv", llvm::cl::desc("Width of the rows of attention caches"),
      llvm::cl::init(IntegerWidth::Int16),
      llvm::cl::values(clEnumValN(IntegerWidth::Int16, "int16", "two bytes an element"),
                       clEnumValN(IntegerWidth::Int8, "int8", "one byte, less exact"))};
  Option<Arithmetic> unquantized{
      *this, "unquantized",
      llvm::cl::desc("Arithmetic of matmuls with weights in F32, F16 or BF16"),
      llvm::cl::init(Arithmetic::Float),
      llvm::cl::values(clEnumValN(Arithmetic::Float, "float", "fp32, the whole contract"),
                       clEnumValN(Arithmetic::Bf16, "bf16", "tensor cores, {run, batch}"))};
  Option<bool> cublas{*this, "cublas",
                      llvm::cl::desc("Let cuBLAS do dense bf16 products (target=cuda, contract "
                                     "{run})"),
                      llvm::cl::init(false)};
  Option<bool> warpgroups{*this, "warpgroups",
                          llvm::cl::desc("Let warpgroups multiply many rows in exact products on "
                                         "sm_90a (target=cuda)"),
                          llvm::cl::init(false)};
  Option<bool> joinLaunches{*this, "join-launches",
                            llvm::cl::desc("Let operations share launches (target=cuda)"),
                            llvm::cl::init(true)};
  Option<int64_t> maxTokens{*this, "max-tokens",
                            llvm::cl::desc("The most tokens that a run may have"),
                            llvm::cl::init(8192)};
  Option<Materialize> materialize{
      *this, "materialize", llvm::cl::desc("Which named values stay buffers for the audit"),
      llvm::cl::init(Materialize::None),
      llvm::cl::values(clEnumValN(Materialize::None, "none", "those that are stored anyway"),
                       clEnumValN(Materialize::All, "all", "all of them"))};
  Option<bool> printSchedule{
      *this, "print-schedule",
      llvm::cl::desc("Print tile, resources and predicted time of each kernel (target=cuda)"),
      llvm::cl::init(false)};
};

/// Appends the passes of the compile pipeline that stay in the dialect `moe`: all before the
/// lowering.
void buildMoePipeline(mlir::OpPassManager &manager, const CompileOptions &options);

/// Appends the passes that turn a semantic module into a planned `moert` program.
void buildCompilePipeline(mlir::OpPassManager &manager, const CompileOptions &options);

/// Registers every pass and the pipeline `--sortie-compile` for command lines.
void registerSortiePasses();

} // namespace sortie

#endif // SORTIE_PASSES_PASSES_H
