// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Symbols of a session through the C API: values that callers give, sizes that follow, and what
// callers get wrong.

#include "Engine.h"
#include "test/unit/program/StateText.h"

using namespace sortie::test;

namespace {

constexpr size_t kPush = 0, kAdd = 1;
constexpr size_t kCounter = 0, kRing = 1;

using Floats = std::vector<float>;

sortie_symbol_value valueOf(const char *name, int64_t value) {
  sortie_symbol_value symbol = SORTIE_INIT(sortie_symbol_value);
  symbol.name = name;
  symbol.value = value;
  return symbol;
}

/// Options with these values, which live as long as the list.
sortie_session_options optionsOf(const std::vector<sortie_symbol_value> &symbols) {
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.threads = 1;
  options.symbols = symbols.data();
  options.symbol_count = symbols.size();
  return options;
}

/// The error of opening a session with these values.
std::string openWith(Engine &engine, const std::vector<sortie_symbol_value> &symbols) {
  const sortie_session_options options = optionsOf(symbols);
  return engine.open(&options);
}

struct Ring {
  Engine engine = Engine(kSessionProgram);
  int64_t rows;

  explicit Ring(int64_t slots) : rows(2 * slots + 1) {
    EXPECT_EQ(engine.loadRandom(), "");
    EXPECT_EQ(openWith(engine, {valueOf("slots", slots)}), "");
  }
  std::string push(Floats x, int32_t to) const {
    return run(engine.session, {{"x", SORTIE_F32, {1, 2}, x.data()}, {"to", SORTIE_I32, {1}, &to}},
               {}, nullptr, nullptr, kPush);
  }
  std::string add(int64_t given, Floats &y) const {
    Floats table(2 * given, 0.5f);
    y.assign(2 * given, -1);
    return run(engine.session, {{"table", SORTIE_F32, {given, 2}, table.data()}},
               {{"y", SORTIE_F32, {given, 2}, y.data()}}, nullptr, nullptr, kAdd);
  }
};

} // namespace

TEST(SessionSymbol, isDescribed) {
  const Engine engine(kSessionProgram);
  sortie_symbol_info symbol = SORTIE_INIT(sortie_symbol_info);
  EXPECT_EQ(take(sortie_program_get_symbol(engine.program, 0, &symbol)), "");
  EXPECT_EQ(symbol.is_session, 0);
  EXPECT_EQ(take(sortie_program_get_symbol(engine.program, 1, &symbol)), "");
  EXPECT_EQ(symbol.is_session, 1);
  sortie_state_info state = SORTIE_INIT(sortie_state_info);
  EXPECT_EQ(take(sortie_program_get_state(engine.program, kRing, &state)), "");
  EXPECT_EQ(state.shape[0], 0);
  EXPECT_EQ(state.shape[1], 2);
  EXPECT_EQ(state.bytes, 0u);
  EXPECT_EQ(state.extents[0].per_symbol, 2);
  EXPECT_EQ(state.extents[0].constant, 1);
  EXPECT_EQ(state.extent_symbols[0], 1u);
  EXPECT_EQ(state.extent_symbols[1], SIZE_MAX);
}

TEST(SessionSymbol, givesStatesTheirSize) {
  for (const int64_t slots : {1, 3, 8}) {
    const Ring ring(slots);
    sortie_state_info state = SORTIE_INIT(sortie_state_info);
    EXPECT_EQ(take(sortie_session_get_state(ring.engine.session, kRing, &state)), "");
    EXPECT_STREQ(state.name, "ring");
    EXPECT_EQ(state.shape[0], ring.rows);
    EXPECT_EQ(state.bytes, static_cast<uint64_t>(ring.rows) * 8);
    EXPECT_EQ(take(sortie_session_get_state(ring.engine.session, kCounter, &state)), "");
    EXPECT_EQ(state.bytes, 4u);
    EXPECT_EQ(take(sortie_session_get_state(ring.engine.session, 2, &state)),
              "there is no state 2: there are 2");

    EXPECT_EQ(ring.push({3, 4}, static_cast<int32_t>(ring.rows) - 1), "");
    Floats y;
    EXPECT_EQ(ring.add(ring.rows, y), "");
    Floats expected(2 * ring.rows, 0.5f);
    expected[expected.size() - 2] = 3.5f;
    expected[expected.size() - 1] = 4.5f;
    EXPECT_EQ(y, expected);
    EXPECT_TRUE(contains(ring.push({3, 4}, static_cast<int32_t>(ring.rows)), "rows are 0 to"));
  }
}

