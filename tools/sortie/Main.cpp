// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie: the driver. It imports and compiles a model by sortie-translate and sortie-opt, unless
// that has been done before, and becomes sortie-run, as a compiler driver runs compiler and linker.
// So it holds neither the compiler, which links LLVM's shared libraries, nor the runner, which
// links its archives.

#include "tools/common/Version.h"
#include "tools/sortie/CommandLine.h"
#include "tools/sortie/CompiledProgram.h"
#include "tools/sortie/Siblings.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::driver;

namespace {

/// Prints the driver's help, then that of the word by sortie-run.
Error showHelp(const CommandLine &call, const Siblings &siblings) {
  outs() << helpText() << '\n';
  outs().flush();
  return siblings.become("sortie-run", {call.word, "--help"});
}

/// Returns only with an error.
Error runCall(const CommandLine &call, StringRef ownFile) {
  const Siblings siblings(ownFile, call.showsCommands);
  if (call.asksForHelp)
    return showHelp(call, siblings);
  std::vector<std::string> arguments = {call.word};
  if (call.needsProgram) {
    Expected<std::string> program = getCompiledProgram(call, siblings);
    if (!program)
      return program.takeError();
    arguments.insert(arguments.end(), {*program, "--weights", call.model});
  } else {
    arguments.push_back(call.model);
  }
  append_range(arguments, call.runOptions);
  return siblings.become("sortie-run", arguments);
}

} // namespace

int main(int argc, char **argv) {
  const SmallVector<StringRef> arguments(argv + 1, argv + argc);
  if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "-h") {
    (arguments.empty() ? errs() : outs()) << helpText();
    return arguments.empty() ? 1 : 0;
  }
  if (arguments.front() == "--version") {
    outs() << "sortie " << getVersion() << '\n';
    return 0;
  }
  const std::string ownFile =
      sys::fs::getMainExecutable(argv[0], reinterpret_cast<void *>(&helpText));
  Expected<CommandLine> call = parseCommandLine(arguments);
  Error error = call ? runCall(*call, ownFile) : call.takeError();
  errs() << "sortie: error: " << toString(std::move(error)) << '\n';
  return 1;
}
