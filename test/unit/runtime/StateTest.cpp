// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States through the C API, on the CPU: a counter, a running sum, a ring; reset, copied, saved and
// restored; and what callers get wrong.

#include "Engine.h"
#include "test/unit/program/StateText.h"

using namespace sortie::test;

namespace {

constexpr size_t kAccumulate = 0, kCount = 1, kPush = 2, kPeek = 3;
constexpr size_t kSum = 0, kCounter = 1, kRing = 2;

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;

struct States {
  Engine engine = Engine(kStateProgram);

  States() {
    EXPECT_EQ(engine.loadRandom(), "");
    EXPECT_EQ(engine.open(), "");
  }

  sortie_session *session() const { return engine.session; }

  void accumulate(Floats x) const {
    EXPECT_EQ(
        run(session(), {{"x", SORTIE_F32, {1, 3}, x.data()}}, {}, nullptr, nullptr, kAccumulate),
        "");
  }
  float count(float step) const {
    float y = -1;
    EXPECT_EQ(run(session(), {{"step", SORTIE_F32, {1}, &step}}, {{"y", SORTIE_F32, {1}, &y}},
                  nullptr, nullptr, kCount),
              "");
    return y;
  }
  /// The error; `y` gets the rows that are read.
  std::string push(Ints x, Ints to, Ints from, Ints *y = nullptr) const {
    const auto rows = static_cast<int64_t>(to.size());
    Ints read(2 * to.size(), -1);
    std::string error = run(session(),
                            {{"x", SORTIE_I32, {rows, 2}, x.data()},
                             {"to", SORTIE_I32, {rows}, to.data()},
                             {"from", SORTIE_I32, {rows}, from.data()}},
                            {{"y", SORTIE_I32, {rows, 2}, read.data()}}, nullptr, nullptr, kPush);
    if (y)
      *y = read;
    return error;
  }
  template <typename T> std::vector<T> read(size_t state, size_t count) const {
    std::vector<T> values(count, T(-1));
    EXPECT_EQ(take(sortie_session_read_state(session(), state, values.data(), count * sizeof(T))),
              "");
    return values;
  }
  Floats sum() const { return read<float>(kSum, 3); }
  Ints ring() const { return read<int32_t>(kRing, 8); }
};

} // namespace

TEST(State, isDescribed) {
  const Engine engine(kStateProgram);
  sortie_program_info program = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(engine.program, &program);
  EXPECT_EQ(program.state_count, 3u);
  sortie_state_info state = SORTIE_INIT(sortie_state_info);
  EXPECT_EQ(take(sortie_program_get_state(engine.program, kRing, &state)), "");
  EXPECT_STREQ(state.name, "ring");
  EXPECT_EQ(state.dtype, SORTIE_I32);
  ASSERT_EQ(state.rank, 2u);
  EXPECT_EQ(state.shape[0], 4);
  EXPECT_EQ(state.shape[1], 2);
  EXPECT_EQ(state.bytes, 32u);
  state.struct_size = 7;
  EXPECT_TRUE(contains(take(sortie_program_get_state(engine.program, kRing, &state)),
                       "sortie_state_info.struct_size is 7, which no version of the struct has"));
  state.struct_size = sizeof(state);
  sortie_error_code code = SORTIE_SUCCESS;
  EXPECT_EQ(take(sortie_program_get_state(engine.program, 3, &state), &code),
            "there is no state 3: there are 3");
  EXPECT_EQ(code, SORTIE_ERROR_NOT_FOUND);
  size_t index = 9;
  EXPECT_EQ(take(sortie_program_find_state(engine.program, "counter", &index)), "");
  EXPECT_EQ(index, kCounter);
  EXPECT_EQ(take(sortie_program_find_state(engine.program, "none", &index), &code),
            "test.mlir: has no state 'none'; it has: sum, counter, ring");
  EXPECT_EQ(code, SORTIE_ERROR_NOT_FOUND);
  const Engine other(kDispatchProgram);
  EXPECT_EQ(take(sortie_program_find_state(other.program, "none", &index)),
            "test.mlir: has no state 'none'; it has none");
  EXPECT_EQ(take(sortie_program_find_state(engine.program, nullptr, &index)),
            "an argument of sortie_program_find_state is a null pointer");
}

