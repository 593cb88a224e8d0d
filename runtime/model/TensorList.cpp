// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of many tensors for a message.

#include "runtime/model/TensorList.h"

#include "runtime/model/TensorNames.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::ArrayRef;
using llvm::StringRef;
using llvm::Twine;

/// "0-3, 7" for ascending numbers.
static std::string listRanges(ArrayRef<int64_t> numbers) {
  std::vector<std::string> ranges;
  for (size_t first = 0; first < numbers.size();) {
    size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
      ++last;
    const Twine start(numbers[first]);
    ranges.push_back(last == first ? start.str() : (start + "-" + Twine(numbers[last])).str());
    first = last + 1;
  }
  return llvm::join(ranges, ", ");
}

std::string model::listTensors(ArrayRef<const gguf::Tensor *> tensors) {
  llvm::MapVector<StringRef, std::vector<int64_t>> layersOfName;
  std::vector<std::string> ofModel;
  for (const gguf::Tensor *tensor : tensors) {
    if (const std::optional<NameInLayer> parts = parseLayerTensorName(tensor->name))
      layersOfName[parts->name].push_back(parts->layer);
    else
      ofModel.push_back("'" + tensor->name + "'");
  }
  std::vector<std::string> names;
  for (const auto &[rest, layers] : layersOfName) {
    const bool isOne = layers.size() == 1;
    const std::string layer = model::layerName(isOne ? Twine(layers.front()) : Twine("N"));
    const std::string name = ("'" + layer + "." + rest + "'").str();
    names.push_back(isOne ? name : name + " (N = " + listRanges(layers) + ")");
  }
  llvm::append_range(names, ofModel);
  return llvm::join(names, ", ");
}
