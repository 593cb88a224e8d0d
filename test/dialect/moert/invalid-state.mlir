// Rules of states and of rows by their numbers, as MoertOps.td numbers them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// (C1) of moert.state
// expected-error @+1 {{must have a name that is not empty}}
moert.state @"" : !moert.buffer<8 x f32>

// -----

// (C1)
// expected-error @+1 {{its name must be UTF-8 without control characters}}
moert.state @"a\0Ab" : !moert.buffer<8 x f32>

// -----

// (C2)
// expected-error @+1 {{there is no moert.symbol @pages, which '!moert.buffer<pages x 8 x f32>' uses}}
moert.state @s : !moert.buffer<pages x 8 x f32>

// -----

// (C2): a weight is no symbol.
moert.weight @pages "w" : 8xf32
// expected-error @+1 {{there is no moert.symbol @pages, which '!moert.buffer<pages x 8 x f32>' uses}}
moert.state @s : !moert.buffer<pages x 8 x f32>

// -----

// (C2)
moert.symbol @pages max(2147483647)
// expected-error @+1 {{17179869184*pages bytes exceed 2^63 at the bound of @pages}}
moert.state @s : !moert.buffer<pages x 4294967296 x f32>

// -----

// (C3)
// expected-error @+1 {{must hold f32, i32, bf16 or f16, got '!moert.buffer<8 x 16 x act16>'}}
moert.state @s : !moert.buffer<8 x 16 x act16>

// -----

// (C4)
// expected-error @+1 {{states are in space "global", got}}
moert.state @s : !moert.buffer<8 x f32, space = "host">

// -----

// (C1) of moert.state_buffer
moert.func @f() outs("y" %y: !moert.buffer<8 x f32>) {
  // expected-error @+1 {{there is no moert.state @s}}
  %s = moert.state_buffer @s : !moert.buffer<8 x f32>
  moert.copy %s outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C1): a weight is no state.
moert.weight @s "w" : 8xf32
moert.func @f() outs("y" %y: !moert.buffer<8 x f32>) {
  // expected-error @+1 {{there is no moert.state @s}}
  %s = moert.state_buffer @s : !moert.buffer<8 x f32>
  moert.copy %s outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C1)
moert.state @s : !moert.buffer<8 x f32>
moert.func @f() outs("y" %y: !moert.buffer<9 x f32>) {
  // expected-error @+1 {{state @s is '!moert.buffer<8 x f32>', got '!moert.buffer<9 x f32>'}}
  %s = moert.state_buffer @s : !moert.buffer<9 x f32>
  moert.copy %s outs(%y) : !moert.buffer<9 x f32>, !moert.buffer<9 x f32>
}

// -----

// (C1) of moert.func: a state that is only read is no result.
moert.state @s : !moert.buffer<8 x f32>
// expected-error @+1 {{has no output and writes no state: nothing comes of it}}
moert.func @f() outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x f32>
  moert.checkpoint "s" = %s : !moert.buffer<8 x f32>
}

// -----

// (C10)
moert.state @s : !moert.buffer<8 x f32>
moert.func @f() outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x f32>
  // expected-error @+1 {{reads the state that it writes, which it cannot do in place; copy it to a buffer of the arena first}}
  moert.copy %s outs(%s) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C10): rows are read while others are written.
moert.state @s : !moert.buffer<8 x 4 x f32>
moert.func @f("index" %index: !moert.buffer<8 x i32>) outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x 4 x f32>
  // expected-error @+1 {{reads the state that it writes}}
  moert.write_rows %s, %index outs(%s)
    : !moert.buffer<8 x 4 x f32>, !moert.buffer<8 x i32>, !moert.buffer<8 x 4 x f32>
}

// -----

// (C10)
moert.state @s : !moert.buffer<8 x 4 x f32>
moert.func @f("index" %index: !moert.buffer<8 x i32>) outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x 4 x f32>
  // expected-error @+1 {{reads the state that it writes}}
  moert.read_rows %s, %index outs(%s)
    : !moert.buffer<8 x 4 x f32>, !moert.buffer<8 x i32>, !moert.buffer<8 x 4 x f32>
}

// -----

// (C10): the kernel of a launch is code that nobody can check.
moert.state @s : !moert.buffer<8 x f32>
moert.kernel @k "k" reads(1) writes(1) threads(32) images [
  #moert.image<arch = "sm_90", shared = 0, hash = "63781d171425a36312fa058d8712d5d0",
               data = dense_resource<k_sm_90> : tensor<4xi8>>]
moert.func @f() outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x f32>
  // expected-error @+1 {{reads the state that it writes}}
  moert.launch @k grid(1) reads(%s) writes(%s) work("moert.add")
    : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C10)
