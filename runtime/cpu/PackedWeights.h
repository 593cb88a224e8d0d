// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weights of a program in the form that the CPU device multiplies with: packed once, then
// shared by any number of sessions, threads and programs.

#ifndef SORTIE_RUNTIME_CPU_PACKEDWEIGHTS_H
#define SORTIE_RUNTIME_CPU_PACKEDWEIGHTS_H

#include "runtime/cpu/ops.h"
#include "runtime/support/AlignedBytes.h"
#include "runtime/weights/WeightReader.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/StringMap.h"

#include <memory>
#include <vector>

namespace sortie {

namespace cpu {
/// The matrices of a weight.
MatrixShape shapeOf(const WeightSpec &spec);
/// Bytes of the forms in which a program reads a weight: as a matrix, as floats, or both.
uint64_t packedBytes(const WeightSpec &spec);
} // namespace cpu

class PackedWeights {
public:
  /// Checks that `source` has every wanted tensor, then packs them with the threads of `pool`. What
  /// `share`, packed from the same model, has in the same form is not read, but used in place.
  static llvm::Expected<std::unique_ptr<PackedWeights>>
  create(llvm::ArrayRef<WeightSpec> specs, const llvm::BitVector &wanted, WeightSource &source,
         cpu::ThreadPool &pool, ReportProgress report, const PackedWeights *share = nullptr);

  /// Whether weight `id` was wanted.
  bool has(uint32_t id) const { return packed.test(id); }
  /// A weight that is read as a matrix.
  cpu::Matrix matrix(uint32_t id) const { return {shapes[id], matrices[id]->data()}; }
  /// A weight that is read as plain floats.
  const float *vector(uint32_t id) const {
    return reinterpret_cast<const float *>(vectors[id]->data());
  }
  WeightBytes bytes() const { return counted; }

private:
  using Bytes = std::shared_ptr<const AlignedBytes>;
  struct Form;
  class Packer;

  /// The forms of the wanted weights, in order.
  static std::vector<Form> formsOf(llvm::ArrayRef<WeightSpec> specs, const llvm::BitVector &wanted);
  void keep(const Form &form, Bytes bytes);

  llvm::BitVector packed;
  std::vector<cpu::MatrixShape> shapes;
  std::vector<Bytes> matrices;
  std::vector<Bytes> vectors;
  llvm::StringMap<Bytes> byIdentity; ///< of weight and form
  WeightBytes counted;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_CPU_PACKEDWEIGHTS_H
