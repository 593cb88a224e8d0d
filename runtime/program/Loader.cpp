// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading: seal, parser, verifiers, versions, functions.

#include "runtime/program/Loader.h"

#include "dialect/common/Enums.h"
#include "dialect/common/Fingerprint.h"
#include "dialect/common/Nesting.h"
#include "dialect/moert/MoertOps.h"
#include "dialect/moert/Seal.h"
#include "runtime/numerics/attention.h"
#include "runtime/program/ForeignFile.h"
#include "runtime/program/FunctionLowering.h"
#include "runtime/program/KernelLowering.h"
#include "runtime/support/Error.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

namespace sortie {

namespace {

/// Turns the first diagnostic of the parser or a verifier, with its notes, into one line.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext &context)
      : handler(&context, [this](mlir::Diagnostic &diagnostic) { add(diagnostic); }) {}

  /// `name` stands in front if the diagnostic has no location in a file.
  Error take(StringRef name) const {
    return makeError(name + ": not a valid program: " +
                     (message.empty() ? "it cannot be parsed" : StringRef(message)));
  }

private:
  void add(mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error || !message.empty())
      return;
    message = location(diagnostic.getLocation()) + diagnostic.str();
    for (mlir::Diagnostic &note : diagnostic.getNotes())
      message += " (" + location(note.getLocation()) + note.str() + ")";
  }

  static std::string location(mlir::Location location) {
    const auto file = location->findInstanceOf<mlir::FileLineColLoc>();
    if (!file)
      return "";
    return ("line " + Twine(file.getLine()) + ", column " + Twine(file.getColumn()) + ": ").str();
  }

  std::string message;
  mlir::ScopedDiagnosticHandler handler;
};

std::string knownAbis() {
  return ("this runtime runs versions " + Twine(moert::MoertDialect::kOldestProgramAbi) + " to " +
          Twine(moert::MoertDialect::kProgramAbi))
      .str();
}

/// Whether this runtime has the device of a function.
Error checkPlace(const Program &program, moert::FuncOp func) {
  const std::string where = program.name + ": function '" + func.getSymName().str() + "'";
  const StringRef target = func.getTargetOrProgram();
  if (target != kCpuTarget && target != kCudaTarget)
    return makeError(where + " is for target '" + target + "', this runtime has '" + kCpuTarget +
                     "' and '" + kCudaTarget + "'; compile it for one of them");
  if (target == kCpuTarget && func.getDevice() != 0)
    return makeError(where + " is for device " + Twine(func.getDevice()) + " of target '" + target +
                     "', of which there is device 0 alone");
  if (func.getDevice() > kLargestDevice)
    return makeError(where + " is for device " + Twine(func.getDevice()) + " of target '" + target +
                     "', numbers are at most " + Twine(kLargestDevice));
  return Error::success();
}

/// Fills `program` from a verified module.
class ModuleLowering {
public:
  ModuleLowering(mlir::ModuleOp module, Program &program) : module(module), program(program) {}

  Error lower() {
    if (Error failure = lowerAttributes())
      return failure;
    if (Error failure = lowerKernels())
      return failure;
    lowerSymbolsAndWeights();
    if (Error failure = lowerPartitions())
      return failure;
    lowerStates();
    for (const moert::FuncOp func : module.getOps<moert::FuncOp>()) {
      const uint32_t partition = names.partitions[program.functions.size()];
      Expected<Function> function = FunctionLowering(program, names, func, partition).lower();
      if (!function)
        return function.takeError();
      program.functions.push_back(std::move(*function));
    }
    return Error::success();
  }

private:
  Error error(const Twine &message) const { return makeError(program.name + ": " + message); }
  Error lowerAttributes();
  void lowerModelAttributes();
  Error lowerKernels();
  void lowerSymbolsAndWeights();
  uint32_t partitionOf(moert::FuncOp func);
  Error lowerPartitions();
  void lowerStates();

  mlir::ModuleOp module;
  Program &program;
  ModuleNames names;
};

