// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/selection/JoinPlan.h"

#include "passes/selection/LaunchBuilder.h"
#include "passes/selection/Selector.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace sortie::selection {

using Kind = JoinedOps::Kind;

namespace {

/// An operation that may share a launch.
struct Candidate {
  Operation *op;
  Sharing sharing;
  Value input;            ///< of a product
  moert::ExtentAttr rows; ///< of what is not a product
  IntegerAttr heads;      ///< of what takes heads
};

/// An open set of operations.
struct Group {
  JoinedOps ops;
  Value input;
  moert::ExtentAttr rows;
};

class Planner {
public:
  explicit Planner(Block &block) : block(block) {}
  SmallVector<JoinedOps> run();

private:
  /// Puts the candidate into one of the last groups, if it can.
  bool join(const Candidate &candidate);
  bool join(const Candidate &candidate, Group &group);

  Block &block;
  SmallVector<Group> groups;
};

} // namespace

/// Operations look no further back for company: what is far away lives longer if it is computed
/// early.
static constexpr int kFarthestGroup = 4;
static constexpr int kFarthestOp = 32;

/// Whether a product is one launch, of a grid without tiles of experts.
static bool canShare(moert::MatmulOp product) {
  return product.getArithmetic() == Arithmetic::Exact && !product.getOffsets() &&
         !product.getPermutation();
}

static std::optional<Candidate> describe(Operation *op) {
  const Selector *selector = findSelector(op->getName().getStringRef());
  if (!selector || selector->sharing == Sharing::None)
    return std::nullopt;
  if (auto product = dyn_cast<moert::MatmulOp>(op)) {
    if (!canShare(product))
      return std::nullopt;
    return Candidate{op, selector->sharing, product.getInput(), {}, {}};
  }
  return Candidate{op,
                   selector->sharing,
                   {},
                   rowsOf(moert::getWrittenBuffers(op).front()),
                   op->getAttrOfType<IntegerAttr>("heads")};
}

static Kind kindOf(Sharing sharing) {
  switch (sharing) {
  case Sharing::Products:
    return Kind::Products;
  case Sharing::Heads:
    return Kind::Heads;
  default:
    return Kind::Rows;
  }
}

static bool isState(Value buffer) {
  return isa_and_nonnull<moert::StateBufferOp>(buffer.getDefiningOp());
}

static bool share(ArrayRef<Value> left, ArrayRef<Value> right) {
  return llvm::any_of(left, [&](Value value) { return llvm::is_contained(right, value); });
}

/// Whether `op` computes the same directly behind `place`, which stands in front of it.
static bool canMoveBehind(Operation *op, Operation *place) {
  const SmallVector<Value> reads = moert::getReadBuffers(op);
  const SmallVector<Value> writes = moert::getWrittenBuffers(op);
  int distance = 0;
  for (Operation *between = place->getNextNode(); between != op; between = between->getNextNode()) {
    const SmallVector<Value> written = moert::getWrittenBuffers(between);
    if (++distance > kFarthestOp || share(written, reads) || share(written, writes) ||
        share(moert::getReadBuffers(between), writes))
      return false;
  }
  return true;
}

/// Moves what makes the operands of `op` in front of `place`: buffers and states, which take none.
static void moveBuffers(Operation *op, Operation *place) {
  for (Value operand : op->getOperands())
    if (Operation *made = operand.getDefiningOp(); made && place->isBeforeInBlock(made))
      made->moveBefore(place);
}

/// The parts of which `candidate` reads what they write.
static llvm::SmallSetVector<unsigned, 4> partsRead(const Candidate &candidate,
                                                   const JoinedOps &ops) {
  llvm::SmallSetVector<unsigned, 4> parts;
  const SmallVector<Value> reads = moert::getReadBuffers(candidate.op);
  for (auto [number, part] : llvm::enumerate(ops.parts))
    for (Operation *op : part)
      if (share(moert::getWrittenBuffers(op), reads))
        parts.insert(number);
  return parts;
}

bool Planner::join(const Candidate &candidate, Group &group) {
  const Kind kind = kindOf(candidate.sharing);
  const bool isProduct = kind == Kind::Products;
  if (isProduct != (group.ops.kind == Kind::Products) || candidate.input != group.input ||
      candidate.rows != group.rows)
    return false;
  const auto parts = partsRead(candidate, group.ops);
  const bool isInTurn = parts.size() == 1;
  const bool canFollow = !isProduct && candidate.sharing != Sharing::FirstRows;
  if (parts.size() > 1 || (isInTurn && !canFollow) || (!isInTurn && kind != group.ops.kind) ||
      !canMoveBehind(candidate.op, group.ops.last))
    return false;
  moveBuffers(candidate.op, group.ops.first());
  candidate.op->moveAfter(group.ops.last);
  group.ops.last = candidate.op;
  if (!isInTurn) {
    group.ops.parts.push_back({candidate.op});
    return true;
  }
  SmallVector<Operation *> &part = group.ops.parts[parts.front()];
  // Blocks share out heads by their number: where it changes, a block needs all of the row.
  if (kind == Kind::Rows || candidate.heads != part.back()->getAttrOfType<IntegerAttr>("heads"))
    group.ops.kind = Kind::Rows;
  part.push_back(candidate.op);
  return true;
}

bool Planner::join(const Candidate &candidate) {
  for (Group &group : llvm::reverse(llvm::MutableArrayRef(groups).take_back(kFarthestGroup)))
    if (join(candidate, group))
      return true;
  return false;
}

SmallVector<JoinedOps> Planner::run() {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    const std::optional<Candidate> candidate = describe(&op);
    // What updates a state stays where it is.
    if (!candidate || llvm::any_of(moert::getWrittenBuffers(&op), isState) || join(*candidate))
      continue;
    groups.push_back(
        {{kindOf(candidate->sharing), {{&op}}, &op}, candidate->input, candidate->rows});
  }
  SmallVector<JoinedOps> joined;
  for (Group &group : groups)
    if (group.ops.parts.size() > 1 || group.ops.parts.front().size() > 1)
      joined.push_back(std::move(group.ops));
  return joined;
}

SmallVector<JoinedOps> planJoins(moert::FuncOp function) {
  return Planner(function.getBody().front()).run();
}

} // namespace sortie::selection
