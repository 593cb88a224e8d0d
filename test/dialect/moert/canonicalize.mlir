// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s

moert.symbol @tokens max(8)

// Buffers that nobody uses go away; equal ones are different memory; operations and checkpoints
// stay, for what they write is seen outside.
// CHECK-LABEL: moert.func @effects
// CHECK-COUNT-2: moert.buffer :
// CHECK-NOT: moert.buffer :
// CHECK-COUNT-4: moert.copy
// CHECK: moert.checkpoint "a" = %
// CHECK: moert.checkpoint "gone"
moert.func @effects("x" %x: !moert.buffer<tokens x 4 x f32>)
    outs("y" %y: !moert.buffer<tokens x 4 x f32>, "z" %z: !moert.buffer<tokens x 4 x f32>) {
  %unused = moert.buffer : !moert.buffer<tokens x 4 x f32>
  %a = moert.buffer : !moert.buffer<tokens x 4 x f32>
  %b = moert.buffer : !moert.buffer<tokens x 4 x f32>
  moert.copy %x outs(%a) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>
  moert.copy %x outs(%b) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>
  moert.copy %a outs(%y) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>
  moert.copy %b outs(%z) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>
  moert.checkpoint "a" = %a : !moert.buffer<tokens x 4 x f32>
  moert.checkpoint "gone"
}
