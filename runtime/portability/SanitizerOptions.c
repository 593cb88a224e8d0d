/* Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Options of the address sanitizer for every binary of a sanitized build. Debian's LLVM is not
 * sanitized: code that is inlined here from its headers poisons memory of LLVM's arenas, and code
 * in its archives never lifts the poison, so both kinds of annotation report what is no error. */

const char *__asan_default_options(void);

__attribute__((visibility("default"))) const char *__asan_default_options(void) {
  return "allow_user_poisoning=0:detect_container_overflow=0";
}
