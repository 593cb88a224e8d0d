// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sequences of the C API, of a model that is one attention over the rows of its table.

#include "test/unit/runtime/Engine.h"

#include "llvm/ADT/ArrayRef.h"

#include <algorithm>
#include <sys/wait.h>
#include <unistd.h>

using namespace sortie::test;

namespace {

constexpr size_t kVocabulary = 8;

const char *const kForward = R"(
  moert.symbol @tokens max(64)
  moert.symbol @pages max(64)
  moert.symbol @slots max(4)
  moert.symbol @rows max(64)
  moert.symbol @copies max(2)
  moert.weight @table "table" : 8x8xf32
  moert.state @cache : !moert.buffer<pages x 1792 x i32>
  moert.func @forward("tokens" %tokens: !moert.buffer<tokens x i32>, "positions" %positions: !moert.buffer<tokens x i32>,
                      "sequences" %sequences: !moert.buffer<tokens x i32>, "pages" %pages: !moert.buffer<slots x 3 x i32>,
                      "rows" %rows: !moert.buffer<rows x i32>)
      outs("logits" %logits: !moert.buffer<rows x 8 x f32>) arena(128*tokens) {
    %x = moert.buffer offset(0) : !moert.buffer<tokens x 8 x f32>
    moert.embed %tokens, @table outs(%x) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 8 x f32>
    %c = moert.state_buffer @cache : !moert.buffer<pages x 1792 x i32>
    moert.append %x, %x at(%positions, %sequences, %pages) kv_heads(1) width(int16) outs(%c)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 3 x i32>, !moert.buffer<pages x 1792 x i32>
    %y = moert.buffer offset(64*tokens) : !moert.buffer<tokens x 8 x f32>
    moert.attend %x, %c at(%positions, %sequences, %pages) heads(1) kv_heads(1) scale(0.5)
      query_width(int16) width(int16) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 1792 x i32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 3 x i32>, !moert.buffer<tokens x 8 x f32>
    moert.read_rows %y, %rows outs(%logits)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<rows x i32>, !moert.buffer<rows x 8 x f32>
    moert.return
  })";

const char *const kPages = R"(
  moert.func @copy_pages("from" %from: !moert.buffer<copies x i32>, "to" %to: !moert.buffer<copies x i32>)
      outs() arena(7168*copies) {
    %c = moert.state_buffer @cache : !moert.buffer<pages x 1792 x i32>
    %0 = moert.buffer offset(0) : !moert.buffer<copies x 1792 x i32>
    moert.read_rows %c, %from outs(%0)
      : !moert.buffer<pages x 1792 x i32>, !moert.buffer<copies x i32>, !moert.buffer<copies x 1792 x i32>
    moert.write_rows %0, %to outs(%c)
      : !moert.buffer<copies x 1792 x i32>, !moert.buffer<copies x i32>, !moert.buffer<pages x 1792 x i32>
    moert.return
  }
  moert.func @read_pages("index" %index: !moert.buffer<copies x i32>)
      outs("cache" %cache: !moert.buffer<copies x 1792 x i32>) {
    %c = moert.state_buffer @cache : !moert.buffer<pages x 1792 x i32>
    moert.read_rows %c, %index outs(%cache)
      : !moert.buffer<pages x 1792 x i32>, !moert.buffer<copies x i32>, !moert.buffer<copies x 1792 x i32>
    moert.return
  }
  moert.func @write_pages("index" %index: !moert.buffer<copies x i32>,
                          "cache" %cache: !moert.buffer<copies x 1792 x i32>) outs() {
    %c = moert.state_buffer @cache : !moert.buffer<pages x 1792 x i32>
    moert.write_rows %cache, %index outs(%c)
      : !moert.buffer<copies x 1792 x i32>, !moert.buffer<copies x i32>, !moert.buffer<pages x 1792 x i32>
    moert.return
  })";

using Ids = std::vector<int32_t>;
using Logits = std::vector<float>;

Ids someIds(size_t count, size_t seed = 1) {
  Ids ids;
  for (size_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * i + seed * i + seed) % kVocabulary));
  return ids;
}

sortie_piece pieceOf(uint32_t sequence, llvm::ArrayRef<int32_t> ids, size_t rows = 1) {
  sortie_piece piece = SORTIE_INIT(sortie_piece);
  piece.sequence = sequence;
  piece.tokens = ids.data();
  piece.token_count = ids.size();
  piece.row_count = rows;
  return piece;
}

int appendTo(void *file, const void *data, size_t size) {
  static_cast<std::string *>(file)->append(static_cast<const char *>(data), size);
  return 0;
}

/// A model with its sequences.
struct Model {
  Engine engine;
  sortie_sequences *sequences = nullptr;
  std::string message; ///< of sortie_sequences_create
  sortie_error_code code = SORTIE_ERROR_INVALID;

