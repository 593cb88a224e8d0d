// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sequences in the C API.

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Handles.h"
#include "runtime/capi/Options.h"
#include "runtime/generation/LanguageModel.h"
#include "runtime/generation/SessionForward.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <atomic>
#include <unistd.h>

using namespace llvm;
using namespace sortie;
using namespace sortie::generation;

struct sortie_sequences {
  explicit sortie_sequences(LanguageModel model) : model(std::move(model)) {}

  LanguageModel model;
  const pid_t process = getpid();
  mutable std::atomic<bool> isInUse{false};
};

namespace {

/// Calls `body` with the model for itself alone, in the process that made the sequences.
Error withModel(const char *caller, const sortie_sequences *handle,
                function_ref<Error(const LanguageModel &)> body) {
  // First: whoever used them when the process forked does not exist in the child.
  if (getpid() != handle->process)
    return makeError(Twine(caller) + ": the sequences belong to process " + Twine(handle->process) +
                     ", from which this one (" + Twine(getpid()) +
                     ") was forked; make sequences after the fork");
  if (handle->isInUse.exchange(true))
    return makeError(Twine(caller) + ": another call with these sequences is under way; make one "
                                     "call at a time");
  Error error = body(handle->model);
  handle->isInUse = false;
  return error;
}
Error withModel(const char *caller, sortie_sequences *handle,
                function_ref<Error(LanguageModel &)> body) {
  return withModel(caller, static_cast<const sortie_sequences *>(handle),
                   [&](const LanguageModel &) { return body(handle->model); });
}

Error give(Expected<uint32_t> sequence, uint32_t *destination) {
  if (!sequence)
    return sequence.takeError();
  *destination = *sequence;
  return Error::success();
}

/// A number of the options, or what it is if that is 0.
Expected<int64_t> numberOr(const char *name, int64_t given, int64_t otherwise) {
  if (given < 0)
    return makeError("sortie_sequences_options." + Twine(name) + " is " + Twine(given) +
                     "; it must be positive, or 0 for the default");
  return given != 0 ? given : otherwise;
}

/// What a model is made for.
struct SequencesRoom {
  SessionLimits limits;
  int64_t context = 0;
};

Error readSession(const sortie_session_options *given, SessionLimits &limits) {
  Expected<sortie_session_options> session = readStruct(given);
  if (!session)
    return session.takeError();
  if (session->max_tokens != 0 || session->symbol_count != 0)
    return makeError(
        "sortie_sequences_options.session has max_tokens or symbols, which follow from "
        "count, context, pages, run_tokens and run_rows; leave them zero");
  limits.device = stringOf(session->device);
  limits.isa = stringOf(session->cpu_isa);
  limits.threads = session->threads;
  limits.isEager = session->eager != 0;
  return Error::success();
}

Expected<SequencesRoom> readRoom(const sortie_program *program,
                                 const sortie_sequences_options *given) {
  Expected<sortie_sequences_options> options = readStruct(given);
  if (!options)
    return options.takeError();
  Expected<ForwardFunction> forward = ForwardFunction::find(program);
  if (!forward)
    return forward.takeError();
  SequencesRoom room;
  if (Error error = readSession(options->session, room.limits))
    return error;
  Error error = Error::success();
  const auto read = [&](const char *name, int64_t value, int64_t otherwise, int64_t &destination) {
    Expected<int64_t> number = numberOr(name, value, otherwise);
    if (number)
      destination = *number;
    else
      error = joinErrors(std::move(error), number.takeError());
  };
  const int64_t most = forward->most.tablePages * cache::kPagePositions;
  SessionLimits &limits = room.limits;
  read("count", options->count, 1, limits.sequences);
  read("context", options->context, most, room.context);
  read("run_tokens", options->run_tokens, limits.tokens, limits.tokens);
  read("run_rows", options->run_rows, limits.sequences, limits.rows);
  if (error)
    return error;
  // Larger numbers are refused, not multiplied.
  const int64_t pages = limits.sequences > forward->most.sequences || room.context > most
                            ? 1
                            : limits.sequences * cache::CacheManager::pagesFor(room.context);
  read("pages", options->pages, pages, limits.pages);
  if (error)
    return error;
  return room;
}

/// `context` is the most tokens of a sequence, and so of a piece.
Expected<std::vector<Piece>> readPieces(const sortie_piece *pieces, size_t count, size_t context,
                                        size_t &rows) {
  std::vector<Piece> result;
  for (size_t i = 0; i < count; ++i) {
    Expected<sortie_piece> piece = readElement(pieces, i);
    if (!piece)
      return piece.takeError();
    if (!piece->tokens && piece->token_count != 0)
      return nullError("the list of tokens of piece " + Twine(i));
    // Before a token is read: a count that cannot be would lead out of the caller's memory.
    if (piece->token_count > context)
      return makeError("piece " + Twine(i) + " has " + Twine(piece->token_count) +
                       " tokens, and a sequence has at most " + Twine(context));
    if (piece->row_count > piece->token_count)
      return makeError("piece " + Twine(i) + " has " + Twine(piece->token_count) +
                       " tokens, and logits of " + Twine(piece->row_count) + " are wanted");
    result.push_back({piece->sequence, ArrayRef(piece->tokens, piece->token_count),
                      piece->token_count - piece->row_count});
    rows += piece->row_count;
  }
  return result;
}

Error runPieces(LanguageModel &model, const sortie_piece *pieces, size_t count, float *logits,
                size_t logitCount) {
  if (count != 0 && !pieces)
    return nullError("the list of pieces");
  size_t rows = 0;
  Expected<std::vector<Piece>> checked =
      readPieces(pieces, count, static_cast<size_t>(model.context()), rows);
  if (!checked)
    return checked.takeError();
  const auto width = static_cast<size_t>(model.vocabulary());
  if (logitCount % width != 0 || logitCount / width != rows)
    return makeError("there is room for " + Twine(logitCount) + " logits; " + Twine(rows) +
                     " rows of " + Twine(width) + " are wanted");
  if (rows != 0 && !logits)
    return nullError("the array of logits");
  return model.extend(*checked, [&](size_t, size_t, ArrayRef<float> row) {
    logits = std::copy(row.begin(), row.end(), logits);
    return Error::success();
  });
}

/// Hands what is written to a caller's function, until that refuses.
class CallerStream : public raw_ostream {
public:
  CallerStream(sortie_write write, void *user) : write(write), user(user) { SetUnbuffered(); }

