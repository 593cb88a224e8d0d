// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytecode of the dialect `moert`: its version, and images, whose data is a resource of the file.
// Other types and attributes are stored in their textual form, which the verifiers of the parser
// check like any other. What ops have of them is in MoertProperties.cpp where it has changed.

#include "dialect/moert/MoertBytecode.h"
#include "dialect/moert/MoertAttributes.h"
#include "dialect/moert/MoertDialect.h"

#include "mlir/Bytecode/BytecodeImplementation.h"

using namespace mlir;
using namespace sortie::moert;

namespace {
/// Stands before an attribute that is not stored as text.
enum class AttributeCode : uint64_t { Image = 0, ImageWithConfig = 1 };

struct MoertVersion : public DialectVersion {
  explicit MoertVersion(uint64_t number) : number(number) {}
  uint64_t number;
};

struct MoertBytecodeInterface : public BytecodeDialectInterface {
  explicit MoertBytecodeInterface(Dialect *dialect) : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const override {
    writer.writeVarInt(kBytecodeVersion);
  }

  std::unique_ptr<DialectVersion> readVersion(DialectBytecodeReader &reader) const override {
    uint64_t number;
    if (failed(reader.readVarInt(number)))
      return nullptr;
    if (number == 0 || number > kBytecodeVersion) {
      reader.emitError() << "the program uses version " << number
                         << " of the dialect moert, this tool knows version 1 to "
                         << kBytecodeVersion << "; use a newer one, or compile the program again";
      return nullptr;
    }
    return std::make_unique<MoertVersion>(number);
  }

  LogicalResult writeAttribute(Attribute attribute, DialectBytecodeWriter &writer) const override {
    const auto image = dyn_cast<ImageAttr>(attribute);
    if (!image)
      return failure(); // as text
    const AttributeCode code =
        image.getConfig() ? AttributeCode::ImageWithConfig : AttributeCode::Image;
    writer.writeVarInt(static_cast<uint64_t>(code));
    if (image.getConfig())
      writer.writeAttribute(image.getConfig());
    writer.writeOwnedString(image.getArch());
    writer.writeVarInt(static_cast<uint64_t>(image.getShared()));
    writer.writeOwnedString(image.getHash());
    writer.writeAttribute(image.getData());
    return success();
  }

  Attribute readAttribute(DialectBytecodeReader &reader) const override {
    uint64_t code, shared;
    StringRef arch, hash;
    ConfigAttr config;
    DenseResourceElementsAttr data;
    if (failed(reader.readVarInt(code)))
      return {};
    if (code > static_cast<uint64_t>(AttributeCode::ImageWithConfig)) {
      reader.emitError() << "unknown attribute " << code << " of the dialect moert";
      return {};
    }
    if (code == static_cast<uint64_t>(AttributeCode::ImageWithConfig) &&
        failed(reader.readAttribute(config)))
      return {};
    if (failed(reader.readString(arch)) || failed(reader.readVarInt(shared)) ||
        failed(reader.readString(hash)) || failed(reader.readAttribute(data)))
      return {};
    return ImageAttr::getChecked([&] { return reader.emitError(); }, getContext(), arch,
                                 static_cast<int64_t>(shared), config, hash, data);
  }
};
} // namespace

uint64_t sortie::moert::getVersion(const DialectBytecodeReader &reader) {
  const FailureOr<const DialectVersion *> version = reader.getDialectVersion<MoertDialect>();
  // Every file of the dialect states its version; one that does not is read as the newest.
  return failed(version) ? kBytecodeVersion : static_cast<const MoertVersion *>(*version)->number;
}

void MoertDialect::registerBytecode() { addInterfaces<MoertBytecodeInterface>(); }
