// What must hold of a whole function, cited as MoertOps.td numbers it at moert.func.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// (C1)
// expected-error @+1 {{has no output and writes no state: nothing comes of it}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs() {
  moert.return
}

// -----

// (C1)
// expected-error @+1 {{must have a name for each of its 1 arguments}}
"moert.func"() <{sym_name = "f", arg_names = ["a"], out_names = ["b"]}> ({
^bb0(%a: !moert.buffer<8 x f32>):
  "moert.return"() : () -> ()
}) : () -> ()

// -----

// (C1)
// expected-error @+1 {{names of arguments must not be empty and all different}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("a" %b: !moert.buffer<8 x f32>) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C1)
// expected-error @+1 {{names of arguments must not be empty and all different}}
moert.func @f("" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C2)
// expected-error @+1 {{arguments must be buffers, got 'i32'}}
moert.func @f("a" %a: i32) outs("b" %b: !moert.buffer<8 x f32>) {
}

// -----

// Bodies end in moert.return, and have one block.
// expected-error @+1 {{'moert.func' op expects region #0 to have 0 or 1 blocks}}
"moert.func"() <{sym_name = "f", arg_names = [], out_names = []}> ({
  "moert.return"() : () -> ()
^bb1:
  "moert.return"() : () -> ()
}) : () -> ()

// -----

// expected-error @+1 {{region with 1 blocks}}
"moert.func"() <{sym_name = "f", arg_names = [], out_names = []}> ({}) : () -> ()

// -----

// (C3)
// expected-error @+1 {{there is no moert.symbol @tokens, which tokens uses}}
moert.func @f("a" %a: !moert.buffer<tokens x f32>) outs("b" %b: !moert.buffer<tokens x f32>) {
  moert.copy %a outs(%b) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

// (C3): a weight is no symbol.
moert.weight @tokens "w" : 8xf32
// expected-error @+1 {{there is no moert.symbol @tokens, which 64*tokens uses}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) arena(64) {
  // (C3)
  // expected-error @+1 {{there is no moert.symbol @tokens, which 64*tokens uses}}
  %0 = moert.buffer offset(64*tokens) : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) arena(64) {
  // (C3)
  // expected-error @+1 {{there is no moert.symbol @tokens, which 2*tokens uses}}
  %0 = moert.buffer offset(0) : !moert.buffer<2*tokens x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  // (C4)
  // expected-error @+1 {{must have an offset exactly if its function has an arena}}
  %0 = moert.buffer offset(0) : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) arena(64) {
  // (C4)
  // expected-error @+1 {{must have an offset exactly if its function has an arena}}
  %0 = moert.buffer : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) arena(64) {
  // (C4)
  // expected-error @+1 {{at 64 with 32 bytes exceeds the arena of 64 bytes}}
  %0 = moert.buffer offset(64) : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C4): enough for one token and no more than 16.
moert.symbol @tokens max(17)
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) arena(512) {
  // expected-error @+1 {{at 0 with 32*tokens bytes exceeds the arena of 512 bytes}}
  %0 = moert.buffer offset(0) : !moert.buffer<tokens x 8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C4): enough for 8192 tokens, not for none.
moert.symbol @tokens max(8192)
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens) {
  // expected-error @+1 {{at 64 with 32 bytes exceeds the arena of 64*tokens bytes}}
  %0 = moert.buffer offset(64) : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C4): two symbols vary by themselves.
moert.symbol @tokens max(8)
moert.symbol @sequences max(4)
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens) {
  // expected-error @+1 {{at 0 with 4*sequences bytes exceeds the arena of 64*tokens bytes}}
  %0 = moert.buffer offset(0) : !moert.buffer<sequences x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C4): a buffer lies in the region of its own symbol.
moert.symbol @tokens max(8)
moert.symbol @sequences max(4)
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens, 64*sequences) {
  // expected-error @+1 {{at 64 with 4*sequences bytes exceeds the arena of 64*sequences bytes}}
  %0 = moert.buffer offset(64) : !moert.buffer<sequences x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C6): buffers of one region may not overlap, those of two lie apart.
moert.symbol @tokens max(8)
moert.symbol @sequences max(4)
moert.func @f("a" %a: !moert.buffer<sequences x f32>) outs("b" %b: !moert.buffer<sequences x f32>)
    arena(64*tokens, 64*sequences) {
  // expected-note @+1 {{the other buffer}}
  %0 = moert.buffer offset(0) : !moert.buffer<sequences x f32>
  // expected-error @+1 {{overlaps a buffer of the arena that is live at the same time}}
  %1 = moert.buffer offset(0) : !moert.buffer<sequences x f32>
  moert.copy %a outs(%0) : !moert.buffer<sequences x f32>, !moert.buffer<sequences x f32>
  moert.copy %a outs(%1) : !moert.buffer<sequences x f32>, !moert.buffer<sequences x f32>
  moert.add %0, %1 outs(%b) : !moert.buffer<sequences x f32>, !moert.buffer<sequences x f32>,
    !moert.buffer<sequences x f32>
}

// -----

// (C7)
moert.symbol @tokens max(8)
moert.symbol @sequences max(4)
moert.symbol @rows max(4)
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens, 64*sequences) {
  // expected-error @+1 {{has 4*rows bytes, and the arena has no region of this symbol}}
  %0 = moert.buffer offset(0) : !moert.buffer<rows x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C7)
