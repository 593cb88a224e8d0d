// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifiers have checked the form of kernels and images; checked here is the data of images,
// which is a resource that a file may lack.

#include "runtime/program/KernelLowering.h"

#include "runtime/support/Error.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace llvm;

namespace sortie {

static WeightForm weightForm(moert::WeightForm form) {
  switch (form) {
  case moert::WeightForm::Packed:
    return WeightForm::Packed;
  case moert::WeightForm::Raw:
    return WeightForm::Raw;
  case moert::WeightForm::Floats:
    return WeightForm::Floats;
  }
  return WeightForm::Raw;
}

/// The bytes of an image, or why they are not those that the compiler wrote.
static Expected<ArrayRef<char>> imageData(moert::ImageAttr image) {
  const mlir::AsmResourceBlob *blob = image.getData().getRawHandle().getBlob();
  if (!blob)
    return makeError("the program lacks the resource '" + image.getData().getRawHandle().getKey() +
                     "'");
  const ArrayRef<char> bytes = blob->getData();
  if (static_cast<int64_t>(bytes.size()) != image.getData().getType().getDimSize(0))
    return makeError("it has " + Twine(bytes.size()) + " bytes, its type says " +
                     Twine(image.getData().getType().getDimSize(0)));
  const std::string hash = moert::ImageAttr::computeHash(bytes);
  if (hash != image.getHash())
    return makeError("its bytes hash to " + hash + ", the program says " + image.getHash());
  if (image.getArch().starts_with("compute_") && bytes.back() != 0)
    return makeError("PTX must end with a zero");
  return bytes;
}

Expected<Kernel> lowerKernel(StringRef program, moert::KernelOp op) {
  const std::string where = (program + ": kernel '" + op.getSymName() + "'").str();
  if (!op.getImagesAttr())
    return makeError(where + " is not compiled; compile it with moert-compile-kernels");
  Kernel kernel{.name = op.getSymName().str(),
                .entry = op.getEntry().str(),
                .reads = static_cast<uint32_t>(op.getReads()),
                .writes = static_cast<uint32_t>(op.getWrites()),
                .extents = static_cast<uint32_t>(op.getExtents()),
                .threads = static_cast<uint32_t>(op.getThreads()),
                .weights = {},
                .images = {}};
  for (unsigned index = 0; index < op.getWeights().size(); ++index)
    kernel.weights.push_back(weightForm(op.getForm(index)));
  for (const auto image : op.getImagesAttr().getAsRange<moert::ImageAttr>()) {
    Expected<ArrayRef<char>> bytes = imageData(image);
    if (!bytes)
      return makeError(where + ": the image for " + image.getArch() +
                       " is damaged: " + toString(bytes.takeError()) +
                       "; compile the program again, or copy it again");
    KernelImage lowered{image.getArch().str(), static_cast<uint32_t>(image.getShared()),
                        image.getHash().str(), std::vector<uint8_t>(bytes->begin(), bytes->end())};
    if (const moert::ConfigAttr config = image.getConfig()) {
      if (config.getMaps())
        return makeError(where + ": the image for " + image.getArch() +
                         " takes tensor maps, which this runtime does not encode; compile the "
                         "program with an older compiler, or use a newer runtime");
      lowered.threads = static_cast<uint32_t>(config.getThreads());
      if (config.getCluster())
        copy(config.getCluster().asArrayRef(), lowered.cluster.begin());
    }
    kernel.images.push_back(std::move(lowered));
  }
  return kernel;
}

} // namespace sortie
