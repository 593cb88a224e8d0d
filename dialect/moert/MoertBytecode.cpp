// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytecode of the dialect `moert`: its version. Types and attributes are stored in their textual
// form, which the verifiers of the parser check like any other.

#include "dialect/moert/MoertDialect.h"

#include "mlir/Bytecode/BytecodeImplementation.h"

using namespace mlir;
using namespace sortie::moert;

namespace {
/// Raised with every change of the dialect that an older reader would misunderstand.
/// Version 1: the first.
constexpr uint64_t kVersion = 1;

struct MoertVersion : public DialectVersion {
  explicit MoertVersion(uint64_t number) : number(number) {}
  uint64_t number;
};

struct MoertBytecodeInterface : public BytecodeDialectInterface {
  explicit MoertBytecodeInterface(Dialect *dialect) : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const override { writer.writeVarInt(kVersion); }

  std::unique_ptr<DialectVersion> readVersion(DialectBytecodeReader &reader) const override {
    uint64_t number;
    if (failed(reader.readVarInt(number)))
      return nullptr;
    if (number == 0 || number > kVersion) {
      reader.emitError() << "the program uses version " << number
                         << " of the dialect moert, this tool knows version 1 to " << kVersion
                         << "; use a newer one, or compile the program again";
      return nullptr;
    }
    return std::make_unique<MoertVersion>(number);
  }
};
} // namespace

void MoertDialect::registerBytecode() { addInterfaces<MoertBytecodeInterface>(); }
