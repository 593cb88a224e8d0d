// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "HashWeights.h"

#include "dialect/moe/MoeOps.h"
#include "runtime/cpu/Processors.h"
#include "runtime/weights/TensorHasher.h"
#include "tools/common/ProgressBar.h"

#include "mlir/IR/Builders.h"

#include <set>

using namespace mlir;
using namespace sortie;
using llvm::Error;
using llvm::Expected;

llvm::Error sortie::recordWeightHashes(ModuleOp module, const gguf::Model &model) {
  std::set<std::string> names;
  module.walk([&](moe::WeightOp op) {
    for (StringAttr name : op.getTensors().names)
      names.insert(name.str());
  });
  std::vector<ArrayRef<uint8_t>> tensors;
  for (const std::string &name : names)
    tensors.push_back(model.findTensor(name)->bytes);

  Expected<std::unique_ptr<cpu::ThreadPool>> pool =
      cpu::ThreadPool::create(cpu::availableProcessors());
  if (!pool)
    return pool.takeError();
  ProgressBar bar;
  Expected<std::vector<TensorHash>> hashes =
      hashTensors(tensors, **pool, [&](uint64_t done, uint64_t total) {
        bar.update("hashing weights", done, total);
        return true;
      });
  if (!hashes)
    return hashes.takeError();

  Builder builder(module.getContext());
  NamedAttrList attributes;
  for (const auto &[name, hash] : llvm::zip_equal(names, *hashes))
    attributes.append(name, builder.getStringAttr(printHash(hash)));
  module->setAttr(moe::MoeDialect::kWeightHashesName,
                  attributes.getDictionary(module.getContext()));
  return Error::success();
}
