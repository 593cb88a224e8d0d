// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// lm-choose-widths: the integers of caches and queries get their widths.

#include "passes/Passes.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_LMCHOOSEWIDTHS
#include "passes/Passes.h.inc"

namespace {

class LmChooseWidths : public impl::LmChooseWidthsBase<LmChooseWidths> {
public:
  using Base::Base;

  void runOnOperation() override {
    // The type of a value says its cache's width, so all values of a cache change together.
    getOperation().walk([&](Operation *op) {
      if (auto cache = dyn_cast<lm::CacheOp>(op))
        chooseWidth(cache);
      for (Value result : op->getResults())
        if (auto type = dyn_cast<lm::CacheType>(result.getType()); type && !type.getWidth())
          result.setType(type.withWidth(kv));
    });
    getOperation().walk([&](lm::AttendOp attend) {
      if (attend.getQueryWidth())
        return;
      attend.setQueryWidth(activations.getValue());
      ++chosen;
    });
  }

private:
  void chooseWidth(lm::CacheOp cache) {
    if (cache.getCache().getWidth())
      return;
    cache.setCacheType(cache.getCache().withWidth(kv));
    ++chosen;
  }
};

} // namespace
} // namespace sortie
