// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs with states in text form for tests.

#ifndef SORTIE_TEST_UNIT_PROGRAM_STATETEXT_H
#define SORTIE_TEST_UNIT_PROGRAM_STATETEXT_H

namespace sortie::test {

/// accumulate: sum += x, and nothing else; count: count += step, which is the output, too;
/// push: rows of x into a ring of four rows, then rows of it; peek: what the others have left.
inline const char *const kStateProgram = R"(
  moert.symbol @tokens max(16)
  moert.state @sum : !moert.buffer<1 x 3 x f32>
  moert.state @counter : !moert.buffer<1 x f32>
  moert.state @ring : !moert.buffer<4 x 2 x i32>
  moert.func @accumulate("x" %x: !moert.buffer<1 x 3 x f32>) outs() {
    %sum = moert.state_buffer @sum : !moert.buffer<1 x 3 x f32>
    moert.add %sum, %x outs(%sum)
      : !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x 3 x f32>
    moert.return
  }
  moert.func @count("step" %step: !moert.buffer<1 x f32>) outs("y" %y: !moert.buffer<1 x f32>) {
    %count = moert.state_buffer @counter : !moert.buffer<1 x f32>
    moert.add %step, %count outs(%count)
      : !moert.buffer<1 x f32>, !moert.buffer<1 x f32>, !moert.buffer<1 x f32>
    moert.copy %count outs(%y) : !moert.buffer<1 x f32>, !moert.buffer<1 x f32>
    moert.return
  }
  moert.func @push("x" %x: !moert.buffer<tokens x 2 x i32>, "to" %to: !moert.buffer<tokens x i32>,
                   "from" %from: !moert.buffer<tokens x i32>)
      outs("y" %y: !moert.buffer<tokens x 2 x i32>) {
    %ring = moert.state_buffer @ring : !moert.buffer<4 x 2 x i32>
    moert.write_rows %x, %to outs(%ring)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<4 x 2 x i32>
    moert.read_rows %ring, %from outs(%y)
      : !moert.buffer<4 x 2 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 2 x i32>
    moert.return
  }
  moert.func @peek() outs("sum" %y: !moert.buffer<1 x 3 x f32>, "ring" %z: !moert.buffer<4 x 2 x i32>) {
    %sum = moert.state_buffer @sum : !moert.buffer<1 x 3 x f32>
    %ring = moert.state_buffer @ring : !moert.buffer<4 x 2 x i32>
    moert.copy %sum outs(%y) : !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x 3 x f32>
    moert.copy %ring outs(%z) : !moert.buffer<4 x 2 x i32>, !moert.buffer<4 x 2 x i32>
    moert.return
  })";

/// A ring whose length is a symbol of the session.
inline const char *const kSessionProgram = R"(
  moert.symbol @tokens max(16)
  moert.symbol @slots max(8)
  moert.state @counter : !moert.buffer<1 x f32>
  moert.state @ring : !moert.buffer<2*slots+1 x 2 x f32>
  moert.func @push("x" %x: !moert.buffer<tokens x 2 x f32>, "to" %to: !moert.buffer<tokens x i32>) outs() {
    %ring = moert.state_buffer @ring : !moert.buffer<2*slots+1 x 2 x f32>
    moert.write_rows %x, %to outs(%ring)
      : !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<2*slots+1 x 2 x f32>
    moert.return
  }
  moert.func @add("table" %table: !moert.buffer<2*slots+1 x 2 x f32>)
      outs("y" %y: !moert.buffer<2*slots+1 x 2 x f32>) {
    %ring = moert.state_buffer @ring : !moert.buffer<2*slots+1 x 2 x f32>
    moert.add %ring, %table outs(%y) : !moert.buffer<2*slots+1 x 2 x f32>,
      !moert.buffer<2*slots+1 x 2 x f32>, !moert.buffer<2*slots+1 x 2 x f32>
    moert.return
  }
)";

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_PROGRAM_STATETEXT_H
