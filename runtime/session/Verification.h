// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares every byte of the weights of a program with the hashes that the program records, and
// looks for values that are not finite.

#ifndef SORTIE_RUNTIME_SESSION_VERIFICATION_H
#define SORTIE_RUNTIME_SESSION_VERIFICATION_H

#include "runtime/program/Program.h"
#include "runtime/weights/WeightReader.h"

namespace sortie {

struct VerificationOptions {
  llvm::BitVector weights; ///< of the program: those that are verified
  bool checksValues;       ///< whether scales, minimums and weights of float formats are finite
  int threads;
};

/// Something that is wrong with the weights.
struct Finding {
  enum class Kind : uint8_t {
    Fingerprint, ///< the model is another one than the program was compiled for
    Tensor,      ///< it is not there, or has another format or shape
    NoHash,      ///< the program records no hash of it, though it does of others
    Hash,        ///< its bytes hash to something else
    Value,       ///< a value is not finite
  };
  Kind kind;
  std::string tensor; ///< empty for Fingerprint
  std::string message;
  /// Of Value: where it is, and how many there are in the tensor.
  std::optional<int64_t> expert = std::nullopt;
  std::optional<int64_t> row = std::nullopt;
  uint64_t count = 0;
};

struct Verification {
  uint64_t tensors = 0; ///< that were read
  uint64_t hashed = 0;  ///< of these, those that a recorded hash was there for
  uint64_t bytes = 0;
  std::vector<Finding> findings; ///< those of the kinds that are read from data last, by tensor
};

/// Reads the tensors whole, with `options.threads` threads. An error when the source has no file,
/// or when there is nothing to compare with; what is wrong with the weights is no error.
llvm::Expected<Verification> verifyWeights(const Program &program, const WeightSource &source,
                                           const VerificationOptions &options,
                                           ReportProgress report);

/// The error of a verification that found something.
llvm::Error findingsError(const Program &program, const WeightSource &source,
                          const Verification &result);

/// The number of the rule that a fingerprint is computed by.
int ruleOf(const ModelFingerprint &fingerprint);

/// That the model has the program's fingerprint, if both have one.
llvm::Error checkFingerprint(const Program &program, const WeightSource &source);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_VERIFICATION_H