  explicit Model(int64_t count = 4, int64_t pages = 0, const std::string &contents = kPages)
      : engine(std::string(kForward) + contents) {
    EXPECT_EQ(engine.loadRandom(), "");
    sortie_session_options session = SORTIE_INIT(sortie_session_options);
    session.threads = 2;
    sortie_sequences_options options = SORTIE_INIT(sortie_sequences_options);
    options.session = &session;
    options.count = count;
    options.pages = pages;
    create(&options);
  }
  ~Model() { sortie_sequences_destroy(sequences); }

  void create(const sortie_sequences_options *options) {
    sortie_sequences_destroy(sequences);
    sequences = nullptr;
    message =
        take(sortie_sequences_create(engine.program, engine.weights, options, &sequences), &code);
  }
  uint32_t add() const {
    uint32_t sequence = UINT32_MAX;
    EXPECT_EQ(take(sortie_sequences_add(sequences, &sequence)), "");
    return sequence;
  }
  uint32_t fork(uint32_t from) const {
    uint32_t sequence = UINT32_MAX;
    EXPECT_EQ(take(sortie_sequences_fork(sequences, from, &sequence)), "");
    return sequence;
  }
  int64_t length(uint32_t sequence) const {
    int64_t length = -1;
    EXPECT_EQ(take(sortie_sequences_length(sequences, sequence, &length)), "");
    return length;
  }
  std::string tryRun(const std::vector<sortie_piece> &pieces, Logits &logits,
                     sortie_error_code *error = nullptr) const {
    return take(
        sortie_sequences_run(sequences, pieces.data(), pieces.size(), logits.data(), logits.size()),
        error);
  }
  Logits run(const std::vector<sortie_piece> &pieces) const {
    size_t rows = 0;
    for (const sortie_piece &piece : pieces)
      rows += piece.row_count;
    Logits logits(rows * kVocabulary);
    EXPECT_EQ(tryRun(pieces, logits), "");
    return logits;
  }
  std::string save(uint32_t sequence) const {
    std::string file;
    EXPECT_EQ(take(sortie_sequences_save(sequences, sequence, &appendTo, &file)), "");
    return file;
  }
};

/// The logits after each of these tokens, of a sequence that is alone.
Logits expectedOf(const Ids &ids) {
  const Model model(1);
  return model.run({pieceOf(model.add(), ids, ids.size())});
}

Logits rowsOf(const Logits &logits, size_t first, size_t count) {
  const auto begin = logits.begin() + static_cast<ptrdiff_t>(first * kVocabulary);
  return {begin, begin + static_cast<ptrdiff_t>(count * kVocabulary)};
}

} // namespace

TEST(Sequences, GiveTheSameBitsHoweverTheyAreRun) {
  const Model model;
  sortie_sequences_info info = SORTIE_INIT(sortie_sequences_info);
  EXPECT_EQ(take(sortie_sequences_get_info(model.sequences, &info)), "");
  EXPECT_EQ(info.vocabulary, 8);
  EXPECT_EQ(info.context, 384);

  const Ids first = someIds(300), second = someIds(150, 3);
  const Logits expected = expectedOf(first), other = expectedOf(second);
  const llvm::ArrayRef<int32_t> ids = first;
  const uint32_t a = model.add(), b = model.add();
  const Logits together = model.run({pieceOf(b, second, 2), pieceOf(a, ids.take_front(200), 3)});
  EXPECT_EQ(rowsOf(together, 0, 2), rowsOf(other, 148, 2));
  EXPECT_EQ(rowsOf(together, 2, 3), rowsOf(expected, 197, 3));
  EXPECT_EQ(model.run({pieceOf(a, ids.slice(200, 20), 0)}), Logits());

  // Forks, of which one goes another way first, and one is cut back.
  const uint32_t c = model.fork(a), d = model.fork(a);
  model.run({pieceOf(c, second)});
  EXPECT_EQ(take(sortie_sequences_truncate(model.sequences, d, 210)), "");
  EXPECT_EQ(model.length(d), 210);
  EXPECT_EQ(model.run({pieceOf(d, ids.slice(210, 90), 90), pieceOf(a, ids.slice(220, 80), 80)}),
            [&] {
              Logits both = rowsOf(expected, 210, 90);
              const Logits last = rowsOf(expected, 220, 80);
              both.insert(both.end(), last.begin(), last.end());
              return both;
            }());

  // Saved, and loaded by another session.
  EXPECT_EQ(take(sortie_sequences_truncate(model.sequences, a, 220)), "");
  const std::string file = model.save(a);
  EXPECT_EQ(take(sortie_sequences_truncate(model.sequences, d, 220)), "");
  EXPECT_EQ(model.save(d), file);
  const Model loader;
  loader.run({pieceOf(loader.add(), second)});
  uint32_t loaded = 0;
  EXPECT_EQ(take(sortie_sequences_load(loader.sequences, file.data(), file.size(), &loaded)), "");
  EXPECT_EQ(loader.length(loaded), 220);
  EXPECT_EQ(loader.run({pieceOf(loaded, ids.drop_front(220), 80)}), rowsOf(expected, 220, 80));
}

