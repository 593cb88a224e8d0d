// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A loaded program: plain structs, checked once, then read by any number of sessions and threads.
// Nothing here knows MLIR.

#ifndef SORTIE_RUNTIME_PROGRAM_PROGRAM_H
#define SORTIE_RUNTIME_PROGRAM_PROGRAM_H

#include "runtime/modelfile/ModelFile.h"
#include "runtime/numerics/layout.h"
#include "runtime/support/Parameter.h"
#include "runtime/weights/TensorHash.h"
#include "runtime/weights/WeightSpec.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sortie {

/// The targets of programs that this runtime runs.
inline constexpr llvm::StringLiteral kCpuTarget = "cpu";
inline constexpr llvm::StringLiteral kCudaTarget = "cuda";
/// The largest number of a device that a program may ask for.
inline constexpr uint32_t kLargestDevice = 1023;

/// The values of a function's symbols, in the order of Function::symbols.
using SymbolValues = llvm::SmallVector<int64_t, 2>;

/// scale * symbol + constant.
struct Affine {
  int64_t scale = 0;
  int64_t constant = 0;
  uint32_t symbol = 0; ///< index into Function::symbols; where `scale` is 0, it means nothing

  int64_t at(llvm::ArrayRef<int64_t> values) const {
    return scale == 0 ? constant : scale * values[symbol] + constant;
  }
  bool operator==(const Affine &other) const = default;
};

enum class ElementType : uint8_t { F32, I32, Act16, Act8, BF16, F16 };

/// "f32", "i32", "act16", "act8", "bf16", "f16".
const char *elementTypeName(ElementType type);

/// How rows of this type (not I32, BF16 or F16) are read by products.
inline numerics::RowKind rowKind(ElementType type) {
  switch (type) {
  case ElementType::Act16:
    return numerics::RowKind::Int16;
  case ElementType::Act8:
    return numerics::RowKind::Int8;
  default:
    return numerics::RowKind::F32;
  }
}

/// A bounded number that is known when a function runs.
struct Symbol {
  std::string name;
  int64_t max;
  /// States depend on it: it has one value as long as a session lives.
  bool isOfSession = false;
};

/// Index into Function::buffers, or kNoBuffer.
using BufferId = uint32_t;
inline constexpr BufferId kNoBuffer = UINT32_MAX;
/// Index into Program::weights, or kNoWeight.
using WeightId = uint32_t;
inline constexpr WeightId kNoWeight = UINT32_MAX;

/// The functions of a program that run on one device.
struct Partition {
  std::string target;  ///< kCpuTarget or kCudaTarget
  uint32_t device = 0; ///< number of those of the target that the program uses

  bool isCuda() const { return target == kCudaTarget; }
};

/// Memory of a session that stays between runs. Zeros at first. Symbols of its extents are indices
/// into Program::symbols.
struct State {
  std::string name;
  uint32_t partition = 0; ///< index into Program::partitions
  ElementType type;
  llvm::SmallVector<Affine, 4> shape;
  Affine bytes;
};

/// A dense row-major array: an argument of the function, a slice of its arena, or a state.
struct Buffer {
  enum class Place : uint8_t { Input, Output, Arena, State };

  Place place;
  uint32_t argument; ///< number of the input, the output or the state
  Affine offset;     ///< in its region of the arena, a multiple of 64
  ElementType type;
  llvm::SmallVector<Affine, 4> shape;
  Affine bytes;
  uint32_t region = 0; ///< of Function::arena
  /// An argument that stays in host memory though the function runs on a GPU. Copies use it alone.
  bool isOnHost = false;
};

//===- Kernels of a program for CUDA -------------------------------------===//

/// The form in which a kernel reads a weight.
enum class WeightForm : uint8_t {
  Packed, ///< what the weight's pack kernel wrote
  Raw,    ///< the bytes of the file, row-major
  Floats, ///< fp32
};

