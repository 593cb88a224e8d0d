// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/CacheFunctions.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace sortie;
using moert::BufferType;
using moert::ExtentAttr;

static constexpr llvm::StringLiteral kCopyPages = "copy_pages";
static constexpr llvm::StringLiteral kReadPages = "read_pages";
static constexpr llvm::StringLiteral kWritePages = "write_pages";
static constexpr llvm::StringLiteral kIndex = "index";

LogicalResult sortie::checkCacheFunctionNames(ModuleOp module) {
  auto caches = module.getOps<lm::CacheOp>();
  if (caches.empty())
    return success();
  for (const StringRef name : {kCopyPages, kReadPages, kWritePages})
    if (Operation *taken = module.lookupSymbol(name))
      return taken->emitOpError("has the name '")
             << name << "', by which programs call a function for the pages of their caches; give "
             << "it another name";
  for (lm::CacheOp cache : caches)
    if (cache.getSymName() == kIndex)
      return cache.emitOpError("has the name '")
             << kIndex << "', which an input of the function 'write_pages' has beside those named "
             << "as caches; give it another name";
  return success();
}

namespace {

/// Makes functions that do something with each cache.
class CacheFunctions {
public:
  CacheFunctions(ModuleOp module, StringAttr copies)
      : states(module.getOps<moert::StateOp>()), builder(OpBuilder::atBlockEnd(module.getBody())),
        extent(ExtentAttr::get(module.getContext(), /*scale=*/1, copies.getValue(),
                               /*constant=*/0)) {}

  void addCopyPages();
  void addReadPages();
  void addWritePages();

private:
  using Argument = std::pair<StringAttr, BufferType>;

  Argument index(StringRef name) {
    return {builder.getStringAttr(name),
            BufferType::get(builder.getContext(), {extent}, moert::ElementKind::I32)};
  }
  /// Pages of a cache, outside of it.
  BufferType pagesOf(moert::StateOp state) {
    const BufferType cache = state.getBufferType();
    return BufferType::get(cache.getContext(), {extent, cache.getDim(1)}, cache.getKind());
  }
  SmallVector<Argument> pagesOfAll() {
    return llvm::map_to_vector(states, [&](moert::StateOp state) {
      return Argument(state.getSymNameAttr(), pagesOf(state));
    });
  }
  Value bufferOf(moert::StateOp state) {
    return moert::StateBufferOp::create(builder, state.getLoc(), state.getBufferType(),
                                        state.getSymName());
  }
  /// `fill` makes the body.
  void add(StringRef name, ArrayRef<Argument> inputs, ArrayRef<Argument> outputs,
           llvm::function_ref<void(moert::FuncOp)> fill);

  SmallVector<moert::StateOp> states;
  OpBuilder builder;
  ExtentAttr extent;
};

void CacheFunctions::add(StringRef name, ArrayRef<Argument> inputs, ArrayRef<Argument> outputs,
                         llvm::function_ref<void(moert::FuncOp)> fill) {
  const Location location = states.front().getLoc();
  auto function = moert::FuncOp::create(builder, location, name, inputs, outputs);
  const OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&function.getBody().front());
  fill(function);
  moert::ReturnOp::create(builder, location);
}

/// Page `from[i]` becomes page `to[i]`. All are read before one is written.
void CacheFunctions::addCopyPages() {
  add(kCopyPages, {index("from"), index("to")}, {}, [&](moert::FuncOp function) {
    for (moert::StateOp state : states) {
      const Value cache = bufferOf(state);
      const Value pages = moert::BufferOp::create(builder, state.getLoc(), pagesOf(state),
                                                  /*offset=*/ExtentAttr());
      moert::ReadRowsOp::create(builder, state.getLoc(), cache, function.getInputs()[0], pages);
      moert::WriteRowsOp::create(builder, state.getLoc(), pages, function.getInputs()[1], cache);
    }
  });
}

void CacheFunctions::addReadPages() {
  add(kReadPages, {index(kIndex)}, pagesOfAll(), [&](moert::FuncOp function) {
    for (auto [state, pages] : llvm::zip_equal(states, function.getOutputs()))
      moert::ReadRowsOp::create(builder, state.getLoc(), bufferOf(state), function.getInputs()[0],
                                pages);
  });
}

void CacheFunctions::addWritePages() {
  SmallVector<Argument> inputs = {index(kIndex)};
  llvm::append_range(inputs, pagesOfAll());
  add(kWritePages, inputs, {}, [&](moert::FuncOp function) {
    for (auto [state, pages] : llvm::zip_equal(states, function.getInputs().drop_front()))
      moert::WriteRowsOp::create(builder, state.getLoc(), pages, function.getInputs()[0],
                                 bufferOf(state));
  });
}

} // namespace

void sortie::addCacheFunctions(ModuleOp module, StringAttr copies) {
  CacheFunctions functions(module, copies);
  functions.addCopyPages();
  functions.addReadPages();
  functions.addWritePages();
}
