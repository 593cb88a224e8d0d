// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations that compute each row of their output by itself, and the table of them: one row
// for each operation. docs/adding-an-op.md adds one.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_ROWOPERATIONS_H
#define SORTIE_RUNTIME_CPU_KERNELS_ROWOPERATIONS_H

#include "runtime/cpu/Kernels.h"
#include "runtime/cpu/kernels/Elementwise.h"
#include "runtime/numerics/convert.h"
#include "runtime/numerics/rotate.h"
#include "runtime/numerics/route.h"

namespace sortie::cpu {

/// Each function computes the rows [first, first + count) of its first output.
template <typename Simd> struct RowOperations : Elementwise<Simd> {
  using Base = Elementwise<Simd>;
  using Base::forEachVector;
  using Base::loadSome;
  using Base::storeSome;
  using typename Base::Floats;

  /// reads(x) vectors(weight) writes(y) parameters(eps): norm.h.
  static void rmsNorm(const Operands &op, int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row)
      normalize(op.reads[0].floats(row), op.vectors[0], op.reads[0].columns,
                op.parameters[0].number, op.writes[0].floats(row));
  }

  /// reads(x) vectors(weight) writes(y) parameters(heads, eps): norm.h, for each head of a row.
  static void headNorm(const Operands &op, int64_t first, int64_t count) {
    const int64_t heads = op.parameters[0].integer;
    const int64_t elements = op.reads[0].columns / heads;
    for (int64_t head = first * heads; head < (first + count) * heads; ++head)
      normalize(op.reads[0].floats() + head * elements, op.vectors[0], elements,
                op.parameters[1].number, op.writes[0].floats() + head * elements);
  }

  SORTIE_KERNEL_INLINE static void normalize(const float *x, const float *weight, int64_t columns,
                                             float eps, float *y) {
    const Floats factor =
        Simd::broadcast(numerics::rmsNormFactor(Base::sumOfSquares(x, columns), columns, eps));
    forEachVector(columns, [&](int64_t i, int n) {
      const Floats scaled = Simd::mul(loadSome(x + i, n), factor);
      storeSome(y + i, Simd::canonicalNan(Simd::mul(scaled, loadSome(weight + i, n))), n);
    });
  }

  /// reads(x, positions) writes(y) parameters(heads, order of pairs, factor) numbers(frequencies):
  /// rotate.h.
  static void rotate(const Operands &op, int64_t first, int64_t count) {
    const int64_t heads = op.parameters[0].integer;
    const int64_t elements = op.reads[0].columns / heads;
    const bool isHalves =
        op.parameters[1].integer == static_cast<int64_t>(numerics::PairOrder::Halves);
    const int64_t pairs = op.numberCount;
    const int64_t step = isHalves ? 1 : 2, other = isHalves ? pairs : 1;
    for (int64_t row = first; row < first + count; ++row) {
      const auto position = static_cast<uint64_t>(int64_t{op.reads[1].ints()[row]});
      float *y = op.writes[0].floats(row);
      std::memcpy(y, op.reads[0].floats(row), rowBytes(op));
      for (int64_t pair = 0; pair < pairs; ++pair) {
        const numerics::Turn turn =
            numerics::scaleTurn(numerics::turnAt(position, static_cast<uint64_t>(op.numbers[pair])),
                                op.parameters[2].number);
        for (int64_t head = 0; head < heads; ++head)
          numerics::rotatePair(turn, y[head * elements + pair * step],
                               y[head * elements + pair * step + other]);
      }
      forEachVector(op.writes[0].columns, [&](int64_t i, int n) {
        storeSome(y + i, Simd::canonicalNan(loadSome(y + i, n)), n);
      });
    }
  }

  /// reads(x) writes(quantized rows): quantize.h. A row of x may be several rows, which lie in
  /// memory as they would by themselves.
  static void quantize(const Operands &op, int64_t first, int64_t count) {
    const int64_t columns = op.writes[0].columns;
    const numerics::RowKind kind = op.writes[0].kind;
    const numerics::ActRowLayout layout = numerics::actRowLayout(kind, columns);
    for (int64_t row = first; row < first + count; ++row)
      for (int64_t block = 0; block < numerics::activationBlocks(columns); ++block) {
        const int64_t begin = block * numerics::kActivationBlock;
        const int64_t left = columns - begin;
        const int n =
            static_cast<int>(left < numerics::kActivationBlock ? left : numerics::kActivationBlock);
        Base::quantizeSome(op.reads[0].floats() + row * columns + begin, n, kind, layout, block,
                           op.writes[0].data + row * layout.bytes);
      }
  }

