# Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes wgmma_generated.cuh: one wrapper for each width of `wgmma` that the study uses.

The instruction names every accumulator register in its text, so the text depends on the tile's
width. A is unsigned, from registers; B is signed, from shared memory.
"""

import sys

WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128)

HEADER = """// Written by make_wgmma.py. Do not edit.
#pragma once
#include <cstdint>

/// `wgmma` of 64 x Columns, u8 times s8, int32 accumulators; K = 32.
template <int Columns> struct Wgmma;
"""

BODY = """
template <> struct Wgmma<{n}> {{
  /// A from registers (`a`: four words, 16 bytes of this thread), B from shared memory.
  template <bool Accumulate>
  static __device__ __forceinline__ void multiply(int (&d)[{r}], const unsigned (&a)[4],
                                                  uint64_t b) {{
    asm volatile("{{.reg .pred p; setp.ne.b32 p, %{r5}, 0;\\n"
                 "wgmma.mma_async.sync.aligned.m64n{n}k32.s32.u8.s8 {{{list}}}, "
                 "{{%{r0},%{r1},%{r2},%{r3}}}, %{r4}, p;}}"
                 : {outs}
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(Accumulate));
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
        **names,
    )


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write(HEADER + "".join(wrapper(n) for n in WIDTHS))