/// Each state begins at a multiple of 256 bytes, and none is in the arena.
TEST(State, takesMemoryOfItsOwn) {
  const Engine engine(kStateProgram), other(kDispatchProgram);
  sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
  const size_t count = kCount;
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, &count, 1, 0, 1, &memory)), "");
  EXPECT_EQ(memory.state_bytes, 3u * 256);
  EXPECT_EQ(memory.arena_bytes, 0u);
  EXPECT_EQ(take(sortie_program_get_memory(other.program, nullptr, 0, 0, 1, &memory)), "");
  EXPECT_EQ(memory.state_bytes, 0u);
  // Callers of version 4 know nothing of states.
  memory.state_bytes = 77;
  memory.struct_size = offsetof(sortie_memory_info, state_bytes);
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, &count, 1, 0, 1, &memory)), "");
  EXPECT_EQ(memory.state_bytes, 77u);
}

TEST(State, isZeroAtFirstAndStaysBetweenRuns) {
  const States states;
  EXPECT_EQ(states.sum(), Floats({0, 0, 0}));
  EXPECT_EQ(states.count(1), 1);
  EXPECT_EQ(states.count(1), 2);
  EXPECT_EQ(states.count(0.5f), 2.5f);
  states.accumulate({1, 2, 3});
  states.accumulate({10, 20, 30});
  EXPECT_EQ(states.sum(), Floats({11, 22, 33}));
  EXPECT_EQ(states.count(0), 2.5f);
}

TEST(State, isSharedByTheFunctionsOfAProgram) {
  const States states;
  states.accumulate({1, 2, 3});
  EXPECT_EQ(states.push({5, 6}, {3}, {3}), "");
  Floats sum(3);
  Ints ring(8, -1);
  EXPECT_EQ(
      run(states.session(), {},
          {{"sum", SORTIE_F32, {1, 3}, sum.data()}, {"ring", SORTIE_I32, {4, 2}, ring.data()}},
          nullptr, nullptr, kPeek),
      "");
  EXPECT_EQ(sum, Floats({1, 2, 3}));
  EXPECT_EQ(ring, Ints({0, 0, 0, 0, 0, 0, 5, 6}));
}

TEST(State, isWrittenAndReadInRows) {
  const States states;
  Ints y;
  EXPECT_EQ(states.push({1, 2, 3, 4, 5, 6}, {2, 0, 1}, {0, 2, 3}, &y), "");
  EXPECT_EQ(y, Ints({3, 4, 1, 2, 0, 0}));
  // The ring turns; of equal numbers the last row stays.
  EXPECT_EQ(states.push({7, 8, 9, 10, 11, 12}, {3, 2, 3}, {3, 3, 2}, &y), "");
  EXPECT_EQ(y, Ints({11, 12, 11, 12, 9, 10}));
  EXPECT_EQ(states.ring(), Ints({3, 4, 5, 6, 9, 10, 11, 12}));
  EXPECT_EQ(states.push({}, {}, {}, &y), "");
}

TEST(State, numbersOfRowsAreChecked) {
  const States states;
  EXPECT_EQ(
      states.push({1, 2, 3, 4}, {0, 4}, {0, 0}),
      "function 'push': step 0, moert.write_rows with ring: position 1 of its index has row 4, "
      "rows are 0 to 3; correct the index that the caller passes");
  EXPECT_EQ(
      states.push({1, 2}, {0}, {-1}),
      "function 'push': step 1, moert.read_rows with ring: position 0 of its index has row -1, "
      "rows are 0 to 3; correct the index that the caller passes");
}

TEST(State, canBeReset) {
  const States states;
  states.accumulate({1, 2, 3});
  EXPECT_EQ(states.count(4), 4);
  EXPECT_EQ(take(sortie_session_reset_state(states.session(), kSum)), "");
  EXPECT_EQ(states.sum(), Floats({0, 0, 0}));
  EXPECT_EQ(states.count(1), 5);
  EXPECT_EQ(take(sortie_session_reset_states(states.session())), "");
  EXPECT_EQ(states.count(1), 1);
}

TEST(State, belongsToItsSession) {
  const States states;
  states.accumulate({1, 2, 3});
  sortie_session *other = nullptr;
  EXPECT_EQ(
      take(sortie_session_create(states.engine.program, states.engine.weights, nullptr, &other)),
      "");
  Floats sum(3, -1);
  const auto read = [&] {
    EXPECT_EQ(take(sortie_session_read_state(other, kSum, sum.data(), 12)), "");
    return sum;
  };
  EXPECT_EQ(read(), Floats({0, 0, 0}));
  // A fork: both go on from here, each by itself.
  EXPECT_EQ(take(sortie_session_copy_states(other, states.session())), "");
  states.accumulate({1, 1, 1});
  EXPECT_EQ(read(), Floats({1, 2, 3}));
  EXPECT_EQ(states.sum(), Floats({2, 3, 4}));
  EXPECT_EQ(take(sortie_session_copy_states(other, other)),
            "a session's states are to be copied to itself; name two sessions");
  const States strange;
  EXPECT_TRUE(contains(take(sortie_session_copy_states(other, strange.session())),
                       "the sessions are of two programs"));
  sortie_session_destroy(other);
}