TEST(Sequences, ErrorsChangeNothing) {
  const Model model(2, 3);
  const uint32_t sequence = model.add();
  const Ids ids = someIds(200);
  model.run({pieceOf(sequence, ids)});
  Logits logits(kVocabulary);
  sortie_error_code code = SORTIE_ERROR_INVALID;
  EXPECT_EQ(model.tryRun({pieceOf(sequence, ids)}, logits, &code),
            "sequence 0 has 200 positions and cannot grow by 200: the context is 384");
  EXPECT_EQ(code, SORTIE_ERROR_INVALID);
  const uint32_t other = model.add();
  EXPECT_EQ(model.tryRun({pieceOf(other, ids)}, logits, &code),
            "the cache has no room: 2 pages of 128 positions are needed, 1 are free; end or cut a "
            "sequence, or make the session with 1 more pages");
  EXPECT_EQ(code, SORTIE_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(model.tryRun({pieceOf(sequence, ids, 201)}, logits),
            "piece 0 has 200 tokens, and logits of 201 are wanted");
  EXPECT_EQ(model.tryRun({pieceOf(sequence, {1, 2}, 2)}, logits),
            "there is room for 8 logits; 2 rows of 8 are wanted");
  EXPECT_EQ(model.tryRun({pieceOf(sequence, {8})}, logits),
            "token 8 is not in the model's vocabulary: its tokens are 0 to 7");
  EXPECT_EQ(model.tryRun({pieceOf(7, {1})}, logits), "there is no sequence 7");
  // Counts of tokens that no sequence has are refused before the tokens are read.
  for (const size_t count : {size_t{385}, SIZE_MAX / 2, SIZE_MAX}) {
    sortie_piece longer = pieceOf(sequence, {1});
    longer.token_count = count;
    EXPECT_EQ(model.tryRun({longer}, logits),
              "piece 0 has " + std::to_string(count) + " tokens, and a sequence has at most 384");
  }
  EXPECT_EQ(model.tryRun({}, logits), "there is room for 8 logits; 0 rows of 8 are wanted");
  sortie_piece piece = pieceOf(sequence, {1});
  piece.tokens = nullptr;
  EXPECT_EQ(model.tryRun({piece}, logits), "the list of tokens of piece 0 is a null pointer");
  piece = pieceOf(sequence, {1});
  piece.struct_size = 3;
  EXPECT_TRUE(contains(model.tryRun({piece}, logits), "sortie_piece.struct_size is 3"));

  uint32_t result = 0;
  EXPECT_EQ(take(sortie_sequences_add(model.sequences, &result), &code),
            "all 2 sequences of the cache are in use; end one, or make the session for more");
  EXPECT_EQ(code, SORTIE_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(take(sortie_sequences_fork(model.sequences, 5, &result)), "there is no sequence 5");
  EXPECT_EQ(take(sortie_sequences_remove(model.sequences, 5)), "there is no sequence 5");
  EXPECT_EQ(take(sortie_sequences_truncate(model.sequences, other, 1)),
            "sequence 1 has 0 positions and cannot be cut to 1");
  const auto refuse = [](void *, const void *, size_t) { return 1; };
  EXPECT_EQ(take(sortie_sequences_save(model.sequences, sequence, refuse, nullptr), &code),
            "sequence 0 is not saved: the caller's function could not write all of it");
  EXPECT_EQ(code, SORTIE_ERROR_IO);
  const std::string file = model.save(sequence);
  EXPECT_TRUE(
      contains(take(sortie_sequences_load(model.sequences, file.data(), file.size() - 1, &result)),
               "the saved sequence is damaged"));
  EXPECT_EQ(take(sortie_sequences_remove(model.sequences, other)), "");
  EXPECT_EQ(model.run({pieceOf(sequence, {3})}), [] {
    Ids longer = someIds(200);
    longer.push_back(3);
    return rowsOf(expectedOf(longer), 200, 1);
  }());
}

TEST(Sequences, CallsFromCallsAreErrors) {
  const Model model;
  const uint32_t sequence = model.add();
  std::pair<const Model *, std::string> seen(&model, "");
  const auto write = [](void *user, const void *, size_t) {
    auto &[own, text] = *static_cast<std::pair<const Model *, std::string> *>(user);
    text = take(sortie_sequences_remove(own->sequences, 0));
    return 0;
  };
  EXPECT_EQ(take(sortie_sequences_save(model.sequences, sequence, write, &seen)), "");
  EXPECT_EQ(seen.second, "sortie_sequences_remove: another call with these sequences is under way; "
                         "make one call at a time");
}

TEST(Sequences, BelongToTheProcessThatMadeThem) {
  const Model model;
  const uint32_t sequence = model.add();
  model.run({pieceOf(sequence, {1, 2})});
  const auto isRefused = [](const std::string &message) {
    return contains(message, "the sequences belong to process ");
  };
  const pid_t child = fork();
  if (child == 0) {
    uint32_t other = 0;
    int64_t length = 0;
    std::string file;
    Logits logits(kVocabulary);
    sortie_sequences *inherited = model.sequences;
    const bool areAllRefused =
        isRefused(take(sortie_sequences_add(inherited, &other))) &&
        isRefused(take(sortie_sequences_fork(inherited, sequence, &other))) &&
        isRefused(take(sortie_sequences_length(inherited, sequence, &length))) &&
        isRefused(take(sortie_sequences_truncate(inherited, sequence, 1))) &&
        isRefused(model.tryRun({pieceOf(sequence, {3})}, logits)) &&
        isRefused(take(sortie_sequences_save(inherited, sequence, &appendTo, &file))) &&
        isRefused(take(sortie_sequences_load(inherited, "x", 1, &other))) &&
        isRefused(take(sortie_sequences_remove(inherited, sequence)));
    sortie_sequences_destroy(inherited);
    _exit(areAllRefused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(model.length(sequence), 2);
}

TEST(Sequences, OptionsAreChecked) {
  Model model;
  model.create(nullptr);
  EXPECT_EQ(model.message, "");
  const auto refusal = [&](auto change) {
    sortie_session_options session = SORTIE_INIT(sortie_session_options);
    sortie_sequences_options options = SORTIE_INIT(sortie_sequences_options);
    options.session = &session;
    change(options, session);
    model.create(&options);
    EXPECT_EQ(model.sequences, nullptr);
    return model.message;
  };
  using Options = sortie_sequences_options;
  using Session = sortie_session_options;
  EXPECT_EQ(refusal([](Options &options, Session &) { options.count = -1; }),
            "sortie_sequences_options.count is -1; it must be positive, or 0 for the default");
  EXPECT_EQ(refusal([](Options &options, Session &) { options.pages = -2; }),
            "sortie_sequences_options.pages is -2; it must be positive, or 0 for the default");
  EXPECT_TRUE(contains(refusal([](Options &options, Session &) { options.count = 5; }),
                       "5 sequences at once: the program has room for 4"));
  EXPECT_TRUE(contains(refusal([](Options &options, Session &) { options.context = INT64_MAX; }),
                       "the program has room for 384"));
  EXPECT_TRUE(contains(refusal([](Options &, Session &session) { session.max_tokens = 3; }),
                       "sortie_sequences_options.session has max_tokens or symbols"));
  EXPECT_TRUE(contains(refusal([](Options &, Session &session) { session.cpu_isa = "z80"; }),
                       "instruction set 'z80' is not known"));
  EXPECT_EQ(model.code, SORTIE_ERROR_UNSUPPORTED);
  EXPECT_TRUE(contains(refusal([](Options &options, Session &) { options.struct_size = 1; }),
                       "sortie_sequences_options.struct_size is 1"));
  EXPECT_EQ(take(sortie_sequences_create(model.engine.program, nullptr, nullptr, &model.sequences)),
            "an argument of sortie_sequences_create is a null pointer");
}

TEST(Sequences, ProgramsWithoutFunctionsForPagesStillRun) {
  const Model old(2, 0, "");
  const uint32_t sequence = old.add();
  EXPECT_EQ(old.run({pieceOf(sequence, someIds(5))}), rowsOf(expectedOf(someIds(5)), 4, 1));
  uint32_t copy = 0;
  EXPECT_TRUE(contains(take(sortie_sequences_fork(old.sequences, sequence, &copy)),
                       "cannot fork sequence 0: the program has no functions"));
}

TEST(Sequences, CachesAreDescribed) {
  const Model model;
  sortie_state_info state = SORTIE_INIT(sortie_state_info);
  EXPECT_EQ(take(sortie_program_get_state(model.engine.program, 0, &state)), "");
  EXPECT_EQ(state.cache_heads, 1);
  EXPECT_EQ(state.cache_key, 8);
  EXPECT_EQ(state.cache_value, 8);
  EXPECT_EQ(state.cache_bits, 16);
}
