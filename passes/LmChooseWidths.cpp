// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// lm-choose-widths: the integers of caches and queries get their widths.

#include "passes/Passes.h"

#include "llvm/ADT/TypeSwitch.h"

#include "mlir/IR/AttrTypeSubElements.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_LMCHOOSEWIDTHS
#include "passes/Passes.h.inc"

namespace {

class LmChooseWidths : public impl::LmChooseWidthsBase<LmChooseWidths> {
public:
  using Base::Base;

  void runOnOperation() override {
    for (auto cache : getOperation().getOps<lm::CacheOp>())
      chosen += !cache.getCache().getWidth();
    // The type of a value says its cache's width, so all of them change together, and with them
    // those of functions and blocks.
    AttrTypeReplacer replacer;
    replacer.addReplacement(
        [this](lm::CacheType type) { return type.getWidth() ? type : type.withWidth(kv); });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false, /*replaceTypes=*/true);
    getOperation().walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op).Case<lm::AttendOp, lm::AttendLatentOp>(
          [&](auto attend) { chooseQueryWidth(attend); });
    });
  }

private:
  template <typename AttendOp> void chooseQueryWidth(AttendOp attend) {
    if (attend.getQueryWidth())
      return;
    attend.setQueryWidth(activations.getValue());
    ++chosen;
  }
};

} // namespace
} // namespace sortie
