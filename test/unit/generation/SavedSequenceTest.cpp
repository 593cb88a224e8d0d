// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sequences to files and back, and files that are none.

#include "test/unit/generation/FakeModel.h"

#include <gmock/gmock.h>

using namespace sortie;
using namespace sortie::generation;
using namespace sortie::test;
using ::testing::HasSubstr;

namespace {

/// Tokens 64, rows 8, sequences 4, table of 4 pages, 10 pages, vocabulary 50, copies of 2 pages.
constexpr ForwardShape kShape = {64, 8, 4, 4, 10, 50, 2};

std::vector<int32_t> someTokens(size_t count) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<int32_t>(i * i % 50));
  return tokens;
}

llvm::Error anyRow(size_t, size_t, llvm::ArrayRef<float>) { return llvm::Error::success(); }

uint32_t addSequence(LanguageModel &model, llvm::ArrayRef<int32_t> tokens) {
  const uint32_t sequence = llvm::cantFail(model.createSequence());
  if (!tokens.empty())
    llvm::cantFail(model.extend({{sequence, tokens, tokens.size()}}, anyRow));
  return sequence;
}

std::string save(LanguageModel &model, uint32_t sequence) {
  std::string bytes;
  llvm::raw_string_ostream out(bytes);
  llvm::cantFail(model.save(sequence, out));
  return bytes;
}

std::string saved(size_t tokens) {
  FakeLanguageModel holder(kShape, 4, 512);
  return save(holder.model, addSequence(holder.model, someTokens(tokens)));
}

/// The bytes with a seal that fits them.
std::string sealed(std::string bytes) {
  bytes.resize(bytes.size() - 16);
  SequenceSeal seal;
  seal.update(bytes);
  const auto hash = seal.final();
  return bytes.append(reinterpret_cast<const char *>(hash.data()), hash.size());
}

/// Replaces the first `from` of the file, which is as long, and seals it.
std::string changed(std::string bytes, llvm::StringRef from, llvm::StringRef to) {
  EXPECT_EQ(from.size(), to.size());
  return sealed(bytes.replace(bytes.find(from.str()), from.size(), to.str()));
}

std::string refusal(llvm::StringRef bytes, int64_t context = 512) {
  FakeLanguageModel holder(kShape, 1, context);
  std::string message = messageOf(holder.model.load(bytes).takeError());
  EXPECT_EQ(llvm::cantFail(holder.model.createSequence()), 0u) << "a sequence is left";
  return message;
}

} // namespace

TEST(SavedSequence, GoesOnWhereItEnded) {
  for (const size_t length : {0, 1, 100, 128, 129, 300, 512}) {
    const std::string bytes = saved(length);
    FakeLanguageModel holder(kShape, 4, 512);
    LanguageModel &model = holder.model;
    addSequence(model, someTokens(150));
    const uint32_t sequence = llvm::cantFail(model.load(bytes));
    std::vector<int32_t> text = someTokens(length);
    EXPECT_EQ(llvm::cantFail(model.tokens(sequence)), llvm::ArrayRef(text));
    EXPECT_EQ(save(model, sequence), bytes);
    if (length == 512)
      continue;
    text.push_back(7);
    llvm::cantFail(model.extend({{sequence, {7}, 0}}, [&](size_t, size_t, auto logits) {
      for (size_t v = 0; v < logits.size(); ++v)
        EXPECT_EQ(logits[v], fakeLogit(text, v));
      return llvm::Error::success();
    }));
  }
}

TEST(SavedSequence, IsTheSameFileWhateverWasThereBefore) {
  const std::string expected = saved(150);
  FakeLanguageModel holder(kShape, 4, 512);
  LanguageModel &model = holder.model;
  const uint32_t longer = addSequence(model, someTokens(300));
  llvm::cantFail(model.truncate(longer, 150));
  EXPECT_EQ(save(model, longer), expected);
  // Of a fork whose copy is not made yet.
  llvm::cantFail(model.extend({{longer, {1}, 1}}, anyRow));
  const uint32_t fork = llvm::cantFail(model.fork(longer));
  llvm::cantFail(model.truncate(fork, 150));
  EXPECT_EQ(save(model, fork), expected);
  EXPECT_EQ(llvm::cantFail(model.length(longer)), 151);
}

