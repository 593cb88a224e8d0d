// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each op means: the table that the interpreter looks ops up in. A new op is one `add` in
// SemanticOps.cpp, DispatchOps.cpp or LanguageModelOps.cpp.

#ifndef SORTIE_TEST_INTERPRETER_MEANINGS_H
#define SORTIE_TEST_INTERPRETER_MEANINGS_H

#include "test/interpreter/Cache.h"
#include "test/interpreter/Relations.h"
#include "test/interpreter/Tensor.h"
#include "test/interpreter/Weights.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <functional>
#include <map>
#include <string>

namespace sortie::interpreter {

/// The values of a function while it is interpreted.
class Frame {
public:
  explicit Frame(Weights &weights) : weights(weights) {}

  const Tensor &operator[](mlir::Value value) const { return *values.at(value); }
  /// Null for an absent operand.
  const Tensor *find(mlir::Value value) const { return value ? values.at(value).get() : nullptr; }
  TensorRef share(mlir::Value value) const { return values.at(value); }
  void set(mlir::Value value, TensorRef tensor) { values[value] = std::move(tensor); }
  void set(mlir::Value value, Tensor &&tensor) {
    set(value, std::make_shared<const Tensor>(std::move(tensor)));
  }

  /// The values of caches are no tensors.
  CacheRef getCache(mlir::Value value) const { return caches.at(value); }
  void set(mlir::Value value, CacheRef cache) { caches[value] = std::move(cache); }

  Weights &weights;
  /// What stays in each cache for the next run.
  std::map<std::string, CacheRef> kept;

private:
  llvm::DenseMap<mlir::Value, TensorRef> values;
  llvm::DenseMap<mlir::Value, CacheRef> caches;
};

struct Meaning {
  /// Says which sizes belong together, and what integer operands hold.
  std::function<void(mlir::Operation *, Relations &)> relate;
  /// Sets the results. Emits an error at the op where an operand has no meaning for it.
  std::function<llvm::LogicalResult(mlir::Operation *, Frame &)> interpret;
};

class MeaningTable {
public:
  template <typename OpT>
  void add(void (*relate)(OpT, Relations &), llvm::LogicalResult (*interpret)(OpT, Frame &)) {
    table[OpT::getOperationName()] = {[relate](mlir::Operation *op, Relations &relations) {
                                        relate(llvm::cast<OpT>(op), relations);
                                      },
                                      [interpret](mlir::Operation *op, Frame &frame) {
                                        return interpret(llvm::cast<OpT>(op), frame);
                                      }};
  }
  /// The meaning of an op; null after an error that names the op.
  const Meaning *find(mlir::Operation *op) const;

private:
  llvm::StringMap<Meaning> table;
};

void addSemanticOps(MeaningTable &table);
void addDispatchOps(MeaningTable &table);
void addLanguageModelOps(MeaningTable &table);

/// Every op that has a meaning.
const MeaningTable &meanings();

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_MEANINGS_H