/// A kernel compiled for one chip.
struct KernelImage {
  std::string arch;          ///< "sm_90", "sm_90a" (cubins) or "compute_90" (PTX)
  uint32_t shared;           ///< bytes of dynamic shared memory of a thread block, at most 232448
  std::string hash;          ///< of the data: equal for the same code
  std::vector<uint8_t> data; ///< PTX ends with a zero
  uint32_t threads = 0;      ///< of a thread block; 0: as the kernel says
  std::array<uint32_t, 3> cluster = {1, 1, 1}; ///< thread blocks that run together
};

/// Its parameters are pointers to the buffers read, those written and the weights, then an int32
/// for each extent: at most 64. Then follow, as the last two of every kernel, where it writes the
/// number of its step (uint32_t *, may be null) and that number (uint32_t).
struct Kernel {
  std::string name;
  std::string entry; ///< the name in the images
  uint32_t reads;
  uint32_t writes;
  uint32_t extents;
  /// Of a thread block of one dimension, where an image has no others: a multiple of 32, at most
  /// 1024.
  uint32_t threads;
  llvm::SmallVector<WeightForm> weights;
  std::vector<KernelImage> images; ///< one or more, for different chips

  /// Of a thread block, where it runs this image.
  uint32_t threadsOf(const KernelImage &image) const {
    return image.threads != 0 ? image.threads : threads;
  }
};

/// Thread blocks along one dimension: extent / divisor, rounded up or down, at most max. At the
/// bound of the symbol a grid keeps the limits of CUDA.
struct GridDim {
  Affine extent;
  int64_t divisor = 1;
  bool roundsDown = false;
  std::optional<Affine> max;

  int64_t at(llvm::ArrayRef<int64_t> symbols) const {
    const int64_t value = extent.at(symbols);
    const int64_t blocks = value / divisor + (!roundsDown && value % divisor != 0 ? 1 : 0);
    return max ? std::min(blocks, max->at(symbols)) : blocks;
  }
};

//===- Steps -------------------------------------------------------------===//

/// Computes something: a function of the CPU, by its number in runtime/cpu/Operations.h.
struct Compute {
  uint32_t operation;
};

/// Copies its read buffer to its written one. One of them may be on the host.
struct Copy {};

/// Names a value for the audit: the read buffer, unless the value was fused away. With a second
/// one, row i of the canonical value is row order[i] of the first. In a program for CUDA a kernel
/// wrote the order: who reads it checks its values.
struct Checkpoint {
  std::string name;
};

using Grid = llvm::SmallVector<GridDim, 3>;

/// The grid of a launch where the kernel's image is for this architecture.
struct GridVariant {
  std::string arch;
  Grid grid;
};

/// Starts a kernel, unless a dimension of the grid is zero.
struct KernelLaunch {
  uint32_t kernel; ///< index into Program::kernels
  Grid grid;
  llvm::SmallVector<Affine> extents; ///< at the bound of the symbol they fit into an int32
  /// For reports: multiplications and additions for each row of output.
  uint64_t operationsPerRow;
  /// It may begin before the launch directly before it has ended.
  bool overlaps = false;
  std::vector<GridVariant> variants = {}; // NOLINT(readability-redundant-member-init)
};

/// Writes the product of its read rows (bf16) and the transpose of its weight, by cuBLAS. Rows at
/// the bound of the symbol fit into an int32.
struct CublasMatmul {
  WeightForm form; ///< in which the weight is bf16, row-major: Raw or Packed
};

/// Reads i32 [2]: the first slot whose expert id was out of range, or -1, and that id.
struct CheckIds {
  int64_t experts;
  int64_t slots; ///< a token
};

/// Reads i32 [2]: the first position whose number is no row of a table, or -1, and that number.
struct CheckRows {
  int64_t rows;    ///< of the table
  uint32_t origin; ///< the step whose numbers they are
};

