// Names are UTF-8 without control characters.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{of a tensor must be UTF-8 without control characters}}
moert.weight @w "a\0Ab" : 4xf32

// -----

// expected-error @+1 {{of a tensor must be UTF-8 without control characters}}
moert.weight @w "a\C2\85b" : 4xf32

// -----

// expected-error @+1 {{of a tensor must be UTF-8 without control characters}}
moert.weight @w "\FFb" : 4xf32

// -----

// Other letters are no reason to refuse a name.
moert.weight @w "Gewicht µ 重み" : 4xf32

// -----

// expected-error @+1 {{its name must be UTF-8 without control characters}}
moert.func @"f\09" ("x" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>) {
  moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
  moert.return
}

// -----

// expected-error @+1 {{must have a name that is not empty}}
moert.func @""("x" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>) {
  moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
  moert.return
}

// -----

// expected-error @+1 {{the name "x\1B" of an argument must be UTF-8 without control characters}}
moert.func @f("x\1B" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>) {
  moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
  moert.return
}

// -----

moert.func @f("x" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>) {
  moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
  // expected-error @+1 {{name must be UTF-8 without control characters}}
  moert.checkpoint "y\7F" = %y : !moert.buffer<4 x f32>
  moert.return
}
