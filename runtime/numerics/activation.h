// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Activation functions. Each rounding is one call: none may be fused or reordered. NaN in, NaN out.

#ifndef SORTIE_RUNTIME_NUMERICS_ACTIVATION_H
#define SORTIE_RUNTIME_NUMERICS_ACTIVATION_H

#include "runtime/numerics/exp.h"

namespace sortie::numerics {

/// 1 / (1 + e^-x).
SORTIE_NUMERICS_INLINE float sigmoid(float x) { return div(1.0f, add(1.0f, exp(-x))); }

/// x / (1 + e^-x). NaN for -inf, where both are infinite.
SORTIE_NUMERICS_INLINE float silu(float x) { return div(x, add(1.0f, exp(-x))); }

/// silu(gate) * up.
SORTIE_NUMERICS_INLINE float swiglu(float gate, float up) { return mul(silu(gate), up); }

/// The clamped SwiGLU of gpt-oss: (clamp(up) + 1) * (g * sigmoid(alpha * g)) with g = min(gate,
/// limit) and `up` clamped to [-limit, limit].
SORTIE_NUMERICS_INLINE float swigluClamped(float gate, float up, float alpha, float limit) {
  const float g = gate > limit ? limit : gate;
  const float atMost = up > limit ? limit : up;
  const float u = atMost < -limit ? -limit : atMost;
  const float glu = mul(g, sigmoid(mul(alpha, g)));
  return mul(add(u, 1.0f), glu);
}

enum class GluKind : uint8_t { Swiglu, SwigluClamped };

/// A gated activation; `alpha` and `limit` are those of SwigluClamped.
struct Glu {
  GluKind kind = GluKind::Swiglu;
  float alpha = 0.0f;
  float limit = 0.0f;
};

SORTIE_NUMERICS_INLINE float applyGlu(const Glu &glu, float gate, float up) {
  return glu.kind == GluKind::Swiglu ? swiglu(gate, up)
                                     : swigluClamped(gate, up, glu.alpha, glu.limit);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_ACTIVATION_H