  /// reads(gate, up) writes(y) parameters(kind, alpha, limit): activation.h.
  static void glu(const Operands &op, int64_t first, int64_t count) {
    const numerics::Glu glu = {static_cast<numerics::GluKind>(op.parameters[0].integer),
                               op.parameters[1].number, op.parameters[2].number};
    combineTwo(op, first, count, [&](Floats gate, Floats up) SORTIE_KERNEL_LAMBDA {
      return Base::applyGlu(glu, gate, up);
    });
  }

  /// reads(a, b) writes(y).
  static void add(const Operands &op, int64_t first, int64_t count) {
    combineTwo(op, first, count,
               [](Floats a, Floats b) SORTIE_KERNEL_LAMBDA { return Simd::add(a, b); });
  }

  /// reads(x) writes(y) parameters(heads, first): of each head of a row the elements from `first`
  /// on.
  static void sliceHeads(const Operands &op, int64_t first, int64_t count) {
    const int64_t heads = op.parameters[0].integer;
    const int64_t elements = op.reads[0].columns / heads;
    const int64_t kept = op.writes[0].columns / heads;
    const float *x = op.reads[0].floats() + op.parameters[1].integer;
    for (int64_t head = first * heads; head < (first + count) * heads; ++head)
      std::memcpy(op.writes[0].floats() + head * kept, x + head * elements,
                  static_cast<size_t>(kept) * sizeof(float));
  }

  /// reads(x) writes(y) parameters(factor): y = RN(factor * x).
  static void scale(const Operands &op, int64_t first, int64_t count) {
    const Floats factor = Simd::broadcast(op.parameters[0].number);
    const float *x = op.reads[0].floats(first);
    float *y = op.writes[0].floats(first);
    forEachVector(count * op.writes[0].columns, [&](int64_t i, int n) {
      storeSome(y + i, Simd::canonicalNan(Simd::mul(factor, loadSome(x + i, n))), n);
    });
  }

  /// writes[0] = function(reads[0], reads[1]), element by element.
  template <typename Function>
  SORTIE_KERNEL_INLINE static void combineTwo(const Operands &op, int64_t first, int64_t count,
                                              Function function) {
    const float *a = op.reads[0].floats(first);
    const float *b = op.reads[1].floats(first);
    float *y = op.writes[0].floats(first);
    forEachVector(count * op.writes[0].columns, [&](int64_t i, int n) {
      storeSome(y + i, Simd::canonicalNan(function(loadSome(a + i, n), loadSome(b + i, n))), n);
    });
  }

  /// reads(x) writes(y) parameters(kinds of x and y, one of which is F32): convert.h.
  static void convert(const Operands &op, int64_t first, int64_t count) {
    using numerics::FloatKind;
    const bool isNarrowed = op.parameters[0].integer == static_cast<int64_t>(FloatKind::F32);
    const int64_t other = op.parameters[isNarrowed ? 1 : 0].integer;
    const bool isHalf = other == static_cast<int64_t>(FloatKind::F16);
    if (isNarrowed)
      return isHalf ? convertAs<float, numerics::Half>(op, first, count)
                    : convertAs<float, numerics::BFloat16>(op, first, count);
    return isHalf ? convertAs<numerics::Half, float>(op, first, count)
                  : convertAs<numerics::BFloat16, float>(op, first, count);
  }

  template <typename From, typename To>
  SORTIE_KERNEL_INLINE static void convertAs(const Operands &op, int64_t first, int64_t count) {
    const int64_t columns = op.writes[0].columns;
    const auto *x = reinterpret_cast<const From *>(op.reads[0].data) + first * columns;
    auto *y = reinterpret_cast<To *>(op.writes[0].data) + first * columns;
    for (int64_t i = 0; i < count * columns; ++i)
      numerics::convert(x[i], y[i]);
  }

