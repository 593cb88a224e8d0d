// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie/CommandLine.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sortie::driver {

namespace {

constexpr StringLiteral kHelp =
    R"(OVERVIEW: Sortie, from a model's file to text: imports and compiles the model, and runs it.

USAGE: sortie <word> <model.gguf> [options]

  sortie generate   model.gguf --prompt "In the beginning" -n 64
  sortie perplexity model.gguf --file text.txt
  sortie bench      model.gguf -p 512 -n 64 --device cuda:0
  sortie logits     model.gguf --tokens ids.npy --output logits.npy
  sortie tokenize   model.gguf --prompt "Hello"

The words are those of sortie-run, with its options (sortie <word> --help). It runs sortie-translate,
sortie-opt and sortie-run, which lie beside it. Compiled programs are kept in $SORTIE_CACHE_DIR, by
default in ~/.cache/sortie, and used again for the same model with the same options.

OPTIONS OF COMPILATION:

  --activations=<int16|int8>   - Width of quantized activations; default: int16
  --kv=<int16|int8>            - Width of the rows of attention caches; default: int16
  --context=<number>           - Positions of the longest sequence; the word gets it, too, if it has
                                 such an option. Default: what the model's file says
  --max-tokens=<number>        - The most tokens that a run may have; default: 8192
  --chip=<name,...>            - The GPUs to compile for, with --device cuda: such as sm_90a for an
                                 H100; default: sm_80,sm_90a. All others take PTX
  --contract, --gating, --experts-used, --ignore-keys, --ignore-tensors
                               - See sortie-translate --help

OPTIONS:

  --device=<name>              - cpu (default), cuda, or cuda:N for GPU number N: the program is
                                 compiled for it, and the word runs there
  -v                           - Print the commands that are run
  --keep-temps                 - Write <model>.mlir, the graph, and <model>.mlirbc, the program, into
                                 the current folder, and run that program; uses no cache
  --help, --version
)";

struct Word {
  StringLiteral name;
  bool needsProgram;
  bool hasContext;
};

constexpr Word kWords[] = {{"generate", true, true},
                           {"perplexity", true, true},
                           {"bench", true, false},
                           {"logits", true, true},
                           {"tokenize", false, false}};

/// Options of words that take no value; all others take one, after '=' or as the next argument.
constexpr StringLiteral kFlags[] = {"chat",           "eager",
                                    "ignore-eos",     "last",
                                    "no-add-special", "no-parse-special",
                                    "show-special",   "help-hidden",
                                    "help-list",      "help-list-hidden",
                                    "verbose"};

/// Options of words that name files.
constexpr StringLiteral kReadFiles[] = {"file", "prompt-file", "prompts", "tokens"};
constexpr StringLiteral kWrittenFiles[] = {"output", "prompt-cache"};

constexpr StringLiteral kImportOptions[] = {"context",      "contract",    "gating",
                                            "experts-used", "ignore-keys", "ignore-tensors"};
constexpr StringLiteral kCompileOptions[] = {"activations", "kv", "max-tokens", "chip"};

std::string listWords() {
  return join(map_range(kWords, [](const Word &word) { return word.name.str(); }), ", ");
}

Expected<const Word *> findWord(StringRef name) {
  const Word *word = find_if(kWords, [&](const Word &candidate) { return candidate.name == name; });
  if (word != std::end(kWords))
    return word;
  return makeError("'" + name + "' is none of the words " + listWords() +
                   "; give one of them, then the model's file; see sortie --help");
}

/// Reads arguments from left to right.
class Parser {
public:
  Parser(const Word &word, ArrayRef<StringRef> arguments) : word(word), rest(arguments) {
    result.word = word.name;
    result.needsProgram = word.needsProgram;
  }

  Expected<CommandLine> parse() {
    while (!rest.empty())
      if (Error error = parseArgument(take()))
        return error;
    if (result.model.empty() && !result.asksForHelp)
      return makeError(word.name + ": give the model's file, as in sortie " + word.name +
                       " model.gguf; see sortie " + word.name + " --help");
    return std::move(result);
  }

private:
  StringRef take() {
    const StringRef argument = rest.front();
    rest = rest.drop_front();
    return argument;
  }