Error ModuleLowering::lowerAttributes() {
  const auto attribute =
      module->getAttrOfType<moert::ProgramAttr>(moert::MoertDialect::kProgramName);
  if (!attribute)
    return error("is not a compiled program: the module has no attribute 'moert.program'; compile "
                 "it with sortie-opt --sortie-compile");
  program.abi = attribute.getAbi();
  program.numerics = attribute.getNumerics();
  program.target = attribute.getTarget().str();
  program.contract = stringifyDeterminism(attribute.getContract());
  program.producer = attribute.getProducer().str();
  if (program.abi < moert::MoertDialect::kOldestProgramAbi)
    return error("has ABI version " + Twine(program.abi) + ", " + knownAbis() +
                 "; compile it with the sortie-opt of this version");
  if (program.abi > moert::MoertDialect::kProgramAbi)
    return error("has ABI version " + Twine(program.abi) + ", " + knownAbis() +
                 "; use a newer runtime, or compile it with the sortie-opt of this version");
  if (program.numerics < numerics::kContractVersion ||
      program.numerics > numerics::kWholeModelContractVersion)
    return error("keeps version " + Twine(program.numerics) +
                 " of the numerics contract, this runtime computes by versions " +
                 Twine(numerics::kContractVersion) + " to " +
                 Twine(numerics::kWholeModelContractVersion) +
                 "; compile it with the sortie-opt of this version");
  if (program.target != kCpuTarget && program.target != kCudaTarget)
    return error("is compiled for target '" + program.target + "', this runtime has '" +
                 kCpuTarget + "' and '" + kCudaTarget + "'; compile it for one of them");
  for (const mlir::StringAttr feature : attribute.getFeatures())
    if (feature.getValue() != moert::MoertDialect::kCublasFeature)
      return error("needs the feature " + Twine(feature.getValue()) +
                   ", which this runtime does not have; use a newer one");

  lowerModelAttributes();
  return Error::success();
}

/// What identifies the model, and how the program departs from it; the verifier has checked the
/// form.
void ModuleLowering::lowerModelAttributes() {
  if (const auto hashes =
          module->getAttrOfType<mlir::DictionaryAttr>(moert::MoertDialect::kWeightHashesName))
    for (const mlir::NamedAttribute hash : hashes)
      program.hashes[hash.getName().str()] =
          parseHash(cast<mlir::StringAttr>(hash.getValue()).getValue());
  if (const mlir::Attribute options = module->getAttr(moert::MoertDialect::kImportOptionsName))
    llvm::raw_string_ostream(program.importOptions) << options;
  const auto text =
      module->getAttrOfType<mlir::StringAttr>(moert::MoertDialect::kWeightsFingerprintName);
  if (!text)
    return;
  program.fingerprint.emplace().value = parseFingerprint(text)->value;
  if (const auto keys =
          module->getAttrOfType<mlir::ArrayAttr>(moert::MoertDialect::kFingerprintKeysName)) {
    program.fingerprint->keys.emplace();
    for (const auto key : keys.getAsRange<mlir::StringAttr>())
      program.fingerprint->keys->push_back(key.str());
  }
}

Error ModuleLowering::lowerKernels() {
  for (const moert::KernelOp op : module.getOps<moert::KernelOp>()) {
    Expected<Kernel> kernel = lowerKernel(program.name, op);
    if (!kernel)
      return kernel.takeError();
    names.kernels[kernel->name] = program.kernels.size();
    program.kernels.push_back(std::move(*kernel));
  }
  return Error::success();
}

void ModuleLowering::lowerSymbolsAndWeights() {
  for (moert::SymbolOp op : module.getOps<moert::SymbolOp>()) {
    names.symbols[op.getSymName()] = program.symbols.size();
    program.symbols.push_back({op.getSymName().str(), static_cast<int64_t>(op.getMax())});
  }
  for (moert::WeightOp op : module.getOps<moert::WeightOp>()) {
    names.weights[op.getSymName()] = program.weights.size();
    WeightSpec spec;
    const WeightTensors tensors = op.getTensors();
    for (const mlir::StringAttr name : tensors.names)
      spec.tensors.push_back(name.str());
    spec.rowPart = tensors.rows;
    spec.columnPart = tensors.columns;
    spec.layout = tensors.layout;
    spec.encoding = op.getEncodingInfo().encoding;
    spec.shape.assign(op.getShape().begin(), op.getShape().end());
    const auto lowerPack = [&](moert::PackAttr pack) {
      return WeightPack{names.kernels.lookup(pack.getKernel().getValue()), pack.getRows(),
                        static_cast<uint64_t>(pack.getBytes())};
    };
    if (const moert::PackAttr pack = op.getPackAttr())
      spec.pack = lowerPack(pack);
    if (op.getPacks())
      for (const auto variant : op.getPacks()->getAsRange<moert::PackVariantAttr>())
        spec.packVariants.push_back({variant.getArch().str(), lowerPack(variant.getPack())});
    program.weights.push_back(std::move(spec));
  }
}

