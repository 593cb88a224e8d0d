// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tests in a forked process.

#ifndef SORTIE_TEST_UNIT_RUNTIME_CHILDPROCESS_H
#define SORTIE_TEST_UNIT_RUNTIME_CHILDPROCESS_H

#include "gtest/gtest.h"

#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace sortie::test {

/// What `body` returns in a forked process, which has ten seconds.
inline std::string inChild(const std::function<std::string()> &body) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    const std::string result = body();
    _exit(write(ends[1], result.data(), result.size()) != static_cast<ssize_t>(result.size()));
  }
  close(ends[1]);
  std::string result;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof(buffer))) > 0;)
    result.append(buffer, got);
  close(ends[0]);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status))
    return "signal " + std::to_string(WTERMSIG(status));
  EXPECT_EQ(status, 0);
  return result;
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_RUNTIME_CHILDPROCESS_H