  /// reads(rows, inverse?, weights?) writes(y): combine.h. Without `inverse`, row t * k + j is slot
  /// j of token t; an absent slot (inverse -1) counts as a row of zeros.
  static void combine(const Operands &op, int64_t first, int64_t count) {
    const Rows &inverse = op.reads[1];
    const Rows &weights = op.reads[2];
    const int slots = slotsOfToken(op);
    for (int64_t token = first; token < first + count; ++token) {
      const float *rows[numerics::kMaxSelected];
      for (int j = 0; j < slots; ++j) {
        const int64_t slot = token * slots + j;
        const int64_t row = inverse.isPresent() ? inverse.ints()[slot] : slot;
        rows[j] = row >= 0 ? op.reads[0].floats(row) : nullptr;
      }
      Base::combine(rows, weights.isPresent() ? weights.floats(token) : nullptr, slots,
                    op.writes[0].columns, op.writes[0].floats(token));
    }
  }

  SORTIE_KERNEL_INLINE static int slotsOfToken(const Operands &op) {
    return static_cast<int>(op.reads[1].isPresent() ? op.reads[1].columns
                                                    : op.reads[0].rows / op.writes[0].rows);
  }

  /// reads(scores) vectors(bias?) writes(ids, weights) parameters(selected, groups, groups used,
  /// group score, scoring, normalize, scale): route.h.
  static void route(const Operands &op, int64_t first, int64_t count) {
    const Parameter *p = op.parameters;
    numerics::RouteParams params;
    params.experts = static_cast<int>(op.reads[0].columns);
    params.selected = static_cast<int>(p[0].integer);
    params.groups = static_cast<int>(p[1].integer);
    params.groupsUsed = static_cast<int>(p[2].integer);
    params.groupScore = static_cast<numerics::GroupScore>(p[3].integer);
    params.scoring = static_cast<numerics::Scoring>(p[4].integer);
    params.normalize = p[5].integer != 0;
    params.scale = p[6].number;
    for (int64_t row = first; row < first + count; ++row) {
      float scores[numerics::kMaxExperts];
      numerics::routeToken(params, op.reads[0].floats(row), op.vectors[0], scores,
                           op.writes[0].ints(row), op.writes[1].floats(row));
    }
  }

  /// reads(x, permutation) writes(y) parameters(slots): y[r] = x[permutation[r] / slots].
  static void gather(const Operands &op, int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row)
      std::memcpy(op.writes[0].floats(row),
                  op.reads[0].floats(op.reads[1].ints()[row] / op.parameters[0].integer),
                  rowBytes(op));
  }

  /// reads(x, inverse) writes(y): y[slot] = x[inverse[slot]]; rows of absent slots become zeros.
  static void unsort(const Operands &op, int64_t first, int64_t count) {
    for (int64_t slot = first; slot < first + count; ++slot) {
      const int32_t row = op.reads[1].ints()[slot];
      if (row < 0)
        std::memset(op.writes[0].floats(slot), 0, rowBytes(op));
      else
        std::memcpy(op.writes[0].floats(slot), op.reads[0].floats(row), rowBytes(op));
    }
  }

  SORTIE_KERNEL_INLINE static size_t rowBytes(const Operands &op) {
    return static_cast<size_t>(op.writes[0].columns) * sizeof(float);
  }

  //===- What a row costs, in elements of a simple operation --------------===//

  static int64_t columnsOfOutput(const Operands &op) { return op.writes[0].columns; }
  static int64_t columnsOfSlots(const Operands &op) {
    return slotsOfToken(op) * op.writes[0].columns;
  }
  /// A selection reads the scores several times.
  static int64_t sixteenPasses(const Operands &op) { return op.reads[0].columns * 16; }

  static constexpr RowOperation kTable[] = {
      {"add", &add, &columnsOfOutput},
      {"combine", &combine, &columnsOfSlots},
      {"convert", &convert, &columnsOfOutput},
      {"gather", &gather, &columnsOfOutput},
      {"glu", &glu, &columnsOfOutput},
      {"head_norm", &headNorm, &columnsOfOutput},
      {"quantize", &quantize, &columnsOfOutput},
      {"quantize_heads", &quantize, &columnsOfOutput},
      {"rms_norm", &rmsNorm, &columnsOfOutput},
      {"rotate", &rotate, &columnsOfOutput},
      {"route", &route, &sixteenPasses},
      {"scale", &scale, &columnsOfOutput},
      {"slice_heads", &sliceHeads, &columnsOfOutput},
      {"unsort", &unsort, &columnsOfOutput},
  };
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_ROWOPERATIONS_H
