// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bytecode of the attributes of ops that have got more of them since version 1 of the dialect. What
// version 1 has comes first, in its order, which is the alphabet's; what later versions have
// follows, so that their files go on as those of version 1 begin.

#include "dialect/moert/MoertBytecode.h"
#include "dialect/moert/MoertOps.h"

#include "mlir/Bytecode/BytecodeImplementation.h"

using namespace mlir;
using namespace sortie::moert;

namespace {

/// Reads one attribute after the other. After the first that cannot be read, none is.
class PropertyReader {
public:
  explicit PropertyReader(DialectBytecodeReader &reader) : reader(reader) {}

  template <typename Attr> PropertyReader &required(Attr &attribute) {
    if (succeeded(result))
      result = reader.readAttribute(attribute);
    return *this;
  }
  template <typename Attr> PropertyReader &optional(Attr &attribute) {
    if (succeeded(result))
      result = reader.readOptionalAttribute(attribute);
    return *this;
  }
  /// The sizes of the groups of operands.
  PropertyReader &segments(MutableArrayRef<int32_t> sizes) {
    if (succeeded(result))
      result = reader.readSparseArray(sizes);
    return *this;
  }

  LogicalResult result = success();

private:
  DialectBytecodeReader &reader;
};

/// Writes what a PropertyReader reads.
class PropertyWriter {
public:
  explicit PropertyWriter(DialectBytecodeWriter &writer) : writer(writer) {}

  PropertyWriter &required(Attribute attribute) {
    writer.writeAttribute(attribute);
    return *this;
  }
  PropertyWriter &optional(Attribute attribute) {
    writer.writeOptionalAttribute(attribute);
    return *this;
  }
  PropertyWriter &segments(ArrayRef<int32_t> sizes) {
    writer.writeSparseArray(sizes);
    return *this;
  }

private:
  DialectBytecodeWriter &writer;
};

/// The attributes of an op: `visit*` go over those of version 1, and over those that versions 2 and
/// 3 added, with a reader or a writer. Most versions add nothing to an op.
template <typename Stream, typename Properties, typename Op>
void visitSecond(Stream &, Properties &, Op) {}
template <typename Stream, typename Properties, typename Op>
void visitThird(Stream &, Properties &, Op) {}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, KernelOp) {
  stream.required(p.entry)
      .optional(p.extents)
      .optional(p.images)
      .required(p.reads)
      .optional(p.sources)
      .required(p.sym_name)
      .required(p.threads)
      .optional(p.weights)
      .required(p.writes);
}
template <typename Stream, typename Properties>
void visitThird(Stream &stream, Properties &p, KernelOp) {
  stream.optional(p.early);
}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, WeightOp) {
  stream.required(p.format)
      .optional(p.pack)
      .required(p.shape)
      .required(p.sym_name)
      .required(p.tensor);
}
template <typename Stream, typename Properties>
void visitThird(Stream &stream, Properties &p, WeightOp) {
  stream.optional(p.packs);
}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, LaunchOp) {
  stream.optional(p.extents)
      .required(p.grid)
      .required(p.kernel)
      .optional(p.weights)
      .required(p.work)
      .segments(p.operandSegmentSizes);
}
template <typename Stream, typename Properties>
void visitThird(Stream &stream, Properties &p, LaunchOp) {
  stream.optional(p.overlaps).optional(p.variants);
}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, RouteOp) {
  stream.optional(p.bias)
      .optional(p.groups)
      .optional(p.groups_used)
      .optional(p.normalize)
      .optional(p.scale)
      .required(p.scoring)
      .required(p.tie)
      .required(p.top);
}
template <typename Stream, typename Properties>
void visitSecond(Stream &stream, Properties &p, RouteOp) {
  stream.optional(p.group_score);
}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, MatmulOp) {
  stream.required(p.arithmetic)
      .optional(p.bias)
      .optional(p.slots)
      .required(p.weights)
      .segments(p.operandSegmentSizes);
}
template <typename Stream, typename Properties>
void visitSecond(Stream &stream, Properties &p, MatmulOp) {
  stream.optional(p.expert_scale);
}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, GluMatmulOp) {
  stream.optional(p.alpha)
      .required(p.arithmetic)
      .required(p.gate)
      .optional(p.gate_bias)
      .required(p.kind)
      .optional(p.limit)
      .optional(p.slots)
      .required(p.up)
      .optional(p.up_bias)
      .segments(p.operandSegmentSizes);
}
template <typename Stream, typename Properties>
void visitSecond(Stream &stream, Properties &p, GluMatmulOp) {
  stream.optional(p.gate_scale).optional(p.up_scale);
}

template <typename Stream, typename Properties>
void visitFirst(Stream &stream, Properties &p, FuncOp) {
  stream.optional(p.arena).required(p.arg_names).required(p.out_names).required(p.sym_name);
}
template <typename Stream, typename Properties>
void visitThird(Stream &stream, Properties &p, FuncOp) {
  stream.optional(p.device).optional(p.target);
}

template <typename Op>
LogicalResult readProperties(DialectBytecodeReader &reader, OperationState &state) {
  auto &properties = state.getOrAddProperties<typename Op::Properties>();
  PropertyReader stream(reader);
  visitFirst(stream, properties, Op());
  if (getVersion(reader) >= 2)
    visitSecond(stream, properties, Op());
  if (getVersion(reader) >= 3)
    visitThird(stream, properties, Op());
  return stream.result;
}

template <typename Op> void writeProperties(DialectBytecodeWriter &writer, Op op) {
  auto &properties = op.getProperties();
  PropertyWriter stream(writer);
  visitFirst(stream, properties, Op());
  visitSecond(stream, properties, Op());
  visitThird(stream, properties, Op());
}

} // namespace

#define SORTIE_BYTECODE_PROPERTIES(Op)                                                             \
  LogicalResult Op::readProperties(DialectBytecodeReader &reader, OperationState &state) {         \
    return ::readProperties<Op>(reader, state);                                                    \
  }                                                                                                \
  void Op::writeProperties(DialectBytecodeWriter &writer) { ::writeProperties(writer, *this); }
SORTIE_BYTECODE_PROPERTIES(KernelOp)
SORTIE_BYTECODE_PROPERTIES(WeightOp)
SORTIE_BYTECODE_PROPERTIES(LaunchOp)
SORTIE_BYTECODE_PROPERTIES(RouteOp)
SORTIE_BYTECODE_PROPERTIES(MatmulOp)
SORTIE_BYTECODE_PROPERTIES(GluMatmulOp)
SORTIE_BYTECODE_PROPERTIES(FuncOp)
#undef SORTIE_BYTECODE_PROPERTIES
