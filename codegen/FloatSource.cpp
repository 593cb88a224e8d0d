// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of products with weights of floats, in `float` and in `bf16` arithmetic: the kernels have
// the same parameters.

#include "codegen/KernelSource.h"
#include "codegen/SourceText.h"
#include "codegen/kernels/floats/Bf16Geometry.h"
#include "codegen/kernels/floats/FloatGeometry.h"
#include "codegen/kernels/rows/RowGeometry.h"

using namespace llvm;
using sortie::numerics::Format;

namespace sortie::codegen {

static StringRef weightType(Format format) {
  switch (format) {
  case Format::F32:
    return "float";
  case Format::F16:
    return "sortie::numerics::Half";
  case Format::BF16:
    return "sortie::numerics::BFloat16";
  default:
    llvm_unreachable("float arithmetic has weights of floats");
  }
}

/// The template arguments that all products begin with: the type of weights, K and N; then the
/// heads where there are some.
static std::string shapeArguments(const Product &product) {
  const std::string heads = product.heads == 0 ? std::string() : formatv(", {0}", product.heads);
  return formatv("{0}, {1}, {2}{3}", weightType(product.first), product.columns, product.rows,
                 heads);
}

/// What the template of a product is called behind its arithmetic.
static StringRef templateName(const Product &product) {
  if (product.heads != 0)
    return "HeadMatmul";
  if (product.isMapped())
    return product.isGated ? "GroupedGlu" : "GroupedMatmul";
  return product.isGated ? "Glu" : "Matmul";
}

/// Slots and Gather of a mapped product, with a comma in front.
static std::string gatherArguments(const Product &product) {
  return formatv(", {0}, {1}", std::max<int64_t>(product.slots, 1),
                 product.slots != 0 ? "true" : "false");
}

/// A kernel without its threads and its memory. `prefix` is that of the templates.
static KernelCode productKernel(const Product &product, StringRef prefix) {
  const std::string weightPointer = (Twine("const ") + weightType(product.first) + " *").str();
  const std::string outputPointer = product.isOutputQuantized() ? "void *" : "float *";
  Parameters parameters;
  SmallVector<std::string> arguments = {parameters.read("const float *")};
  if (product.isGrouped) {
    parameters.read("const int32_t *"); // offsets
    arguments.push_back(parameters.read("const int32_t *"));
  }
  if (product.isMapped()) {
    arguments.push_back(parameters.readIf(product.hasPermutation, "const int32_t *"));
    if (!product.isGated)
      arguments.push_back(parameters.readIf(product.hasScale, "const float *"));
  }
  arguments.push_back(parameters.write(outputPointer));
  arguments.push_back(parameters.weight(weightPointer));
  if (product.isGated)
    arguments.push_back(parameters.weight(weightPointer));
  arguments.push_back(parameters.weightIf(product.hasFirstBias, "const float *"));
  if (product.isGated)
    arguments.push_back(parameters.weightIf(product.hasSecondBias, "const float *"));
  const std::string expertScales = expertScaleArguments(product, parameters);
  if (!product.isMapped())
    arguments.push_back(parameters.extent());
  else if (!product.isGrouped) // in the place of the tile map
    arguments.insert(arguments.begin() + 1, "DenseRows{" + parameters.extent() + "}");

  std::string templateArguments = shapeArguments(product);
  if (product.isMapped())
    templateArguments += gatherArguments(product);
  if (product.isGated)
    templateArguments +=
        formatv(", {0}, {1}, {2}, {3}", nameOf(product.glu.kind), bitsOf(product.glu.alpha),
                bitsOf(product.glu.limit), nameOf(product.output));
  KernelCode code;
  code.kind = formatv("{0}_{1}", kindOf(product), prefix);
  code.parameters = parameters.list;
  code.call = formatv("{0}{1}<{2}>({3}{4})", prefix, templateName(product), templateArguments,
                      join(arguments, ", "), expertScales);
  return code;
}

KernelCode floatProductKernel(const Product &product) {
  KernelCode code = productKernel(product, "float");
  code.headers = {"floats/FloatProduct.h"};
  code.threads = kernels::kFloatThreads;
  code.shared = kernels::floatSharedBytes(product.isOutputQuantized());
  return code;
}

KernelCode bf16ProductKernel(const Product &product) {
  const int elementBytes = numerics::floatBytes(numerics::formatInfo(product.first));
  const bool isQuantized = product.isOutputQuantized();
  KernelCode code = productKernel(product, "bf16");
  code.headers = {"floats/Bf16Product.h"};
  code.threads = kernels::kBf16Threads;
  code.shared = kernels::bf16SharedBytes(elementBytes, isQuantized);
  code.schedule =
      formatv("tile {0} x {1}, {2} stages of {3}", kernels::kBf16Columns, kernels::kTileRows,
              kernels::bf16Stages(elementBytes, isQuantized), kernels::bf16Depth(elementBytes));
  return code;
}

//===----------------------------------------------------------------------===//
// Operands of cuBLAS
//===----------------------------------------------------------------------===//

static KernelCode roundKernel(StringRef kind, StringRef type, int64_t columns) {
  KernelCode code;
  code.kind = kind;
  code.headers = {"rows/RoundBf16.h"};
  code.parameters = {("const " + type + " *r0").str(), "sortie::numerics::BFloat16 *w0"};
  code.call = formatv("roundRows<{0}, {1}>(r0, w0)", type, columns);
  code.threads = kernels::kRoundThreads;
  return code;
}

KernelCode roundBf16Kernel(int64_t columns) { return roundKernel("round_bf16", "float", columns); }

KernelCode packBf16Kernel(Format format, int64_t columns) {
  KernelCode code = roundKernel("pack_bf16", weightType(format), columns);
  code.parameters.insert(code.parameters.end(), {"int32_t e0", "int32_t e1"});
  return code;
}

} // namespace sortie::codegen
