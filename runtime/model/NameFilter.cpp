// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Regular expressions for names.

#include "runtime/model/NameFilter.h"

#include "runtime/support/Error.h"

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

Expected<NameFilter> NameFilter::parse(StringRef option,
                                       const std::optional<std::string> &pattern) {
  NameFilter filter(option);
  if (!pattern)
    return filter;
  if (pattern->empty())
    return sortie::makeError(option + ": the regular expression is empty and matches no name; "
                                      "leave the option out to leave nothing out");
  filter.pattern = *pattern;
  filter.regex = std::make_unique<llvm::Regex>("^(" + *pattern + ")$");
  std::string problem;
  if (!filter.regex->isValid(problem))
    return sortie::makeError(option + ": '" + *pattern + "' is no regular expression: " + problem);
  return filter;
}

Error NameFilter::checkUsed() const {
  if (!regex || !names.empty())
    return Error::success();
  return sortie::makeError(option + ": '" + pattern +
                           "' matches nothing that the import reads or refuses; the expression "
                           "has to match a whole name");
}
