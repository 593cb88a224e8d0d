// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Choosing grids of launches and packs of weights by the images of their kernels.

#include "runtime/cuda/Variants.h"

#include "runtime/cuda/LoadedKernels.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace sortie::cuda {

static bool hasVariants(const Program &program) {
  if (any_of(program.weights, [](const WeightSpec &spec) { return !spec.packVariants.empty(); }))
    return true;
  return any_of(program.functions, [](const Function &function) {
    return any_of(function.steps, [](const Step &step) {
      const auto *launch = std::get_if<KernelLaunch>(&step.action);
      return launch && !launch->variants.empty();
    });
  });
}

namespace {

/// Gives the launches of a program's copy their grids, and its weights their packs.
class Resolver {
public:
  Resolver(const Device &device, Program &program)
      : device(device), program(program), architectures(program.kernels.size()),
        packedFor(program.weights.size()) {}

  Error resolve(Function &function);
  /// When all functions are resolved.
  void finish();

private:
  Expected<StringRef> architectureOf(uint32_t kernel);
  Error resolvePack(WeightId weight, uint32_t kernel, StringRef architecture);

  const Device &device;
  Program &program;
  std::vector<StringRef> architectures; ///< of kernels' images, once they are chosen
  /// The kernel that decided how a weight is packed, if one did.
  std::vector<std::optional<uint32_t>> packedFor;
};

Expected<StringRef> Resolver::architectureOf(uint32_t kernel) {
  if (architectures[kernel].empty()) {
    Expected<const KernelImage *> image = imageFor(device, program.kernels[kernel]);
    if (!image)
      return image.takeError();
    architectures[kernel] = (*image)->arch;
  }
  return architectures[kernel];
}

/// The variant for an architecture, or null.
template <typename Variants> auto *variantFor(Variants &variants, StringRef architecture) {
  auto it = find_if(variants, [&](const auto &variant) { return variant.arch == architecture; });
  return it == variants.end() ? nullptr : &*it;
}

Error Resolver::resolvePack(WeightId weight, uint32_t kernel, StringRef architecture) {
  WeightSpec &spec = program.weights[weight];
  if (spec.packVariants.empty())
    return Error::success();
  std::optional<uint32_t> &first = packedFor[weight];
  if (!first) {
    first = kernel;
    if (const auto *variant = variantFor(spec.packVariants, architecture))
      spec.pack = variant->pack;
    return Error::success();
  }
  const StringRef other = architectures[*first];
  if (variantFor(spec.packVariants, architecture) == variantFor(spec.packVariants, other))
    return Error::success();
  return makeError(device.describe() + ": kernels '" + program.kernels[*first].name + "' (" +
                       other + ") and '" + program.kernels[kernel].name + "' (" + architecture +
                       ") want " + spec.describe() +
                       " packed in two ways; compile the program for this GPU",
                   std::errc::not_supported);
}

Error Resolver::resolve(Function &function) {
  for (Step &step : function.steps) {
    auto *launch = std::get_if<KernelLaunch>(&step.action);
    if (!launch)
      continue;
    Expected<StringRef> architecture = architectureOf(launch->kernel);
    if (!architecture)
      return architecture.takeError();
    if (const auto *variant = variantFor(launch->variants, *architecture))
      launch->grid = variant->grid;
    launch->variants.clear();
    for (auto [weight, form] : zip_equal(step.weights, program.kernels[launch->kernel].weights))
      if (form == WeightForm::Packed)
        if (Error error = resolvePack(weight, launch->kernel, *architecture))
          return error;
  }
  return Error::success();
}

void Resolver::finish() {
  for (WeightSpec &spec : program.weights)
    spec.packVariants.clear();
}

} // namespace

Expected<std::shared_ptr<const Program>> resolveVariants(const Device &device,
                                                         std::shared_ptr<const Program> program,
                                                         ArrayRef<size_t> functions) {
  if (!hasVariants(*program))
    return program;
  auto resolved = std::make_shared<Program>(*program);
  Resolver resolver(device, *resolved);
  for (const size_t index : functions)
    if (Error error = resolver.resolve(resolved->functions[index]))
      return error;
  resolver.finish();
  return resolved;
}

} // namespace sortie::cuda