TEST(SavedSequence, DamageIsAnError) {
  const std::string bytes = saved(130);
  for (size_t size = 0; size < bytes.size(); size += size < 300 ? 1 : 997) {
    const std::string message = refusal(llvm::StringRef(bytes).take_front(size));
    EXPECT_TRUE(llvm::StringRef(message).contains(size < 8    ? "is no saved sequence"
                                                  : size < 28 ? "ends inside its header"
                                                              : "is damaged"))
        << size << ": " << message;
  }
  for (size_t place = 8; place < bytes.size(); place += 61) {
    std::string damaged = bytes;
    damaged[place] ^= 4;
    EXPECT_THAT(refusal(damaged), HasSubstr(place < 12 ? "is of version" : "is damaged"));
  }
}

/// Whoever seals a file may have put anything into it.
TEST(SavedSequence, SizesAreCheckedBehindTheSeal) {
  const std::string bytes = saved(130);
  for (size_t size = 28; size < bytes.size(); size += size < 300 ? 1 : 997)
    EXPECT_THAT(refusal(sealed(bytes.substr(0, size))), HasSubstr("the saved sequence "));
  for (size_t place = 12; place < 300; ++place) {
    std::string hostile = bytes;
    hostile[place] = static_cast<char>(0xff);
    hostile = sealed(hostile);
    FakeLanguageModel holder(kShape, 1, 512);
    llvm::consumeError(holder.model.load(hostile).takeError()); // some tokens may be others
  }
}

TEST(SavedSequence, ThoseOfOtherModelsAreErrors) {
  const std::string bytes = saved(130);
  const auto refusalOf = [&](const std::function<void(CacheOrigin &)> &change) {
    FakeLanguageModel holder(kShape, 1, 512);
    change(holder.fake.described);
    return messageOf(holder.model.load(bytes).takeError());
  };
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.numerics = 3; }),
            "the saved sequence was computed by version 2 of the numerics contract, the program "
            "has version 3; save it again");
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.fingerprint = 1; }),
            "the saved sequence is of another model: its fingerprint is abcdef (rule 2), the "
            "program's is 1 (rule 2)");
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.fingerprintRule = 0; }),
            "the saved sequence is of another model: its fingerprint is abcdef (rule 2), the "
            "program's is none");
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.importOptions = "{experts_used = 4}"; }),
            "the saved sequence is of a model that was imported with '', the program's with "
            "'{experts_used = 4}'; save it again");
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.activationBits = 8; }),
            "the saved sequence was computed with activations of 16 bits, the program's have 8 "
            "bits; save it with a program of the same options");
  EXPECT_THAT(refusalOf([](CacheOrigin &origin) { origin.activationBits = 24; }),
              HasSubstr("the program's have 8 and 16 bits;"));
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.caches.pop_back(); }),
            "the saved sequence has 2 caches, the program has 1; it is of another model");
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) { origin.caches[1].name = "third"; }),
            "the saved sequence has a cache 'second' where the program has 'third'; it is of "
            "another model");
  EXPECT_EQ(refusalOf([](CacheOrigin &origin) {
              origin.caches[1].width = numerics::ActivationWidth::Int8;
            }),
            "the saved sequence has a cache 'second' of 2 heads of 3 and 20 elements of 16 bits, "
            "the program's has 2 heads of 3 and 20 elements of 8 bits; save it with a program of "
            "the same options");
}

/// They end the text of import options, which is empty, with the number of caches.
TEST(SavedSequence, FilesOfTheFirstVersionAreRead) {
  const std::string bytes = saved(130);
  std::string old = bytes;
  old[8] = 1;
  old.erase(32, 4);
  old = sealed(old);
  FakeLanguageModel holder(kShape, 2, 512);
  holder.fake.described.activationBits = 8; // which such a file does not say
  const uint32_t sequence = llvm::cantFail(holder.model.load(old));
  EXPECT_EQ(llvm::cantFail(holder.model.tokens(sequence)), llvm::ArrayRef(someTokens(130)));
  EXPECT_THAT(refusal(bytes.substr(0, 8) + std::string(1, 3) + bytes.substr(9)),
              HasSubstr("is of version 3 of the format, and this is a reader of versions 1 to 2"));
}

