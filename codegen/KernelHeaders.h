// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The headers that kernels include, as text inside of the compiler. EmbedHeaders.cmake writes them.

#ifndef SORTIE_CODEGEN_KERNELHEADERS_H
#define SORTIE_CODEGEN_KERNELHEADERS_H

namespace sortie::codegen {

struct KernelHeader {
  const char *name; ///< as an #include says it
  const char *text;
};

extern const KernelHeader kKernelHeaders[];
extern const unsigned kKernelHeaderCount;

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_KERNELHEADERS_H
