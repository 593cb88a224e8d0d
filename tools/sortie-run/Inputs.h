// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arrays that a run reads and writes: `--input` and `--output`.

#ifndef SORTIE_TOOLS_SORTIE_RUN_INPUTS_H
#define SORTIE_TOOLS_SORTIE_RUN_INPUTS_H

#include "tools/sortie-run/Npy.h"
#include "tools/sortie-run/Shapes.h"

#include "runtime/support/AlignedBytes.h"

namespace sortie::tool {

/// An input with its data, from a file or generated.
struct InputArray {
  std::string name;
  sortie_dtype dtype;
  llvm::SmallVector<int64_t, 4> shape;
  std::optional<int64_t> symbol; ///< the value that the shape gives for its symbol
  llvm::StringRef data;
  NpyArray file;          ///< owns `data` if it came from a file
  AlignedBytes generated; ///< owns it otherwise

  sortie_tensor tensor() const;
};

/// Reads `name=x.npy`, or makes `name=random:seed=1,tokens=512` (for integers also `max=128`), for
/// the input of a function that `info` describes; `what` is the part after `name=`. An array that
/// the function cannot take is an error before there is memory for it: another shape, or more
/// tokens than `symbol` says.
llvm::Expected<InputArray> makeInput(const ValueSymbol &symbol, const sortie_value_info &info,
                                     llvm::StringRef what);

/// Values of random inputs, as docs/runtime.md states them; the first values of a longer input are
/// those of a shorter one. Floats: mean 0, standard deviation 1 (of f16 and bf16 rounded to the
/// nearest). Integers: 0 to max - 1.
void fillRandomFloats(llvm::StringRef name, uint64_t seed, llvm::MutableArrayRef<float> values);
void fillRandomInts(llvm::StringRef name, uint64_t seed, int32_t max,
                    llvm::MutableArrayRef<int32_t> values);

/// An output, allocated for the shape that `info` gives for the symbol's value; what is in it is
/// not defined.
struct OutputArray {
  std::string name;
  sortie_dtype dtype;
  llvm::SmallVector<int64_t, 4> shape;
  AlignedBytes data;

  sortie_tensor tensor() const;
  llvm::Error write(llvm::StringRef path) const;
};

llvm::Expected<OutputArray> makeOutput(const sortie_value_info &info, int64_t symbol);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_INPUTS_H
