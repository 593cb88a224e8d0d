// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sessions and runs.

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Caller.h"
#include "runtime/capi/Handles.h"
#include "runtime/capi/Options.h"
#include "runtime/capi/Tensors.h"
#include "runtime/cpu/Isa.h"

#include "llvm/ADT/STLFunctionalExtras.h"

using namespace llvm;
using namespace sortie;

namespace {

Expected<SessionOptions> sessionOptions(const sortie_session_options &given) {
  Expected<int> threads = threadCount(given.threads);
  if (!threads)
    return threads.takeError();
  Expected<std::vector<SymbolChoice>> symbols = symbolChoices(given);
  if (!symbols)
    return symbols.takeError();
  SessionOptions options{stringOf(given.device), *threads,         cpu::bestIsa(),
                         given.max_tokens,       given.eager != 0, std::move(*symbols)};
  if (!given.cpu_isa)
    return options;
  const std::optional<cpu::Isa> isa = cpu::parseIsa(given.cpu_isa);
  std::string names;
  for (const cpu::Isa candidate : cpu::kAllIsas)
    if (cpu::isAvailable(candidate))
      names += (names.empty() ? "" : ", ") + cpu::isaName(candidate).str();
  if (!isa || !cpu::isAvailable(*isa))
    return makeError("instruction set '" + Twine(given.cpu_isa) + "' is " +
                         (isa ? "not available on this machine" : "not known") +
                         "; available here: " + names,
                     std::errc::not_supported);
  options.isa = *isa;
  return options;
}

/// A call that has the session for itself alone, with arguments that are what they say.
struct Call {
  const std::shared_ptr<SharedSession> &shared;
  Session &session;
  const sortie_run_options &options;
  ArrayRef<TensorView> inputs;
  ArrayRef<TensorView> outputs;
};

/// What runs of all kinds have in common: checks the options, and calls `body(call)`.
Error withArguments(const char *caller, const sortie_session *handle,
                    const sortie_run_options *given, function_ref<Error(const Call &)> body) {
  if (Error error = requireArguments(caller, handle, given))
    return error;
  Expected<sortie_run_options> options = readStruct(given);
  if (!options)
    return options.takeError();
  const Program &program = *handle->program;
  if (options->function >= program.functions.size())
    return indexError("function", options->function, program.functions.size());
  const Function &function = program.functions[options->function];
  Expected<std::vector<TensorView>> inputs =
      toTensorViews(options->inputs, options->input_count, function, function.inputs, "input");
  if (!inputs)
    return inputs.takeError();
  Expected<std::vector<TensorView>> outputs =
      toTensorViews(options->outputs, options->output_count, function, function.outputs, "output");
  if (!outputs)
    return outputs.takeError();
  const std::shared_ptr<SharedSession> shared = handle->shared; // a callback may destroy the handle
  return shared->use(caller, [&](Session *session) {
    return body({shared, *session, *options, *inputs, *outputs});
  });
}

} // namespace

sortie_error *sortie_get_cpu_isa(size_t index, const char **name, int *is_available) {
  if (Error error = requireArguments("sortie_get_cpu_isa", name, is_available))
    return toC(std::move(error));
  if (index >= cpu::kAllIsas.size())
    return toC(indexError("instruction set", index, cpu::kAllIsas.size()));
  *name = cpu::isaName(cpu::kAllIsas[index]).data();
  *is_available = cpu::isAvailable(cpu::kAllIsas[index]);
  return nullptr;
}

sortie_error *sortie_session_create(const sortie_program *program, const sortie_weights *weights,
                                    const sortie_session_options *options,
                                    sortie_session **session) {
  if (Error error = requireArguments("sortie_session_create", program, weights, session))
    return toC(std::move(error));
  Expected<sortie_session_options> given = readStruct(options);
  if (!given)
    return toC(given.takeError());
  if (weights->loaded->program() != program->program)
    return toC(makeError("these weights have been created for another program (" +
                         weights->loaded->program()->name + ")"));
  Expected<SessionOptions> checked = sessionOptions(*given);
  if (!checked)
    return toC(checked.takeError());
  Expected<std::unique_ptr<Session>> created = weights->loaded->createSession(*checked);
  if (!created)
    return toC(created.takeError());
  const SymbolLimits limits = (*created)->symbolLimits();
  auto handle = std::make_unique<sortie_session>();
  *handle = {program->program,
             weights->loaded,
             std::make_shared<SharedSession>(std::move(*created)),
             {},
             {}};
  for (const State &state : program->program->states) {
    const auto extentOf = [&](const Affine &extent) { return extent.at(limits); };
    handle->stateShapes.emplace_back(map_range(state.shape, extentOf));
    handle->stateBytes.push_back(static_cast<uint64_t>(extentOf(state.bytes)));
  }
  *session = handle.release();
  return nullptr;
}

