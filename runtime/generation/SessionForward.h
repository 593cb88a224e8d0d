// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The function 'forward' of a compiled program as a forward pass.

#ifndef SORTIE_RUNTIME_GENERATION_SESSIONFORWARD_H
#define SORTIE_RUNTIME_GENERATION_SESSIONFORWARD_H

#include "runtime/capi/Client.h"
#include "runtime/generation/ForwardPass.h"

#include <optional>
#include <string>

namespace sortie::generation {

/// What the function of a program says before there is a session.
struct ForwardFunction {
  /// Finds 'forward'. An error that says what is wrong if there is none, or one of other inputs and
  /// outputs than docs/whole-models.md has.
  static llvm::Expected<ForwardFunction> find(const sortie_program *program);

  /// All functions of the program that a session calls.
  std::vector<size_t> functions() const;

  size_t index = 0;
  /// Those for pages of the caches, if the program has them: old ones do not.
  struct PageFunctions {
    size_t copy, read, write;
  };
  std::optional<PageFunctions> pages;
  CacheOrigin origin;
  /// The most that a session can have.
  ForwardShape most;
  /// Names of the program's symbols; `copies` is empty where it has no functions for pages.
  std::string tokens, sequences, rows, copies;
};

/// What a session is made for. Numbers beyond those of the program are errors, but for tokens and
/// rows of a run: then its own are taken.
struct SessionLimits {
  int64_t sequences = 1;
  int64_t pages = 1;
  int64_t tokens = 512;
  int64_t rows = 1;
  int threads = 0;      ///< 0: all processors
  std::string device;   ///< empty: where the weights are
  std::string isa;      ///< empty: the best
  bool isEager = false; ///< on a GPU: without graphs
};

class SessionForward : public ForwardPass {
public:
  /// Makes a session. Program and weights may be destroyed after that.
  static llvm::Expected<std::unique_ptr<SessionForward>>
  create(const sortie_program *program, const sortie_weights *weights, const SessionLimits &limits);

  /// What such a session and its weights take, before anything is allocated.
  static llvm::Expected<sortie_memory_info> planMemory(const sortie_program *program,
                                                       const SessionLimits &limits);

  const ForwardShape &shape() const override { return limits; }
  llvm::Error run(const ForwardInputs &inputs, llvm::MutableArrayRef<float> logits) override;
  llvm::Error copyPages(llvm::ArrayRef<int32_t> from, llvm::ArrayRef<int32_t> to) override;
  const CacheOrigin &origin() const override { return function.origin; }
  llvm::Error readPages(llvm::ArrayRef<int32_t> index,
                        llvm::MutableArrayRef<int32_t> words) override;
  llvm::Error writePages(llvm::ArrayRef<int32_t> index, llvm::ArrayRef<int32_t> words) override;

  /// For people: "cpu", "cuda:0 (NVIDIA H100)".
  llvm::StringRef device() const { return sortie_session_device(session.get()); }

private:
  SessionForward(SessionPtr session, ForwardFunction function, const ForwardShape &limits)
      : session(std::move(session)), function(std::move(function)), limits(limits) {}

  llvm::Error call(size_t index, llvm::ArrayRef<sortie_tensor> inputs,
                   llvm::ArrayRef<sortie_tensor> outputs);

  SessionPtr session;
  ForwardFunction function;
  ForwardShape limits;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_SESSIONFORWARD_H
