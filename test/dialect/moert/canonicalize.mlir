// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s

moert.symbol @tokens max(8)

moert.kernel @fill "fill" reads(0) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

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

// Launches stay, even those that write what nobody reads, and checks of ids.
// CHECK-LABEL: moert.func @launches
// CHECK-COUNT-3: moert.launch @fill
// CHECK: moert.check_ids
moert.func @launches("x" %x: !moert.buffer<tokens x 4 x f32>)
    outs("y" %y: !moert.buffer<2 x i32>) {
  %a = moert.buffer : !moert.buffer<2 x i32>
  %b = moert.buffer : !moert.buffer<2 x i32>
  moert.launch @fill grid(1) writes(%a) work("op") : !moert.buffer<2 x i32>
  moert.launch @fill grid(1) writes(%b) work("op") : !moert.buffer<2 x i32>
  moert.launch @fill grid(1) writes(%y) work("op") : !moert.buffer<2 x i32>
  moert.check_ids %a experts(8) slots(2) : !moert.buffer<2 x i32>
}
