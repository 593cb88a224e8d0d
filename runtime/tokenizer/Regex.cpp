// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PCRE2 behind the interface of Regex.h.

#include "runtime/tokenizer/Regex.h"

#include "runtime/support/Error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

using namespace sortie;
using namespace sortie::tokenizer;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

void detail::Pcre2Deleter::operator()(pcre2_real_code_8 *code) const { pcre2_code_free(code); }
void detail::Pcre2Deleter::operator()(pcre2_real_match_data_8 *data) const {
  pcre2_match_data_free(data);
}
void detail::Pcre2Deleter::operator()(pcre2_real_match_context_8 *context) const {
  pcre2_match_context_free(context);
}

static PCRE2_SPTR asPcre2(StringRef text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

static std::string describe(int error) {
  std::array<PCRE2_UCHAR, 256> message = {};
  pcre2_get_error_message(error, message.data(), message.size());
  return reinterpret_cast<const char *>(message.data());
}

/// The pattern with PCRE2's names for the spaces of Unicode: its own \s has U+180E, too, which is
/// none since Unicode 6.3.
static std::string nameSpaces(StringRef pattern) {
  std::string named;
  for (StringRef rest = pattern; !rest.empty();) {
    const StringRef item = rest.take_front(rest.front() == '\\' ? 2 : 1);
    rest = rest.drop_front(item.size());
    if (item == "\\s")
      named += "\\p{wspace}";
    else if (item == "\\S")
      named += "\\P{wspace}";
    else
      named += item;
  }
  return named;
}

Expected<Regex> Regex::compile(StringRef pattern, Mode mode) {
  const std::string named = nameSpaces(pattern);
  uint32_t options = PCRE2_UTF | PCRE2_UCP;
  if (mode == Mode::Counted)
    options |= PCRE2_AUTO_CALLOUT;
  int error = 0;
  PCRE2_SIZE place = 0;
  detail::Pcre2Ptr<pcre2_code> code(
      pcre2_compile(asPcre2(named), named.size(), options, &error, &place, nullptr));
  if (!code)
    return makeError("the regular expression '" + Twine(named) + "' is wrong at character " +
                     Twine(place) + ": " + describe(error));
  // Where the system forbids code that is made at run time, matching interprets.
  if (mode == Mode::Fast)
    (void)pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  return Regex(std::move(code));
}

static int countStep(pcre2_callout_block *, void *count) {
  ++*static_cast<uint64_t *>(count);
  return 0;
}

Matcher::Matcher()
    : data(pcre2_match_data_create(/*ovecsize=*/1, nullptr)),
      context(pcre2_match_context_create(nullptr)), stepCount(std::make_unique<uint64_t>(0)) {
  if (!data || !context)
    llvm::report_bad_alloc_error("a regular expression cannot be matched");
  // The work of a search grows with the text, as it should, and may pass the limits by default.
  pcre2_set_match_limit(context.get(), UINT32_MAX);
  pcre2_set_callout(context.get(), countStep, stepCount.get());
}

Expected<std::optional<Match>> Matcher::find(const Regex &regex, StringRef text, size_t from) {
  const int result = pcre2_match(regex.code.get(), asPcre2(text), text.size(), from,
                                 PCRE2_NO_UTF_CHECK, data.get(), context.get());
  if (result == PCRE2_ERROR_NOMATCH)
    return std::nullopt;
  if (result < 0)
    return makeError("a regular expression cannot be matched: " + describe(result),
                     std::errc::not_enough_memory);
  const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(data.get());
  return Match{bounds[0], bounds[1]};
}