  bool hasFailed() const { return failed; }

private:
  void write_impl(const char *data, size_t size) override {
    failed = failed || write(user, data, size) != 0;
    position += size;
  }
  uint64_t current_pos() const override { return position; }

  sortie_write write;
  void *user;
  uint64_t position = 0;
  bool failed = false;
};

} // namespace

sortie_error *sortie_sequences_create(const sortie_program *program, const sortie_weights *weights,
                                      const sortie_sequences_options *options,
                                      sortie_sequences **sequences) {
  if (Error error = requireArguments("sortie_sequences_create", program, weights, sequences))
    return toC(std::move(error));
  Expected<SequencesRoom> room = readRoom(program, options);
  if (!room)
    return toC(room.takeError());
  auto forward = SessionForward::create(program, weights, room->limits);
  if (!forward)
    return toC(forward.takeError());
  Expected<LanguageModel> model =
      LanguageModel::create(std::move(*forward), room->limits.sequences, room->context);
  if (!model)
    return toC(model.takeError());
  *sequences = new sortie_sequences(std::move(*model));
  return nullptr;
}

void sortie_sequences_destroy(sortie_sequences *sequences) { delete sequences; }

sortie_error *sortie_sequences_get_info(const sortie_sequences *sequences,
                                        sortie_sequences_info *info) {
  if (Error error = requireArguments("sortie_sequences_get_info", sequences, info))
    return toC(std::move(error));
  sortie_sequences_info value = SORTIE_INIT(sortie_sequences_info);
  value.vocabulary = sequences->model.vocabulary();
  value.context = sequences->model.context();
  return toC(writeStruct(value, info));
}

