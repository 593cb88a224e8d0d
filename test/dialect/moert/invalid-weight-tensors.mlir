// What moert refuses of weights that are parts of tensors, or several, cited as Tensors.td, and
// MoeOps.td for (C4) and (C5), number the constraints.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// tensors: (C1)
// expected-error @+1 {{names of tensors must not be empty and all different}}
moert.weight @w ["a", ""] : 2x64xf32

// -----

// tensors: (C1)
// expected-error @+1 {{names of tensors must not be empty and all different}}
moert.weight @w ["a", "b", "a"] : 3x64xf32

// -----

// tensors: (C2)
// expected-error @+1 {{rows must begin at 0 or later and before their total, at most 2^31 - 1, got 4 of 4}}
moert.weight @w "a" rows(4 of 4) : 1x64xf32

// -----

// tensors: (C2)
// expected-error @+1 {{rows must begin at 0 or later and before their total, at most 2^31 - 1, got -1 of 4}}
moert.weight @w "a" rows(-1 of 4) : 1x64xf32

// -----

// tensors: (C2)
// expected-error @+1 {{columns must begin at 0 or later and before their total, at most 2^31 - 1, got 0 of 2147483648}}
moert.weight @w "a" columns(0 of 2147483648) : 1x64xf32

// -----

// tensors: (C2)
// expected-error @+1 {{rows of 0 hold nothing}}
moert.weight @w "a" rows(0 of 0) : 1x64xf32

// -----

// expected-error @+1 {{expected string}}
moert.weight @w [] : 1x64xf32

// -----

// (C4)
// expected-error @+1 {{a weight that stacks 2 tensors has 2 or 3 dimensions, of which the first is 2}}
moert.weight @w ["a", "b"] : 3x4x64xf32

// -----

// (C4)
// expected-error @+1 {{a weight that stacks 2 tensors has 2 or 3 dimensions, of which the first is 2}}
moert.weight @w ["a", "b"] : 2xf32

// -----

// (C5)
// expected-error @+1 {{rows are of matrices; take columns for a part of each row}}
moert.weight @w "a" rows(0 of 4) : 2xf32

// -----

// (C5)
// expected-error @+1 {{rows are of matrices; take columns for a part of each row}}
moert.weight @w ["a", "b"] rows(0 of 4) : 2x64xf32

// -----

// (C5)
// expected-error @+1 {{rows 3 to 4 do not lie in 4}}
moert.weight @w "a" rows(3 of 4) : 8x2x64xf32

// -----

// (C5)
// expected-error @+1 {{columns 32 to 95 do not lie in 64}}
moert.weight @w "a" columns(32 of 64) : 64xf32

// -----

// (C5)
// expected-error @+1 {{columns must begin and end with blocks of 32 elements, got 16 of 96}}
moert.weight @w "a" columns(16 of 96) : 2x64xq8_0

// -----

// (C5)
// expected-error @+1 {{columns must begin and end with blocks of 32 elements, got 32 of 112}}
moert.weight @w "a" columns(32 of 112) : 2x64xq8_0

// -----

// tensors: (C3)
// expected-error @+1 {{a whole tensor is named by a string alone}}
module attributes {a.b = #moert.tensors<"a">} {}

// -----

// (C7): the whole tensor is too large, its part is not
// expected-error @+1 {{the weight is larger than 2^48 bytes}}
moert.weight @w "a" rows(0 of 2147483647) : 2147483647x1x64xf32

// -----

// (C7)
// expected-error @+1 {{q4_k_r4 stores rows in strips of 4; a weight is made of whole strips}}
moert.weight @w "a" : 6x256xq4_k_r4

// -----

// (C7)
// expected-error @+1 {{rows of iq4_ks have a header; columns can be parts of rows without one}}
moert.weight @w "a" columns(0 of 512) : 4x256xiq4_ks

// -----

// (C7)
// expected-error @+1 {{only matrices can be transposed}}
moert.weight @w "a" transposed : 64xf32
