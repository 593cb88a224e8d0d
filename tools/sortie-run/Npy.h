// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files: one array in row-major order, little-endian.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

#ifndef SORTIE_TOOLS_SORTIE_RUN_NPY_H
#define SORTIE_TOOLS_SORTIE_RUN_NPY_H

#include "runtime/include/sortie/sortie.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>

namespace sortie::tool {

struct NpyArray {
  sortie_dtype dtype; ///< SORTIE_F32, SORTIE_I32 or SORTIE_F16
  llvm::SmallVector<int64_t, 4> shape;
  llvm::StringRef data; ///< in `file`
  std::unique_ptr<llvm::MemoryBuffer> file;
};

/// Reads a file of format version 1, 2 or 3 for an input of type `wanted`: of SORTIE_F32 the file
/// has float32 or float16, of SORTIE_I32 int32. Errors say how to make such a file of another.
llvm::Expected<NpyArray> readNpy(llvm::StringRef path, sortie_dtype wanted);
/// The same from memory; messages name the buffer by its identifier.
llvm::Expected<NpyArray> parseNpy(std::unique_ptr<llvm::MemoryBuffer> file, sortie_dtype wanted);

/// The header, version 1, of an array of SORTIE_F32 or SORTIE_I32; its data follows.
std::string npyHeader(sortie_dtype dtype, llvm::ArrayRef<int64_t> shape);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_NPY_H