/// The partition of a function: that of its place, which is a new one if no function before has it.
uint32_t ModuleLowering::partitionOf(moert::FuncOp func) {
  const StringRef target = func.getTargetOrProgram();
  const auto device = static_cast<uint32_t>(func.getDevice());
  auto found = find_if(program.partitions, [&](const Partition &partition) {
    return partition.target == target && partition.device == device;
  });
  const auto index = static_cast<uint32_t>(found - program.partitions.begin());
  if (found == program.partitions.end())
    program.partitions.push_back({target.str(), device});
  return index;
}

/// Also notes where states are: on the device of the functions that use them.
Error ModuleLowering::lowerPartitions() {
  for (moert::FuncOp func : module.getOps<moert::FuncOp>()) {
    if (Error failure = checkPlace(program, func))
      return failure;
    const uint32_t partition = partitionOf(func);
    names.partitions.push_back(partition);
    for (moert::StateBufferOp buffer : func.getBody().getOps<moert::StateBufferOp>())
      names.partitionOfState[buffer.getState()] = partition;
  }
  if (program.partitions.empty())
    return error("has no functions, so there is nothing to run; compile a model again");
  return Error::success();
}

void ModuleLowering::lowerStates() {
  const auto affine = [this](moert::ExtentAttr extent) -> Affine {
    if (extent.isConstant())
      return {0, extent.getConstant()};
    const uint32_t symbol = names.symbols.lookup(extent.getSymbol());
    program.symbols[symbol].isOfSession = true;
    return {extent.getScale(), extent.getConstant(), symbol};
  };
  for (moert::StateOp op : module.getOps<moert::StateOp>()) {
    const moert::BufferType type = op.getBufferType();
    State state{op.getSymName().str(),
                names.partitionOfState.lookup(op.getSymName()),
                elementType(type.getKind()),
                {},
                affine(type.getByteSize())};
    for (const moert::ExtentAttr extent : type.getShape())
      state.shape.push_back(affine(extent));
    names.states[op.getSymName()] = program.states.size();
    program.states.push_back(std::move(state));
  }
}

} // namespace

/// Checks all that can be said of a file before it is parsed.
static Error checkFile(StringRef bytes) {
  // Of a damaged file nothing else is worth saying. Graphs may have no seal.
  if (moert::hasSeal(bytes))
    if (Error failure = moert::checkSeal(bytes))
      return failure;
  if (const StringRef kind = describeForeignFile(bytes); !kind.empty())
    return makeError("is not a compiled program: it " + kind);
  if (moert::isBytecode(bytes))
    return moert::checkSeal(bytes);
  if (Error failure = checkNesting(bytes))
    return makeError("not a valid program: " + toString(std::move(failure)));
  return Error::success();
}

Expected<std::shared_ptr<const Program>> loadProgram(MemoryBufferRef buffer) {
  const StringRef name = buffer.getBufferIdentifier();
  if (Error failure = checkFile(buffer.getBuffer()))
    return makeError(name + ": " + toString(std::move(failure)));

  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  context.loadDialect<moert::MoertDialect>();
  const DiagnosticCollector diagnostics(context);
  const auto sources = std::make_shared<SourceMgr>();
  // The parser of text needs a zero at the end; bytecode, which may be large, is read in place.
  sources->AddNewSourceBuffer(moert::isBytecode(buffer.getBuffer())
                                  ? MemoryBuffer::getMemBuffer(buffer, false)
                                  : MemoryBuffer::getMemBufferCopy(buffer.getBuffer(), name),
                              SMLoc());
  const mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceFile<mlir::ModuleOp>(sources, mlir::ParserConfig(&context));
  if (!module)
    return diagnostics.take(name);

  auto program = std::make_shared<Program>();
  program->name = name.str();
  if (Error failure = ModuleLowering(*module, *program).lower())
    return failure;
  return program;
}

Expected<std::shared_ptr<const Program>> loadProgramFile(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return createStringError(buffer.getError(),
                             path + ": cannot read the program: " + buffer.getError().message());
  return loadProgram((*buffer)->getMemBufferRef());
}

} // namespace sortie
