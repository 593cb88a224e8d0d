// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes a vocabulary of arbitrary bytes, encodes the rest of them, and decodes what that gives, and
// arbitrary ids. Files are what GgufFuzzer reads.

#include "runtime/tokenizer/ByteAlphabet.h"
#include "runtime/tokenizer/Detokenizer.h"
#include "runtime/tokenizer/PreTokenizerRules.h"

#include <fuzzer/FuzzedDataProvider.h>

#include <list>

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using namespace sortie::tokenizer;

namespace {

class VocabularyMaker {
public:
  explicit VocabularyMaker(FuzzedDataProvider &input) : input(input) {}

  TokenizerData make() {
    data.kind = input.PickValueInArray({TokenizerKind::BytePairs, TokenizerKind::SentencePiece});
    allNormal = input.ConsumeBool();
    if (data.kind == TokenizerKind::BytePairs)
      addBytes();
    const size_t tokens = input.ConsumeIntegralInRange<size_t>(1, 24);
    for (size_t i = 0; i < tokens; ++i)
      add(input.ConsumeRandomLengthString(12));
    if (data.kind == TokenizerKind::BytePairs)
      addMerges();
    addSettings();
    return data;
  }

  /// Whether text must come back from its tokens.
  bool allNormal = false;

private:
  void add(std::string text) {
    data.tokens.emplace_back(strings.emplace_back(std::move(text)));
    const auto type = static_cast<TokenType>(input.ConsumeIntegralInRange(1, 6));
    data.types.push_back(allNormal ? TokenType::Normal : type);
    data.scores.push_back(input.ConsumeIntegralInRange<int8_t>(-4, 4));
  }

  void addBytes() {
    data.preTokenizer = allPreTokenizerRules()[input.ConsumeIntegralInRange<size_t>(
                                                   0, allPreTokenizerRules().size() - 1)]
                            .name;
    for (int byte = 0; byte < 256; ++byte)
      add(characterOfByte(static_cast<uint8_t>(byte)).str());
  }

  StringRef pick() {
    return data.tokens[input.ConsumeIntegralInRange<size_t>(0, data.tokens.size() - 1)];
  }

  void addMerges() {
    const size_t merges = input.ConsumeIntegralInRange<size_t>(0, 24);
    for (size_t i = 0; i < merges; ++i) {
      const Merge merge{pick(), pick()};
      if (merge.left.empty() || merge.right.empty())
        continue;
      data.merges.push_back(merge);
      add((merge.left + merge.right).str());
    }
  }

  void addSettings() {
    const auto addId = [&](std::optional<int32_t> &id) {
      if (input.ConsumeBool())
        id = input.ConsumeIntegralInRange<int32_t>(0, data.tokens.size() - 1);
    };
    const auto addFlag = [&](std::optional<bool> &flag) {
      if (input.ConsumeBool())
        flag = input.ConsumeBool();
    };
    for (auto *id : {&data.beginOfText, &data.endOfText, &data.unknown})
      addId(*id);
    for (auto *flag : {&data.addsBeginOfText, &data.addsEndOfText, &data.addsSpacePrefix,
                       &data.removesExtraSpaces})
      addFlag(*flag);
  }

  FuzzedDataProvider &input;
  TokenizerData data;
  std::list<std::string> strings;
};

void roundTrip(const Tokenizer &tokenizer, StringRef text, const EncodeOptions &options,
               bool mustComeBack) {
  Expected<std::vector<int32_t>> ids = tokenizer.encode(text, options);
  if (!ids) {
    consumeError(ids.takeError());
    return;
  }
  for (const bool showsSpecial : {false, true}) {
    const std::string decoded = cantFail(decode(tokenizer, *ids, {showsSpecial, false}));
    if (mustComeBack && decoded != text)
      report_fatal_error("the text is another one after encoding and decoding");
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  FuzzedDataProvider input(bytes, size);
  VocabularyMaker maker(input);
  auto tokenizer = Tokenizer::create(maker.make(), "fuzz.gguf");
  if (!tokenizer) {
    consumeError(tokenizer.takeError());
    return 0;
  }
  Detokenizer detokenizer(**tokenizer);
  for (int i = 0; i < 8; ++i)
    consumeError(detokenizer.push(input.ConsumeIntegral<int16_t>()).takeError());
  detokenizer.finish();

  const std::string text = input.ConsumeRemainingBytesAsString();
  const bool isBytePairs = (*tokenizer)->data().kind == TokenizerKind::BytePairs;
  for (const bool addsSpecial : {false, true})
    for (const bool parsesSpecial : {false, true})
      roundTrip(**tokenizer, text, {addsSpecial, parsesSpecial},
                isBytePairs && maker.allNormal && !addsSpecial);
  return 0;
}