TEST(SavedSequence, ThoseThatDoNotFitAreErrors) {
  const std::string bytes = saved(130);
  EXPECT_EQ(refusal(bytes, 129),
            "the saved sequence has 130 tokens, and the context is 129; take a "
            "larger context");
  EXPECT_EQ(refusal(changed(bytes, llvm::StringRef("\0\0\0\0\1\0\0\0\4\0\0\0", 12),
                            llvm::StringRef("\0\0\0\0\1\0\0\0\62\0\0\0", 12))),
            "the saved sequence has token 50, which is not in the model's vocabulary: its tokens "
            "are 0 to 49");

  FakeLanguageModel holder({64, 8, 4, 4, 2, 50, 2}, 2, 512);
  LanguageModel &model = holder.model;
  const uint32_t other = addSequence(model, someTokens(10));
  EXPECT_THAT(messageOf(model.load(bytes).takeError()),
              HasSubstr("the cache has no room: 2 pages"));
  llvm::cantFail(model.removeSequence(other));
  holder.fake.writeFails = true;
  EXPECT_EQ(messageOf(model.load(bytes).takeError()), "the write failed");
  holder.fake.writeFails = false;
  llvm::cantFail(model.load(bytes));

  FakeLanguageModel old({64, 8, 4, 4, 10, 50}, 1, 512);
  EXPECT_THAT(messageOf(old.model.load(bytes).takeError()), HasSubstr("cannot load a sequence"));
  std::string ignored;
  llvm::raw_string_ostream out(ignored);
  EXPECT_EQ(messageOf(old.model.save(0, out)), "there is no sequence 0");
  llvm::cantFail(old.model.createSequence());
  EXPECT_THAT(messageOf(old.model.save(0, out)), HasSubstr("cannot save sequence 0"));
}

/// What is cleared is what cache.h says of the positions; nothing else is.
TEST(SavedSequence, ClearedPositionsAreThoseOfTheLayout) {
  for (const int64_t rotated : {0, 5})
    for (const auto width : {numerics::ActivationWidth::Int8, numerics::ActivationWidth::Int16}) {
      const CacheLayout cache = {"c", 2, 20, 20, rotated, width};
      const int limbs = width == numerics::ActivationWidth::Int16 ? 2 : 1;
      std::vector<int32_t> page(static_cast<size_t>(cache.words()), -1);
      clearPositions(cache, page, 100);
      const auto *bytes = reinterpret_cast<const int8_t *>(page.data());
      size_t cleared = 0;
      for (size_t i = 0; i < page.size() * 4; ++i)
        cleared += bytes[i] == 0;
      // Two scales, 20 bytes of a key, 8 of its rotated part and 32 of a value, with what they are
      // rounded up by.
      const int elements = 20 + (rotated != 0 ? 8 : 0) + 32;
      EXPECT_EQ(cleared, static_cast<size_t>(2 * 28 * (8 + limbs * elements)));
      const numerics::CachePageLayout layout = numerics::cachePageLayout(width, 20, 20, rotated);
      for (int64_t head = 0; head < 2; ++head)
        for (int64_t position = 0; position < 128; ++position) {
          const int8_t *own = bytes + head * layout.headBytes;
          const int8_t expected = position < 100 ? -1 : 0;
          const auto keyByte = [&](const numerics::CacheRowsLayout &rows, int64_t element) {
            return own[rows.first + numerics::cacheByte(rows.panel, position, element)];
          };
          EXPECT_EQ(own[layout.valueScales + position * 4], expected);
          EXPECT_EQ(keyByte(layout.keys, 19), expected);
          if (rotated != 0) {
            EXPECT_EQ(own[layout.rotated.scales + position * 4], expected);
            EXPECT_EQ(keyByte(layout.rotated, 4), expected);
          }
          EXPECT_EQ(own[layout.values + numerics::cacheByte(layout.valuePanel, 19, position)],
                    expected);
        }
    }
}
