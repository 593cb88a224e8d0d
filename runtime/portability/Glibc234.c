/* Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions. */
/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */

/* Keeps the static runner and libsortie.so loadable on glibc 2.34 when they are built on a newer
   one. Two of the archives that they link (LLVMSupport, libgcc_eh) were compiled against glibc 2.36
   and refer to two functions that 2.34 lacks. Defined here and hidden, they resolve inside the
   binary. scripts/check-runner.sh fails when a third one appears. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* glibc 2.36. LLVMSupport takes its random numbers (names of temporary files) here. */
HIDDEN uint32_t arc4random(void) {
  uint32_t value = 0;
  while (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
    ; /* 4 bytes come whole or, interrupted by a signal, not at all. */
  return value;
}

struct ObjectSearch {
  uintptr_t address;
  struct dl_find_object *found;
};

static int matchObject(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  struct ObjectSearch *search = context;
  uintptr_t start = UINTPTR_MAX, end = 0, frames = 0;
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    uintptr_t segment = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_GNU_EH_FRAME)
      frames = segment;
    if (header->p_type != PT_LOAD)
      continue;
    start = segment < start ? segment : start;
    end = segment + header->p_memsz > end ? segment + header->p_memsz : end;
  }
  if (frames == 0 || search->address < start || search->address >= end)
    return 0;
  *search->found = (struct dl_find_object){.dlfo_map_start = (void *)start,
                                           .dlfo_map_end = (void *)end,
                                           .dlfo_eh_frame = (void *)frames};
  return 1;
}

/* glibc 2.35. libgcc's unwinder (stack traces) asks for the unwind table of an address here;
   0 says found. */
HIDDEN int _dl_find_object(void *address, struct dl_find_object *result) {
  struct ObjectSearch search = {(uintptr_t)address, result};
  return dl_iterate_phdr(matchObject, &search) == 1 ? 0 : -1;
}
