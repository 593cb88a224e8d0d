// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API where memory is short.

#include "test/unit/runtime/Engine.h"

#include <sys/resource.h>

using namespace sortie::test;

TEST(CApi, wantOfThreadsIsWantOfMemory) {
  const Mix mix;
  rlimit saved;
  ASSERT_EQ(getrlimit(RLIMIT_AS, &saved), 0);
  const rlimit little = {uint64_t{1} << 31, saved.rlim_max};
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.threads = 4096; // of 1 MiB scratch each
  ASSERT_EQ(setrlimit(RLIMIT_AS, &little), 0);
  sortie_session *none = nullptr;
  sortie_error_code code = SORTIE_ERROR_INVALID;
  const std::string message =
      take(sortie_session_create(mix.engine.program, mix.engine.weights, &options, &none), &code);
  options.threads = 1000; // room for the scratch, not for the stacks
  sortie_error_code second = SORTIE_ERROR_INVALID;
  const std::string stacks =
      take(sortie_session_create(mix.engine.program, mix.engine.weights, &options, &none), &second);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &saved), 0);
  EXPECT_EQ(message,
            "CPU device: no memory for the scratch of 4096 threads; ask for fewer threads");
  EXPECT_EQ(code, SORTIE_ERROR_OUT_OF_MEMORY);
  EXPECT_TRUE(contains(stacks, "CPU device: cannot start thread ")) << stacks;
  EXPECT_EQ(second, SORTIE_ERROR_OUT_OF_MEMORY);
}