  Error parseArgument(StringRef argument) {
    if (argument == "-" || !argument.starts_with("-"))
      return takeModel(argument);
    const auto [name, text] = argument.ltrim('-').split('=');
    const auto value = argument.contains('=') ? std::optional(text) : std::nullopt;
    if (name == "help" || name == "h")
      result.asksForHelp = true;
    else if (name == "v")
      result.showsCommands = true;
    else if (name == "keep-temps")
      result.keepsFiles = true;
    else if (is_contained(kImportOptions, name) || is_contained(kCompileOptions, name))
      return takeOwnOption(argument, name, value);
    else if (name == "device" && word.needsProgram)
      return takeDevice(argument, value);
    else
      return passOption(argument, name, value);
    return Error::success();
  }

  Error takeModel(StringRef argument) {
    if (!result.model.empty())
      return makeError("'" + argument + "' is a second file beside the model '" + result.model +
                       "'; give one, and quote text and names with spaces");
    if (argument == "-")
      return makeError("a model is mapped into memory and cannot be read from the standard input; "
                       "give the name of its file");
    result.model = argument;
    return Error::success();
  }

  /// What `argument` has behind its '=', or else the next argument.
  Expected<StringRef> valueOf(StringRef argument, std::optional<StringRef> value) {
    if (value)
      return *value;
    if (rest.empty())
      return makeError(argument + ": give a value, as in " + argument + "=...");
    return take();
  }

  Error takeOwnOption(StringRef argument, StringRef name, std::optional<StringRef> given) {
    if (!word.needsProgram)
      return makeError(word.name + " compiles nothing; leave " + argument + " out");
    Expected<StringRef> value = valueOf(argument, given);
    if (!value)
      return value.takeError();
    if (is_contained(kCompileOptions, name))
      return addCompileOption(name, *value);
    result.importOptions.push_back(("--" + name + "=" + *value).str());
    if (name == "context" && word.hasContext)
      result.runOptions.push_back(result.importOptions.back());
    return Error::success();
  }

  /// The word gets it, too. Checked here, because a model would be compiled before it does.
  Error takeDevice(StringRef argument, std::optional<StringRef> given) {
    Expected<StringRef> value = valueOf(argument, given);
    if (!value)
      return value.takeError();
    const auto [kind, number] = value->split(':');
    const bool hasNumber = value->contains(':');
    if (hasNumber ? kind != "cuda" || number.empty() || !all_of(number, isDigit)
                  : kind != "cuda" && kind != "cpu")
      return makeError("--device: '" + *value +
                       "' is no device; give cpu, cuda, or cuda:N for GPU "
                       "number N");
    result.isForCuda = kind == "cuda";
    result.runOptions.push_back(("--device=" + *value).str());
    return Error::success();
  }

  /// A value is words with commas between them: options of --sortie-compile stand in one argument,
  /// with spaces between them.
  Error addCompileOption(StringRef name, StringRef value) {
    const auto isOfWord = [](char c) { return isAlnum(c) || StringRef("-_,").contains(c); };
    if (value.empty() || !all_of(value, isOfWord))
      return makeError("--" + name + ": '" + value + "' is none of its values; see sortie --help");
    result.compileOptions.push_back((name + "=" + value).str());
    return Error::success();
  }

  Error passOption(StringRef argument, StringRef name, std::optional<StringRef> value) {
    if (name == "weights")
      return makeError("--weights: the weights are those of the model's file; leave it out, or "
                       "compile the model by itself and use sortie-run");
    result.runOptions.push_back(argument.str());
    if (!value && !is_contained(kFlags, name) && !rest.empty()) {
      value = take();
      result.runOptions.push_back(value->str());
    }
    const bool isWritten = is_contained(kWrittenFiles, name);
    if (value && (isWritten || is_contained(kReadFiles, name)))
      result.wordFiles.push_back({("--" + name).str(), value->str(), isWritten});
    return Error::success();
  }

  const Word &word;
  ArrayRef<StringRef> rest;
  CommandLine result;
};

} // namespace

Expected<CommandLine> parseCommandLine(ArrayRef<StringRef> arguments) {
  Expected<const Word *> word = findWord(arguments.front());
  if (!word)
    return word.takeError();
  return Parser(**word, arguments.drop_front()).parse();
}

StringRef helpText() { return kHelp; }

} // namespace sortie::driver