TEST(State, canBeSavedAndRestored) {
  const States states;
  EXPECT_EQ(states.push({1, 2, 3, 4}, {1, 3}, {0, 0}), "");
  const Ints saved = states.ring();
  EXPECT_EQ(saved, Ints({0, 0, 1, 2, 0, 0, 3, 4}));
  const States others;
  EXPECT_EQ(take(sortie_session_write_state(others.session(), kRing, saved.data(), 32)), "");
  Ints y;
  EXPECT_EQ(others.push({9, 9}, {0}, {3}, &y), "");
  EXPECT_EQ(y, Ints({3, 4}));
}

TEST(State, mistakesAreNamed) {
  const States states;
  Ints data(16);
  sortie_error_code code = SORTIE_SUCCESS;
  EXPECT_EQ(take(sortie_session_read_state(states.session(), kRing, data.data(), 31), &code),
            "state 'ring' has 32 bytes, 31 are given");
  EXPECT_EQ(code, SORTIE_ERROR_INVALID);
  EXPECT_EQ(take(sortie_session_write_state(states.session(), kRing, data.data(), 64)),
            "state 'ring' has 32 bytes, 64 are given");
  EXPECT_EQ(take(sortie_session_read_state(states.session(), 3, data.data(), 32), &code),
            "there is no state 3: there are 3");
  EXPECT_EQ(code, SORTIE_ERROR_NOT_FOUND);
  EXPECT_EQ(take(sortie_session_write_state(states.session(), 3, data.data(), 32)),
            "there is no state 3: there are 3");
  EXPECT_EQ(take(sortie_session_reset_state(states.session(), 3)),
            "there is no state 3: there are 3");
  EXPECT_EQ(take(sortie_session_read_state(states.session(), kRing, nullptr, 32)),
            "an argument of sortie_session_read_state is a null pointer");
  EXPECT_EQ(take(sortie_session_write_state(nullptr, kRing, data.data(), 32)),
            "an argument of sortie_session_write_state is a null pointer");
  EXPECT_EQ(take(sortie_session_reset_states(nullptr)),
            "an argument of sortie_session_reset_states is a null pointer");
  EXPECT_EQ(take(sortie_session_reset_state(nullptr, 0)),
            "an argument of sortie_session_reset_state is a null pointer");
  EXPECT_EQ(take(sortie_session_copy_states(states.session(), nullptr)),
            "an argument of sortie_session_copy_states is a null pointer");
  EXPECT_EQ(states.ring(), Ints(8));
}

/// All functions take the session for themselves alone: here a callback of its own run calls them.
TEST(State, isNotTouchedDuringARun) {
  const States states;
  static std::vector<std::string> messages;
  messages.clear();
  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  callbacks.user = states.session();
  callbacks.cancelled = [](void *user) {
    auto *session = static_cast<sortie_session *>(user);
    Floats sum(3);
    messages.push_back(take(sortie_session_reset_states(session)));
    messages.push_back(take(sortie_session_reset_state(session, kSum)));
    messages.push_back(take(sortie_session_read_state(session, kSum, sum.data(), 12)));
    messages.push_back(take(sortie_session_write_state(session, kSum, sum.data(), 12)));
    const States others;
    messages.push_back(take(sortie_session_copy_states(session, others.session())));
    messages.push_back(take(sortie_session_copy_states(others.session(), session)));
    return 0;
  };
  Floats x = {1, 2, 3};
  EXPECT_EQ(run(states.session(), {{"x", SORTIE_F32, {1, 3}, x.data()}}, {}, nullptr, &callbacks,
                kAccumulate),
            "");
  ASSERT_EQ(messages.size(), 6u);
  for (const std::string &message : messages)
    EXPECT_TRUE(contains(message, "the session is in use by a call that has not returned yet"))
        << message;
  EXPECT_EQ(states.sum(), x);
}

TEST(State, submittedRunsKeepTheirOrder) {
  const States states;
  Floats steps = {1, 10, 100}, y(3);
  for (size_t i = 0; i < steps.size(); ++i) {
    RunOptions one({{"step", SORTIE_F32, {1}, &steps[i]}}, {{"y", SORTIE_F32, {1}, &y[i]}});
    one.options.function = kCount;
    EXPECT_EQ(take(sortie_session_submit(states.session(), &one.options, nullptr)), "");
  }
  EXPECT_EQ(states.read<float>(kCounter, 1), Floats({111}));
  EXPECT_EQ(y, Floats({1, 11, 111}));
}
