// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/CacheChains.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace sortie;

/// Whether `op` makes the next value of a cache of `value`.
static bool appendsTo(Operation *op, Value value) {
  auto lowerable = dyn_cast<moe::RuntimeOpInterface>(op);
  return lowerable && lowerable.getInPlaceOperand() == value;
}

/// The append that makes the next value of a cache of `value`; null for the last value. An error if
/// there are two, or if something uses the value behind it.
static FailureOr<Operation *> nextAppend(Value value) {
  Operation *append = nullptr;
  for (Operation *user : value.getUsers()) {
    if (!appendsTo(user, value))
      continue;
    if (append)
      return user->emitOpError("appends to a value of a cache that another op appends to; caches "
                               "are updated in place, so append to what the other one gives");
    append = user;
  }
  if (!append)
    return append;
  for (Operation *user : value.getUsers())
    if (user != append && !user->isBeforeInBlock(append))
      return user->emitOpError("uses a value of a cache after something has been appended to it; "
                               "caches are updated in place, so use it before");
  return append;
}

/// Whether the last value of a cache is kept under its own name, and no other value is.
static LogicalResult verifyKept(lm::ReadCacheOp read, Value last) {
  bool isKept = last == read.getResult(); // nothing is new
  for (Operation *user : last.getUsers())
    if (auto write = dyn_cast<lm::WriteCacheOp>(user)) {
      if (write.getCache() != read.getCache())
        return write.emitOpError() << "writes what was read from " << read.getCacheAttr()
                                   << "; a cache cannot become another one";
      isKept = true;
    }
  if (!isKept)
    return last.getDefiningOp()->emitOpError()
           << "makes the last value of cache " << read.getCacheAttr()
           << ", which no lm.write_cache keeps";
  return success();
}

static LogicalResult verifyChain(lm::ReadCacheOp read) {
  Value value = read.getResult();
  while (true) {
    FailureOr<Operation *> append = nextAppend(value);
    if (failed(append))
      return failure();
    if (!*append)
      return verifyKept(read, value);
    for (Operation *user : value.getUsers())
      if (isa<lm::WriteCacheOp>(user))
        return user->emitOpError("keeps a value of a cache that something is appended to; keep the "
                                 "last one");
    value = (*append)->getResult(0);
  }
}

LogicalResult sortie::verifyCacheChains(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    if (isa<lm::CacheType>(argument.getType()))
      return emitError(argument.getLoc(), "argument ")
             << argument.getArgNumber() << " is a cache; lm.read_cache gives the session's";
  llvm::StringSet<> names;
  for (auto read : function.getOps<lm::ReadCacheOp>()) {
    if (!names.insert(read.getCache()).second)
      return read.emitOpError() << "reads cache " << read.getCacheAttr()
                                << ", which the function has read already";
    if (failed(verifyChain(read)))
      return failure();
  }
  return success();
}
