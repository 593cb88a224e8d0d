# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes wgmma_generated.cuh: one wrapper for each shape of `wgmma` that the study uses.

The instruction names every accumulator register in its text, so the text depends on the tile's
width; a generator of forty lines reads better than four pages of operands.
"""

import sys

WIDTHS = (32, 64, 96, 128, 256)

HEADER = """// Written by make_wgmma.py. Do not edit.
#pragma once
#include <cstdint>

/// `wgmma` of 64 x Columns, int8 operands, int32 accumulators; K = 32.
template <int Columns> struct Wgmma;
"""

BODY = """
template <> struct Wgmma<{n}> {{
  /// A from registers (`a`: four words, 16 levels of this thread), B from shared memory.
  template <bool Accumulate>
  static __device__ __forceinline__ void fromRegisters(int (&d)[{r}], const unsigned (&a)[4],
                                                       uint64_t b) {{
    asm volatile("{{.reg .pred p; setp.ne.b32 p, %{r5}, 0;\\n"
                 "wgmma.mma_async.sync.aligned.m64n{n}k32.s32.s8.s8 {{{list}}}, "
                 "{{%{r0},%{r1},%{r2},%{r3}}}, %{r4}, p;}}"
                 : {outs}
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(Accumulate));
  }}
  /// Both operands from shared memory.
  template <bool Accumulate>
  static __device__ __forceinline__ void fromShared(int (&d)[{r}], uint64_t a, uint64_t b) {{
    asm volatile("{{.reg .pred p; setp.ne.b32 p, %{r2}, 0;\\n"
                 "wgmma.mma_async.sync.aligned.m64n{n}k32.s32.s8.s8 {{{list}}}, "
                 "%{r0}, %{r1}, p;}}"
                 : {outs}
                 : "l"(a), "l"(b), "n"(Accumulate));
  }}
  /// d = A x B of fp16 operands in shared memory; K = 16, fp32 accumulators.
  static __device__ __forceinline__ void halves(float (&d)[{r}], uint64_t a, uint64_t b) {{
    asm volatile("{{.reg .pred p; setp.ne.b32 p, 0, 0;\\n"
                 "wgmma.mma_async.sync.aligned.m64n{n}k16.f32.f16.f16 {{{list}}}, "
                 "%{r0}, %{r1}, p, 1, 1, 0, 0;}}"
                 : {floats}
                 : "l"(a), "l"(b));
  }}
}};
"""


def wrapper(n: int) -> str:
    """The specialisation for tiles of 64 x n."""
    r = n // 2
    names = {f"r{i}": r + i for i in range(6)}
    return BODY.format(
        n=n,
        r=r,
        list=",".join(f"%{i}" for i in range(r)),
        outs=", ".join(f'"+r"(d[{i}])' for i in range(r)),
        floats=", ".join(f'"+f"(d[{i}])' for i in range(r)),
        **names,
    )


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(HEADER + "".join(wrapper(n) for n in WIDTHS))