moert.state @ids : !moert.buffer<4 x 2 x i32>
moert.func @f("ids" %x: !moert.buffer<4 x 2 x i32>) outs() {
  %s = moert.state_buffer @ids : !moert.buffer<4 x 2 x i32>
  %permutation = moert.buffer : !moert.buffer<8 x i32>
  %offsets = moert.buffer : !moert.buffer<9 x i32>
  moert.dispatch %x experts(8) outs(%permutation, %s, %offsets)
    : !moert.buffer<4 x 2 x i32>, !moert.buffer<8 x i32>, !moert.buffer<4 x 2 x i32>,
      !moert.buffer<9 x i32>
  %again = moert.buffer : !moert.buffer<8 x i32>
  %others = moert.buffer : !moert.buffer<8 x i32>
  // expected-error @+1 {{reads the state that it writes}}
  moert.dispatch %s experts(7) outs(%again, %s, %others)
    : !moert.buffer<4 x 2 x i32>, !moert.buffer<8 x i32>, !moert.buffer<4 x 2 x i32>,
      !moert.buffer<8 x i32>
}

// -----

// (C10)
moert.state @s : !moert.buffer<8 x i32>
moert.func @f("ids" %ids: !moert.buffer<1 x 8 x i32>) outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x i32>
  %inverse = moert.buffer : !moert.buffer<1 x 8 x i32>
  // expected-error @+1 {{writes a buffer twice}}
  moert.dispatch %ids experts(7) outs(%s, %inverse, %s)
    : !moert.buffer<1 x 8 x i32>, !moert.buffer<8 x i32>, !moert.buffer<1 x 8 x i32>,
      !moert.buffer<8 x i32>
}

// -----

// (C11)
moert.state @s : !moert.buffer<8 x f32>
moert.func @f() outs() {
  %a = moert.state_buffer @s : !moert.buffer<8 x f32>
  // expected-error @+1 {{the function has a buffer of state @s already}}
  %b = moert.state_buffer @s : !moert.buffer<8 x f32>
  moert.copy %a outs(%b) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C5): rows are written of states alone, since what is not written must be there.
moert.func @f("x" %x: !moert.buffer<2 x 4 x f32>, "index" %index: !moert.buffer<2 x i32>)
    outs("y" %y: !moert.buffer<8 x 4 x f32>) {
  // expected-error @+1 {{reads a buffer that no operation before has written}}
  moert.write_rows %x, %index outs(%y)
    : !moert.buffer<2 x 4 x f32>, !moert.buffer<2 x i32>, !moert.buffer<8 x 4 x f32>
}

// -----

// (C5)
moert.func @f("x" %x: !moert.buffer<2 x 4 x f32>, "index" %index: !moert.buffer<2 x i32>,
              "table" %table: !moert.buffer<8 x 4 x f32>) outs() {
  // expected-error @+1 {{writes an input of the function}}
  moert.write_rows %x, %index outs(%table)
    : !moert.buffer<2 x 4 x f32>, !moert.buffer<2 x i32>, !moert.buffer<8 x 4 x f32>
}

// -----

// (C9): what a dispatch has written into a state may have been written again.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.state @s : !moert.buffer<8 x i32>
  moert.func @f("x" %x: !moert.buffer<4 x 16 x f32>, "ids" %ids: !moert.buffer<4 x 2 x i32>)
      outs("y" %y: !moert.buffer<8 x 16 x f32>) {
    %s = moert.state_buffer @s : !moert.buffer<8 x i32>
    %inverse = moert.buffer : !moert.buffer<4 x 2 x i32>
    %offsets = moert.buffer : !moert.buffer<9 x i32>
    moert.dispatch %ids experts(8) outs(%s, %inverse, %offsets)
      : !moert.buffer<4 x 2 x i32>, !moert.buffer<8 x i32>, !moert.buffer<4 x 2 x i32>,
        !moert.buffer<9 x i32>
    // expected-error @+1 {{reads as permutation what is not the permutation of a moert.dispatch}}
    moert.gather %x, %s slots(2) outs(%y)
      : !moert.buffer<4 x 16 x f32>, !moert.buffer<8 x i32>, !moert.buffer<8 x 16 x f32>
  }
}

// -----

// (C9): nor what was copied there.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.state @s : !moert.buffer<8 x i32>
  moert.func @f("x" %x: !moert.buffer<4 x 16 x f32>, "ids" %ids: !moert.buffer<4 x 2 x i32>)
      outs("y" %y: !moert.buffer<8 x 16 x f32>) {
    %s = moert.state_buffer @s : !moert.buffer<8 x i32>
    %permutation = moert.buffer : !moert.buffer<8 x i32>
    %inverse = moert.buffer : !moert.buffer<4 x 2 x i32>
    %offsets = moert.buffer : !moert.buffer<9 x i32>
    moert.dispatch %ids experts(8) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<4 x 2 x i32>, !moert.buffer<8 x i32>, !moert.buffer<4 x 2 x i32>,
        !moert.buffer<9 x i32>
    moert.copy %permutation outs(%s) : !moert.buffer<8 x i32>, !moert.buffer<8 x i32>
    // expected-error @+1 {{reads as permutation what is not the permutation of a moert.dispatch}}
    moert.gather %x, %s slots(2) outs(%y)
      : !moert.buffer<4 x 16 x f32>, !moert.buffer<8 x i32>, !moert.buffer<8 x 16 x f32>
  }
}