TEST(SessionSymbol, isKnownToInputs) {
  const Ring ring(3);
  Floats y;
  EXPECT_EQ(ring.add(9, y),
            "function 'add': input 'table' gives 4 for 'slots', the session gives 3");
}

TEST(SessionSymbol, isNeededAndWithinItsBounds) {
  Engine engine(kSessionProgram);
  EXPECT_EQ(engine.loadRandom(), "");
  EXPECT_EQ(openWith(engine, {}),
            "test.mlir: sizes of states depend on 'slots', which a session must be given a value "
            "for, 1 to 8; say it in sortie_session_options.symbols");
  EXPECT_EQ(openWith(engine, {valueOf("slots", 9)}),
            "test.mlir: symbol 'slots' is to be 9, it must be 1 to 8");
  EXPECT_EQ(openWith(engine, {valueOf("slots", 0)}),
            "test.mlir: symbol 'slots' is to be 0, it must be 1 to 8");
  EXPECT_EQ(openWith(engine, {valueOf("slots", 2), valueOf("slots", 2)}),
            "test.mlir: symbol 'slots' is given twice");
  EXPECT_EQ(openWith(engine, {valueOf("pages", 2)}),
            "test.mlir: has no symbol 'pages'; it has: tokens, slots");
  EXPECT_EQ(openWith(engine, {valueOf(nullptr, 2)}), "the name of symbol 0 is a null pointer");
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.symbol_count = 1;
  EXPECT_EQ(engine.open(&options), "sortie_session_options.symbols is a null pointer");
}

TEST(SessionSymbol, ofRunsAreTheMostThatTheyHave) {
  Engine engine(kSessionProgram);
  EXPECT_EQ(engine.loadRandom(), "");
  EXPECT_EQ(openWith(engine, {valueOf("slots", 2), valueOf("tokens", 1)}), "");
  Floats x(4);
  std::vector<int32_t> to = {0, 1};
  EXPECT_EQ(
      run(engine.session, {{"x", SORTIE_F32, {2, 2}, x.data()}, {"to", SORTIE_I32, {2}, to.data()}},
          {}, nullptr, nullptr, kPush),
      "function 'push': 'tokens' is 2, at most 1 were reserved by this session; make one with "
      "more");
}

TEST(SessionSymbol, isCountedInMemory) {
  const Engine engine(kSessionProgram);
  sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
  EXPECT_EQ(take(sortie_program_get_memory(engine.program, nullptr, 0, 0, 1, &memory)), "");
  EXPECT_EQ(memory.state_bytes, 2u * 256); // as if slots were 0
  const std::vector<sortie_symbol_value> symbols = {valueOf("slots", 8)};
  sortie_session_options options = optionsOf(symbols);
  EXPECT_EQ(take(sortie_program_plan_memory(engine.program, nullptr, 0, &options, &memory)), "");
  EXPECT_EQ(memory.state_bytes, 2u * 256);
  EXPECT_TRUE(
      contains(take(sortie_program_plan_memory(engine.program, nullptr, 0, nullptr, &memory)),
               "sizes of states depend on 'slots'"));
}

TEST(SessionSymbol, isTheSameWhereStatesAreCopied) {
  const Ring three(3), two(2), other(3);
  EXPECT_EQ(take(sortie_session_copy_states(three.engine.session, two.engine.session)),
            "the sessions are of two programs (test.mlir, test.mlir); copy states between sessions "
            "of one");
  Engine engine(kSessionProgram);
  EXPECT_EQ(engine.loadRandom(), "");
  EXPECT_EQ(openWith(engine, {valueOf("slots", 2)}), "");
  sortie_session *first = engine.session;
  engine.session = nullptr;
  EXPECT_EQ(openWith(engine, {valueOf("slots", 4)}), "");
  EXPECT_EQ(take(sortie_session_copy_states(first, engine.session)),
            "states are to be copied from a session whose 'slots' is 4 to one where it is 2; make "
            "both sessions with the same value");
  sortie_session_destroy(first);
}

TEST(SessionSymbol, mayAskForTooMuch) {
  std::string text = "moert.symbol @many max(2147483647)\n";
  for (int i = 0; i < 3; ++i)
    text += "moert.state @s" + std::to_string(i) + " : !moert.buffer<many x 65536 x f32>\n";
  const Engine engine((text + kDispatchProgram).c_str());
  const std::vector<sortie_symbol_value> symbols = {valueOf("many", 2147483647)};
  sortie_session_options options = optionsOf(symbols);
  sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
  EXPECT_EQ(take(sortie_program_plan_memory(engine.program, nullptr, 0, &options, &memory)),
            "test.mlir: its states take more than 2^48 bytes");
}