/// Reads a numerics::IndexStatus.
struct CheckPlaces {
  uint32_t origin; ///< the step whose numbers it tells of
};

/// An operation of a function: what it does, and with what. Operands have fixed places, in the
/// order that the operation's definition in the dialect `moert` gives: one that is absent is
/// kNoBuffer or kNoWeight.
struct Step {
  using Action = std::variant<Compute, Copy, Checkpoint, KernelLaunch, CublasMatmul, CheckIds,
                              CheckRows, CheckPlaces>;

  /// Name of the operation: "moert.matmul". For a launch, that of the one it belongs to.
  std::string operation;
  Action action;
  // NOLINTBEGIN(readability-redundant-member-init): else aggregates that end early draw a warning
  llvm::SmallVector<BufferId, 4> reads = {};
  llvm::SmallVector<BufferId, 3> writes = {};
  /// Weights that are matrices of products come first.
  llvm::SmallVector<WeightId, 4> weights = {};
  uint32_t matrices = 0; ///< of `weights`; a launch has none, its kernel says how it reads them
  llvm::SmallVector<Parameter, 4> parameters = {};
  /// Those that are too many for parameters.
  std::vector<int64_t> numbers = {};
  /// The first row of each expert, i32 [E + 1], where the step works on rows grouped by expert. In
  /// a launch no one has checked the values.
  BufferId offsets = kNoBuffer;
  /// The tensors that it reads, for people: "blk.0.ffn_gate_exps.weight, ...".
  std::string label = {};
  // NOLINTEND(readability-redundant-member-init)
};

struct Argument {
  std::string name;
  BufferId buffer;
};

struct Function {
  std::string name;
  uint32_t partition = 0; ///< index into Program::partitions
  /// Those that its extents depend on, as indices into Program::symbols; none if every shape is
  /// constant.
  std::vector<uint32_t> symbols;
  std::vector<Argument> inputs;
  std::vector<Argument> outputs;
  std::vector<Buffer> buffers;
  /// Bytes of the regions of its arena, which lie one behind the other. Several are multiples
  /// of 64.
  std::vector<Affine> arena;
  std::vector<Step> steps;
  /// The weights that its steps read.
  llvm::BitVector weights;
  /// Whether a step is cuBLAS's.
  bool usesCublas = false;
};

struct Program {
  /// What messages call the program: its path.
  std::string name;
  int64_t abi;
  int64_t numerics;
  std::string target; ///< of functions that state none
  std::string contract;
  std::string producer;
  std::optional<ModelFingerprint> fingerprint;
  /// What tensors of the model hash to, by name; empty: the compiler was not told to record it.
  std::map<std::string, TensorHash, std::less<>> hashes;
  /// Where the program is not what the model file says, as text; empty if it is.
  std::string importOptions;
  std::vector<Symbol> symbols;
  std::vector<Kernel> kernels;
  std::vector<WeightSpec> weights;
  std::vector<State> states;
  std::vector<Partition> partitions; ///< each has a function
  std::vector<Function> functions;

  const Partition &partitionOf(const Function &function) const {
    return partitions[function.partition];
  }

  /// Bytes of the arena of a function when the program's symbols are at most `limits`.
  uint64_t arenaBytes(const Function &function, llvm::ArrayRef<int64_t> limits) const {
    const SymbolValues bounds = symbolsOf(function, limits);
    uint64_t bytes = 0;
    for (const Affine &region : function.arena)
      bytes += static_cast<uint64_t>(region.at(bounds));
    return bytes;
  }
  /// Of numbers for all symbols of the program those of the function's.
  static SymbolValues symbolsOf(const Function &function, llvm::ArrayRef<int64_t> numbers) {
    SymbolValues own;
    for (const uint32_t symbol : function.symbols)
      own.push_back(numbers[symbol]);
    return own;
  }
};

} // namespace sortie

#endif // SORTIE_RUNTIME_PROGRAM_PROGRAM_H