moert.symbol @tokens max(8)
// expected-error @+1 {{has an arena of several regions, of which 64*tokens+64 has no symbol of its own}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens, 64*tokens+64) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C7)
moert.symbol @tokens max(8)
moert.symbol @rows max(4)
// expected-error @+1 {{has an arena of several regions, of which 32*rows is no multiple of 64 bytes}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(64*tokens, 32*rows) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C7)
// expected-error @+1 {{has an arena without regions}}
"moert.func"() <{arg_names = ["a"], arena = [], out_names = ["b"], sym_name = "f"}> ({
^bb0(%a: !moert.buffer<8 x f32>, %b: !moert.buffer<8 x f32>):
  "moert.copy"(%a, %b) : (!moert.buffer<8 x f32>, !moert.buffer<8 x f32>) -> ()
  "moert.return"() : () -> ()
}) : () -> ()

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  // (C5)
  // expected-error @+1 {{writes an input of the function}}
  moert.copy %b outs(%a) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  // (C5)
  // expected-error @+1 {{writes a buffer that has been written already}}
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  %0 = moert.buffer : !moert.buffer<8 x f32>
  // (C5)
  // expected-error @+1 {{reads a buffer that no operation before has written}}
  moert.copy %0 outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  // (C5): an operation does not read what it writes.
  // expected-error @+1 {{reads a buffer that no operation before has written}}
  moert.add %a, %b outs(%b)
    : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  // (C5): a checkpoint reads, too.
  // expected-error @+1 {{reads a buffer that no operation before has written}}
  moert.checkpoint "b" = %b : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C5)
// expected-error @+1 {{output "b" is never written}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) arena(128) {
  // expected-note @+1 {{the other buffer}}
  %0 = moert.buffer offset(0) : !moert.buffer<8 x f32>
  // (C6)
  // expected-error @+1 {{overlaps a buffer of the arena that is live at the same time}}
  %1 = moert.buffer offset(0) : !moert.buffer<8 x f32>
  moert.copy %a outs(%0) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  moert.copy %0 outs(%1) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  moert.copy %1 outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C6): apart for one token, not for two.
moert.symbol @tokens max(2)
moert.func @f("a" %a: !moert.buffer<tokens x 16 x f32>)
    outs("b" %b: !moert.buffer<tokens x 16 x f32>) arena(256) {
  // expected-note @+1 {{the other buffer}}
  %0 = moert.buffer offset(0) : !moert.buffer<tokens x 16 x f32>
  // expected-error @+1 {{overlaps a buffer of the arena that is live at the same time}}
  %1 = moert.buffer offset(64) : !moert.buffer<tokens x 16 x f32>
  moert.copy %a outs(%0) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
  moert.copy %a outs(%1) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
  moert.add %0, %1 outs(%b) : !moert.buffer<tokens x 16 x f32>,
    !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

// (C6): buffers that are written and never read take room all the same.
moert.func @f("a" %a: !moert.buffer<1 x 8 x f32>) outs("b" %b: !moert.buffer<1 x 8 x f32>)
    arena(64) {
  moert.copy %a outs(%b) : !moert.buffer<1 x 8 x f32>, !moert.buffer<1 x 8 x f32>
  // expected-note @+1 {{the other buffer}}
  %ids = moert.buffer offset(0) : !moert.buffer<1 x 2 x i32>
  // expected-error @+1 {{overlaps a buffer of the arena that is live at the same time}}
  %weights = moert.buffer offset(0) : !moert.buffer<1 x 2 x f32>
  moert.route %b top(2) scoring(raw) tie(lower_id) outs(%ids, %weights)
    : !moert.buffer<1 x 8 x f32>, !moert.buffer<1 x 2 x i32>, !moert.buffer<1 x 2 x f32>
}

// -----

// (C7)
moert.symbol @tokens max(2147483647)
// expected-error @+1 {{281474976710656*tokens bytes exceed 2^63}}
moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>)
    arena(281474976710656*tokens) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C7)
moert.symbol @tokens max(2147483647)
// expected-error @+1 {{4398046511104*tokens bytes exceed 2^63}}
moert.func @f("a" %a: !moert.buffer<1099511627776*tokens x f32>)
    outs("b" %b: !moert.buffer<8 x f32>) {
  %0 = moert.buffer : !moert.buffer<8 x f32>
}

// -----

moert.func @f("a" %a: !moert.buffer<8 x f32>) outs("b" %b: !moert.buffer<8 x f32>) {
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  // (C8)
  // expected-error @+1 {{does not belong into a moert.func}}
  %0 = arith.constant 1 : i32
}

// -----

func.func @g() {
  // expected-error @+1 {{expects parent op 'moert.func'}}
  %0 = moert.buffer : !moert.buffer<8 x f32>
  return
}

// -----

// Nothing is taken for granted of an op that has not been verified.
// expected-error @+1 {{requires attribute 'arg_names'}}
"moert.func"() <{sym_name = "f"}> ({
^bb0(%a: !moert.buffer<8 x f32>):
  "moert.return"() : () -> ()
}) : () -> ()
