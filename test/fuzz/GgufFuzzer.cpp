// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Feeds arbitrary bytes to the GGUF reader, then reads all that it offers, and what a model is made
// of.

#include "runtime/gguf/Fingerprint.h"
#include "runtime/gguf/Model.h"
#include "runtime/model/ModelTensors.h"
#include "runtime/model/TokenizerData.h"

#include <algorithm>

using namespace llvm;
using namespace sortie;
using namespace sortie::gguf;

/// Visits a value and all values in it.
static void visit(const Value &value) {
  value.asSigned();
  value.asUnsigned();
  value.asFloat();
  value.asBool();
  value.asString();
  value.describeType();
  if (const auto elements = value.asArray())
    for (const Value &element : *elements)
      visit(element);
}

/// Touches the first and last byte of every tensor, which must lie in the file.
static void visit(const Tensor &tensor) {
  tensor.describe();
  static volatile uint8_t sink;
  if (!tensor.bytes.empty()) {
    sink = tensor.bytes.front();
    sink = tensor.bytes.back();
  }
}

/// Reads the configuration and looks for the tensors: of a whole model, or of the first layers.
static void describe(const Model &model, model::Scope scope) {
  model::MetadataReader metadata(model.metadata());
  auto keys = cantFail(model::NameFilter::parse("--ignore-keys", std::nullopt));
  Expected<model::Config> config = model::readConfig(model, metadata, scope, {}, keys);
  if (!config) {
    consumeError(config.takeError());
    return;
  }
  const auto layers = static_cast<int64_t>(config->layers.size());
  const model::TensorsByLayer tensors(model);
  auto ignored = cantFail(model::NameFilter::parse("--ignore-tensors", std::nullopt));
  if (scope == model::Scope::WholeModel && layers <= 4)
    consumeError(model::ModelTensors::find(model, tensors, *config, ignored).takeError());
  else
    for (int64_t layer = 0; layer < std::min<int64_t>(layers, 4); ++layer)
      consumeError(model::LayerTensors::find(model, tensors, *config, layer, ignored).takeError());
}

static void open(StringRef bytes, DataPresence presence) {
  std::vector<std::unique_ptr<MemoryBuffer>> parts;
  parts.push_back(MemoryBuffer::getMemBuffer(bytes, "fuzz.gguf", /*RequiresNullTerminator=*/false));
  Expected<std::unique_ptr<Model>> model = Model::fromBuffers(std::move(parts), presence);
  if (!model) {
    consumeError(model.takeError());
    return;
  }
  for (const Metadata::Entry &entry : (*model)->metadata().entries())
    visit(entry.value);
  for (const Tensor &tensor : (*model)->tensors())
    visit(tensor);
  fingerprintOfAllKeys(**model);
  fingerprintOfNamedKeys(**model, {"general.architecture", "split.no"});
  for (const model::Scope scope : {model::Scope::FeedForwardHalves, model::Scope::WholeModel})
    describe(**model, scope);
  consumeError(model::readTokenizerData(**model).takeError());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const StringRef bytes(reinterpret_cast<const char *>(data), size);
  open(bytes, DataPresence::Required);
  open(bytes, DataPresence::Optional);
  return 0;
}
