// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LayerTensors.h"

#include "runtime/gguf/TensorType.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::StringRef;
using llvm::Twine;

/// The selection bias, which a layer with `describesRouting` may have.
static constexpr llvm::StringLiteral kSelectionBias = "exp_probs_b.bias";

namespace {

struct TensorSpec {
  std::string name;
  /// Row-major: the last is the contraction dimension of a matrix.
  SmallVector<int64_t, 3> shape;
  /// Norms and biases are added and multiplied in fp32 and stored so; matrices have any format.
  bool isMatrix = false;
  bool isOptional = false;
};

using TensorSpecs = std::vector<TensorSpec>;

/// Gate, up and down with the names `ffn_gate<suffix>` and so on. `experts` is empty for dense
/// ones.
void addGatedNetwork(TensorSpecs &specs, StringRef suffix, int64_t hidden, int64_t width,
                     ArrayRef<int64_t> experts, bool biases) {
  struct Part {
    StringRef name;
    int64_t rows;
    int64_t columns;
  };
  for (const Part &part :
       {Part{"gate", width, hidden}, Part{"up", width, hidden}, Part{"down", hidden, width}}) {
    const std::string name = ("ffn_" + part.name + suffix).str();
    SmallVector<int64_t, 3> shape(experts);
    shape.push_back(part.rows);
    if (biases)
      specs.push_back({name + ".bias", shape});
    shape.push_back(part.columns);
    specs.push_back({name + ".weight", shape, /*isMatrix=*/true});
  }
}

TensorSpecs describeLayer(const ModelConfig &config, int64_t layer) {
  const Architecture &architecture = *config.architecture;
  TensorSpecs specs = {{architecture.normTensor.str(), {config.hidden}}};
  if (config.isDense(layer)) {
    addGatedNetwork(specs, "", config.hidden, config.denseWidth, {}, /*biases=*/false);
    return specs;
  }
  specs.push_back({"ffn_gate_inp.weight", {config.experts, config.hidden}, /*isMatrix=*/true});
  if (architecture.biases)
    specs.push_back({"ffn_gate_inp.bias", {config.experts}});
  if (architecture.describesRouting)
    specs.push_back(
        {kSelectionBias.str(), {config.experts}, /*isMatrix=*/false, /*isOptional=*/true});
  addGatedNetwork(specs, "_exps", config.hidden, config.expertWidth, {config.experts},
                  architecture.biases);
  if (config.sharedWidth > 0)
    addGatedNetwork(specs, "_shexp", config.hidden, config.sharedWidth, {}, /*biases=*/false);
  return specs;
}

std::string describeShape(ArrayRef<int64_t> shape) {
  return llvm::join(llvm::map_range(shape, [](int64_t size) { return std::to_string(size); }), "x");
}

Error makeTensorError(const gguf::Model &model, StringRef tensor, const Twine &problem) {
  return sortie::makeError(model.name() + ": tensor '" + tensor + "' " + problem);
}

Error checkTensor(const gguf::Model &model, const gguf::Tensor &tensor, const TensorSpec &spec) {
  if (!tensor.format)
    return makeTensorError(model, tensor.name,
                           "has type " + gguf::tensorTypeName(tensor.type) +
                               ", which this version does not compute with; supported are " +
                               gguf::supportedTensorTypes());
  if (!spec.isMatrix && tensor.format->format != numerics::Format::F32)
    return makeTensorError(model, tensor.name,
                           Twine("has type ") + tensor.format->name +
                               "; norms and biases must be f32");
  if (ArrayRef(tensor.shape()) != ArrayRef(spec.shape))
    return makeTensorError(model, tensor.name,
                           "has shape " + describeShape(tensor.shape()) + ", expected " +
                               describeShape(spec.shape) + " from the metadata");
  return Error::success();
}

} // namespace

Expected<LayerTensors> LayerTensors::find(const gguf::Model &model, const ModelConfig &config,
                                          int64_t layer) {
  LayerTensors found;
  for (const TensorSpec &spec : describeLayer(config, layer)) {
    const std::string name = "blk." + std::to_string(layer) + "." + spec.name;
    const gguf::Tensor *tensor = model.findTensor(name);
    if (!tensor) {
      if (spec.isOptional)
        continue;
      return makeTensorError(model, name,
                             "is missing; layer " + Twine(layer) + " of architecture " +
                                 config.architecture->name + " needs it");
    }
    if (Error error = checkTensor(model, *tensor, spec))
      return error;
    found.tensors[spec.name] = tensor;
  }
  return found;
}
