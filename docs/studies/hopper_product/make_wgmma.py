# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes wgmma_generated.cuh: one wrapper for each width of `wgmma` that the study uses.

The instruction names every accumulator register in its text, so the text depends on the tile's
width.
"""

import sys

WIDTHS = (8, 16, 24, 32, 48, 64)

HEADER = """// Written by make_wgmma.py. Do not edit.
#pragma once
#include <cstdint>

/// `wgmma` of 64 x Columns. A comes from registers (`a`: four words, 16 bytes of this thread), B
/// from shared memory: `High` and `low` are the words of its descriptor.
template <int Columns> struct Wgmma;
"""

BODY = """
template <> struct Wgmma<{n}> {{
  /// u8 times s8, int32 accumulators; K = 32.
  template <bool Accumulate, uint32_t High>
  static __device__ __forceinline__ void multiply(int (&d)[{r}], const unsigned (&a)[4],
                                                  uint32_t low) {{
    asm volatile("{{.reg .pred p; .reg .b64 b; setp.ne.b32 p, %{r6}, 0;\\n"
                 "mov.b64 b, {{%{r4}, %{r5}}};\\n"
                 "wgmma.mma_async.sync.aligned.m64n{n}k32.s32.u8.s8 {{{list}}}, "
                 "{{%{r0},%{r1},%{r2},%{r3}}}, b, p;}}"
                 : {outs}
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "n"(High),
                   "n"(Accumulate));
  }}
  /// d = A x B of fp16, fp32 accumulators, whose bits `d` has; K = 16.
  template <uint32_t High>
  static __device__ __forceinline__ void multiplyHalves(int (&d)[{r}], const unsigned (&a)[4],
                                                        uint32_t low) {{
    asm volatile("{{.reg .pred p; .reg .b64 b; setp.ne.b32 p, 0, 0;\\n"
                 "mov.b64 b, {{%{r4}, %{r5}}};\\n"
                 "wgmma.mma_async.sync.aligned.m64n{n}k16.f32.f16.f16 {{{list}}}, "
                 "{{%{r0},%{r1},%{r2},%{r3}}}, b, p, 1, 1, 0;}}"
                 : {outs}
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "n"(High));
  }}
}};
"""


def wrapper(n: int) -> str:
    """The specialisation for tiles of 64 x n."""
    r = n // 2
    names = {f"r{i}": r + i for i in range(7)}
    return BODY.format(
        n=n,
        r=r,
        list=",".join(f"%{i}" for i in range(r)),
        outs=", ".join(f'"+r"(d[{i}])' for i in range(r)),
        **names,
    )


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(HEADER + "".join(wrapper(n) for n in WIDTHS))