// -----

// (C1) of moert.read_rows
moert.func @f("t" %t: !moert.buffer<8 x 2 x 4 x f32>, "i" %i: !moert.buffer<2 x i32>)
    outs("y" %y: !moert.buffer<2 x 4 x f32>) {
  // expected-error @+1 {{table must have rank 2}}
  moert.read_rows %t, %i outs(%y)
    : !moert.buffer<8 x 2 x 4 x f32>, !moert.buffer<2 x i32>, !moert.buffer<2 x 4 x f32>
}

// -----

// (C1)
moert.func @f("t" %t: !moert.buffer<8 x 4 x f32>, "i" %i: !moert.buffer<2 x 1 x i32>)
    outs("y" %y: !moert.buffer<2 x 4 x f32>) {
  // expected-error @+1 {{index must have rank 1}}
  moert.read_rows %t, %i outs(%y)
    : !moert.buffer<8 x 4 x f32>, !moert.buffer<2 x 1 x i32>, !moert.buffer<2 x 4 x f32>
}

// -----

// (C1)
moert.func @f("t" %t: !moert.buffer<8 x 4 x i32>, "i" %i: !moert.buffer<2 x i32>)
    outs("y" %y: !moert.buffer<2 x 4 x f32>) {
  // expected-error @+1 {{table and output must have one element kind, got '!moert.buffer<8 x 4 x i32>' and '!moert.buffer<2 x 4 x f32>'}}
  moert.read_rows %t, %i outs(%y)
    : !moert.buffer<8 x 4 x i32>, !moert.buffer<2 x i32>, !moert.buffer<2 x 4 x f32>
}

// -----

// (C1)
moert.func @f("t" %t: !moert.buffer<8 x 4 x f32>, "i" %i: !moert.buffer<2 x i32>)
    outs("y" %y: !moert.buffer<3 x 4 x f32>) {
  // expected-error @+1 {{output must be [2, 4], got '!moert.buffer<3 x 4 x f32>'}}
  moert.read_rows %t, %i outs(%y)
    : !moert.buffer<8 x 4 x f32>, !moert.buffer<2 x i32>, !moert.buffer<3 x 4 x f32>
}

// -----

// (C2)
moert.func @f("t" %t: !moert.buffer<2147483648 x 4 x f32>, "i" %i: !moert.buffer<2 x i32>)
    outs("y" %y: !moert.buffer<2 x 4 x f32>) {
  // expected-error @+1 {{table must have at most 2^31 - 1 rows, got '!moert.buffer<2147483648 x 4 x f32>'}}
  moert.read_rows %t, %i outs(%y)
    : !moert.buffer<2147483648 x 4 x f32>, !moert.buffer<2 x i32>, !moert.buffer<2 x 4 x f32>
}

// -----

// (C2)
moert.symbol @n max(8)
moert.func @f("t" %t: !moert.buffer<8 x n x f32>, "i" %i: !moert.buffer<2 x i32>)
    outs("y" %y: !moert.buffer<2 x n x f32>) {
  // expected-error @+1 {{the last dimension of table must be constant, got '!moert.buffer<8 x n x f32>'}}
  moert.read_rows %t, %i outs(%y)
    : !moert.buffer<8 x n x f32>, !moert.buffer<2 x i32>, !moert.buffer<2 x n x f32>
}

// -----

// (C1) of moert.write_rows
moert.state @s : !moert.buffer<8 x 4 x f32>
moert.func @f("x" %x: !moert.buffer<3 x 4 x f32>, "i" %i: !moert.buffer<2 x i32>) outs() {
  %s = moert.state_buffer @s : !moert.buffer<8 x 4 x f32>
  // expected-error @+1 {{rows must be [2, 4], got '!moert.buffer<3 x 4 x f32>'}}
  moert.write_rows %x, %i outs(%s)
    : !moert.buffer<3 x 4 x f32>, !moert.buffer<2 x i32>, !moert.buffer<8 x 4 x f32>
}

// -----

// (C1) of moert.check_rows
moert.func @f("s" %s: !moert.buffer<3 x i32>) outs("y" %y: !moert.buffer<3 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<3 x i32>, !moert.buffer<3 x i32>
  // expected-error @+1 {{status must be [2], got '!moert.buffer<3 x i32>'}}
  moert.check_rows %y rows(4) : !moert.buffer<3 x i32>
}

// -----

// (C2)
moert.func @f("s" %s: !moert.buffer<2 x i32>) outs("y" %y: !moert.buffer<2 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
  // expected-error @+1 {{rows must be 1 to 2^31 - 1, got 0}}
  moert.check_rows %y rows(0) : !moert.buffer<2 x i32>
}

// -----

// (C1) of moert.check_places
moert.func @f("s" %s: !moert.buffer<2 x i32>) outs("y" %y: !moert.buffer<2 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
  // expected-error @+1 {{status must be [4], got '!moert.buffer<2 x i32>'}}
  moert.check_places %y : !moert.buffer<2 x i32>
}
