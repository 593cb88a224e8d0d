// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States of sessions, between runs.

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Handles.h"

#include "llvm/ADT/STLFunctionalExtras.h"

using namespace llvm;
using namespace sortie;

/// Checks the index of a state, and calls `body(session)` with the session for itself alone.
static Error withState(const char *caller, const sortie_session *handle, size_t state,
                       function_ref<Error(Session &)> body) {
  const std::vector<State> &states = handle->program->states;
  if (state >= states.size())
    return indexError("state", state, states.size());
  const std::shared_ptr<SharedSession> shared = handle->shared;
  return shared->use(caller, [&](Session *session) { return body(*session); });
}

sortie_error *sortie_session_get_state(const sortie_session *session, size_t index,
                                       sortie_state_info *info) {
  if (Error error = requireArguments("sortie_session_get_state", session, info))
    return toC(std::move(error));
  const std::vector<State> &states = session->program->states;
  if (index >= states.size())
    return toC(indexError("state", index, states.size()));
  sortie_state_info value = SORTIE_INIT(sortie_state_info);
  value.name = states[index].name.c_str();
  value.dtype = dtypeOf(states[index].type);
  value.rank = session->stateShapes[index].size();
  value.shape = session->stateShapes[index].data();
  value.bytes = session->stateBytes[index];
  return toC(writeStruct(value, info));
}

sortie_error *sortie_session_reset_states(sortie_session *session) {
  constexpr const char *kName = "sortie_session_reset_states";
  if (Error error = requireArguments(kName, session))
    return toC(std::move(error));
  const std::shared_ptr<SharedSession> shared = session->shared;
  return toC(shared->use(kName, [](Session *own) { return own->resetStates(); }));
}

sortie_error *sortie_session_reset_state(sortie_session *session, size_t state) {
  constexpr const char *kName = "sortie_session_reset_state";
  if (Error error = requireArguments(kName, session))
    return toC(std::move(error));
  return toC(withState(kName, session, state,
                       [&](Session &own) { return own.resetState(static_cast<uint32_t>(state)); }));
}

sortie_error *sortie_session_read_state(const sortie_session *session, size_t state, void *data,
                                        size_t size) {
  constexpr const char *kName = "sortie_session_read_state";
  if (Error error = requireArguments(kName, session, data))
    return toC(std::move(error));
  return toC(withState(kName, session, state, [&](Session &own) {
    return own.readState(static_cast<uint32_t>(state), {static_cast<std::byte *>(data), size});
  }));
}

sortie_error *sortie_session_write_state(sortie_session *session, size_t state, const void *data,
                                         size_t size) {
  constexpr const char *kName = "sortie_session_write_state";
  if (Error error = requireArguments(kName, session, data))
    return toC(std::move(error));
  return toC(withState(kName, session, state, [&](Session &own) {
    return own.writeState(static_cast<uint32_t>(state),
                          {static_cast<const std::byte *>(data), size});
  }));
}

sortie_error *sortie_session_copy_states(sortie_session *session, const sortie_session *from) {
  constexpr const char *kName = "sortie_session_copy_states";
  if (Error error = requireArguments(kName, session, from))
    return toC(std::move(error));
  if (session->shared == from->shared)
    return toC(makeError("a session's states are to be copied to itself; name two sessions"));
  const std::shared_ptr<SharedSession> source = from->shared;
  const std::shared_ptr<SharedSession> destination = session->shared;
  return toC(source->use(kName, [&](Session *other) {
    return destination->use(kName, [&](Session *own) { return own->copyStates(*other); });
  }));
}
