// Indices come from one dispatch, in their roles: (C9) of moert.func.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
      outs("y" %y: !moert.buffer<2*tokens x 8 x f32>) {
    // expected-error @+1 {{'moert.gather' op reads as permutation what is not the permutation of a moert.dispatch, so its values cannot be trusted}}
    moert.gather %x, %p slots(2) outs(%y) : !moert.buffer<tokens x 8 x f32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x 8 x f32>
    moert.return
  }
}

// -----

// Outside of a program, an operation may stand alone.
moert.symbol @tokens max(16)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<2*tokens x 8 x f32>) {
  moert.gather %x, %p slots(2) outs(%y) : !moert.buffer<tokens x 8 x f32>,
    !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x 8 x f32>
  moert.return
}

// -----

// The other indices of the same dispatch are not those.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.func @f("rows" %rows: !moert.buffer<2*tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>) {
    // expected-error @+1 {{'moert.combine' op reads as inverse what is not the inverse of a moert.dispatch}}
    moert.combine %rows inverse(%ids) outs(%y) : !moert.buffer<2*tokens x 8 x f32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 8 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.weight @w "w" : 4x4x8xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<2*tokens x 4 x f32>) {
    %p1 = moert.buffer : !moert.buffer<2*tokens x i32>
    %i1 = moert.buffer : !moert.buffer<tokens x 2 x i32>
    %o1 = moert.buffer : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%p1, %i1, %o1) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    %p2 = moert.buffer : !moert.buffer<2*tokens x i32>
    %i2 = moert.buffer : !moert.buffer<tokens x 2 x i32>
    %o2 = moert.buffer : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%p2, %i2, %o2) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    // expected-error @+1 {{reads indices of two different moert.dispatch}}
    moert.matmul %x, @w offsets(%o1) permutation(%p2) slots(2) arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<2*tokens x 4 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.weight @w "w" : 4x4x8xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<tokens x 4 x f32>) {
    %p = moert.buffer : !moert.buffer<2*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 2 x i32>
    %o = moert.buffer : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%p, %i, %o) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    // expected-error @+1 {{has another number of rows than the moert.dispatch of its offsets}}
    moert.matmul %x, @w offsets(%o) arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<5 x i32>, !moert.buffer<tokens x 4 x f32>
    moert.return
  }
}

// -----

// An order, too.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.func @f("x" %x: !moert.buffer<2*tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<2*tokens x 8 x f32>) {
    moert.copy %x outs(%y) : !moert.buffer<2*tokens x 8 x f32>, !moert.buffer<2*tokens x 8 x f32>
    // expected-error @+1 {{'moert.checkpoint' op reads as inverse what is not the inverse}}
    moert.checkpoint "y" = %y order(%ids) : !moert.buffer<2*tokens x 8 x f32>,
      !moert.buffer<tokens x 2 x i32>
    moert.return
  }
}