void sortie_session_destroy(sortie_session *session) {
  if (!session)
    return;
  session->shared->destroy();
  delete session;
}

const char *sortie_session_device(const sortie_session *session) {
  return session ? session->loaded->describeDevice().c_str() : "";
}

sortie_error *sortie_session_run(sortie_session *session, const sortie_run_options *options) {
  return toC(withArguments("sortie_session_run", session, options, [](const Call &call) -> Error {
    Expected<CallerObserver> observer =
        CallerObserver::read(call.options.observer, call.options.callbacks);
    if (!observer)
      return observer.takeError();
    return call.session.run(call.options.function, call.inputs, call.outputs, *observer);
  }));
}

sortie_error *sortie_session_time(sortie_session *session, const sortie_run_options *options,
                                  size_t count, uint64_t *nanoseconds) {
  constexpr size_t kMaxRepetitions = size_t{1} << 24;
  if (count != 0 && !nanoseconds)
    return toC(nullError("the list of times"));
  if (count > kMaxRepetitions)
    return toC(makeError(Twine(count) + " repetitions are asked for, at most " +
                         Twine(kMaxRepetitions) + " are possible"));
  return toC(withArguments("sortie_session_time", session, options, [&](const Call &call) {
    return call.session.time(call.options.function, call.inputs, call.outputs,
                             {nanoseconds, count});
  }));
}

//===- Submitted runs ----------------------------------------------------===//

sortie_error *sortie_session_submit(sortie_session *session, const sortie_run_options *options,
                                    sortie_run **run) {
  return toC(
      withArguments("sortie_session_submit", session, options, [&](const Call &call) -> Error {
        if (call.options.observer || call.options.callbacks)
          return makeError(
              "a submitted run calls nobody; leave observer and callbacks NULL, or call "
              "sortie_session_run");
        Expected<std::shared_ptr<SubmittedRun>> submitted =
            call.session.submit(call.options.function, call.inputs, call.outputs);
        if (!submitted)
          return submitted.takeError();
        if (run)
          *run = new sortie_run{call.shared, std::move(*submitted)};
        return Error::success();
      }));
}

sortie_error *sortie_run_query(sortie_run *run, int *is_complete) {
  if (Error error = requireArguments("sortie_run_query", run, is_complete))
    return toC(std::move(error));
  const sortie_run own = *run;
  return toC(own.shared->use("sortie_run_query", [&](Session *) {
    *is_complete = own.run->isComplete();
    return Error::success();
  }));
}

sortie_error *sortie_run_wait(sortie_run *run) {
  if (Error error = requireArguments("sortie_run_wait", run))
    return toC(std::move(error));
  const sortie_run own = *run;
  return toC(own.shared->use("sortie_run_wait", [&](Session *) { return own.run->wait(); }));
}

void sortie_run_destroy(sortie_run *run) { delete run; }

sortie_error *sortie_session_query(const sortie_session *session, int *is_complete) {
  if (Error error = requireArguments("sortie_session_query", session, is_complete))
    return toC(std::move(error));
  const std::shared_ptr<SharedSession> shared = session->shared;
  return toC(shared->use("sortie_session_query", [&](Session *own) {
    *is_complete = own->isIdle();
    return Error::success();
  }));
}

sortie_error *sortie_session_wait(sortie_session *session) {
  if (Error error = requireArguments("sortie_session_wait", session))
    return toC(std::move(error));
  const std::shared_ptr<SharedSession> shared = session->shared;
  return toC(shared->use("sortie_session_wait", [](Session *own) { return own->wait(); }));
}