sortie_error *sortie_sequences_add(sortie_sequences *sequences, uint32_t *sequence) {
  constexpr const char *kName = "sortie_sequences_add";
  if (Error error = requireArguments(kName, sequences, sequence))
    return toC(std::move(error));
  return toC(withModel(kName, sequences, [&](LanguageModel &model) {
    return give(model.createSequence(), sequence);
  }));
}

sortie_error *sortie_sequences_fork(sortie_sequences *sequences, uint32_t sequence,
                                    uint32_t *copy) {
  constexpr const char *kName = "sortie_sequences_fork";
  if (Error error = requireArguments(kName, sequences, copy))
    return toC(std::move(error));
  return toC(withModel(kName, sequences,
                       [&](LanguageModel &model) { return give(model.fork(sequence), copy); }));
}

sortie_error *sortie_sequences_truncate(sortie_sequences *sequences, uint32_t sequence,
                                        int64_t length) {
  constexpr const char *kName = "sortie_sequences_truncate";
  if (Error error = requireArguments(kName, sequences))
    return toC(std::move(error));
  return toC(withModel(kName, sequences,
                       [&](LanguageModel &model) { return model.truncate(sequence, length); }));
}

sortie_error *sortie_sequences_remove(sortie_sequences *sequences, uint32_t sequence) {
  constexpr const char *kName = "sortie_sequences_remove";
  if (Error error = requireArguments(kName, sequences))
    return toC(std::move(error));
  return toC(withModel(kName, sequences,
                       [&](LanguageModel &model) { return model.removeSequence(sequence); }));
}

sortie_error *sortie_sequences_length(const sortie_sequences *sequences, uint32_t sequence,
                                      int64_t *length) {
  constexpr const char *kName = "sortie_sequences_length";
  if (Error error = requireArguments(kName, sequences, length))
    return toC(std::move(error));
  return toC(withModel(kName, sequences, [&](const LanguageModel &model) -> Error {
    Expected<int64_t> tokens = model.length(sequence);
    if (!tokens)
      return tokens.takeError();
    *length = *tokens;
    return Error::success();
  }));
}

sortie_error *sortie_sequences_run(sortie_sequences *sequences, const sortie_piece *pieces,
                                   size_t piece_count, float *logits, size_t logit_count) {
  constexpr const char *kName = "sortie_sequences_run";
  if (Error error = requireArguments(kName, sequences))
    return toC(std::move(error));
  return toC(withModel(kName, sequences, [&](LanguageModel &model) {
    return runPieces(model, pieces, piece_count, logits, logit_count);
  }));
}

sortie_error *sortie_sequences_save(sortie_sequences *sequences, uint32_t sequence,
                                    sortie_write write, void *user) {
  constexpr const char *kName = "sortie_sequences_save";
  if (Error error = requireArguments(kName, sequences))
    return toC(std::move(error));
  if (!write)
    return toC(nullError("the function that writes"));
  return toC(withModel(kName, sequences, [&](LanguageModel &model) -> Error {
    CallerStream out(write, user);
    if (Error error = model.save(sequence, out))
      return error;
    if (out.hasFailed())
      return makeError("sequence " + Twine(sequence) +
                           " is not saved: the caller's function could "
                           "not write all of it",
                       std::errc::io_error);
    return Error::success();
  }));
}

sortie_error *sortie_sequences_load(sortie_sequences *sequences, const void *data, size_t size,
                                    uint32_t *sequence) {
  constexpr const char *kName = "sortie_sequences_load";
  if (Error error = requireArguments(kName, sequences, data, sequence))
    return toC(std::move(error));
  return toC(withModel(kName, sequences, [&](LanguageModel &model) {
    return give(model.load(StringRef(static_cast<const char *>(data), size)), sequence);
  }));
}
