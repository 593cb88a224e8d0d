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
  sortie_dtype dtype;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::StringRef data; ///< in `file`
  std::unique_ptr<llvm::MemoryBuffer> file;
};

/// Bytes of an element.
int64_t elementBytes(sortie_dtype dtype);

/// Reads a file of format version 1, 2 or 3 for an input of type `wanted`: of SORTIE_F32 the file
/// has float32 or float16, of SORTIE_I32 int32, of SORTIE_F16 float16, of SORTIE_BF16 what
/// ml_dtypes calls bfloat16 or its bits as uint16. Errors say how to make such a file of another.
llvm::Expected<NpyArray> readNpy(llvm::StringRef path, sortie_dtype wanted);
/// The same from memory; messages name the buffer by its identifier.
llvm::Expected<NpyArray> parseNpy(std::unique_ptr<llvm::MemoryBuffer> file, sortie_dtype wanted);

/// The header, version 1, of an array; its data follows. That of SORTIE_BF16 is the one that
/// ml_dtypes writes, of elements of two bytes.
std::string npyHeader(sortie_dtype dtype, llvm::ArrayRef<int64_t> shape);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_NPY_H
