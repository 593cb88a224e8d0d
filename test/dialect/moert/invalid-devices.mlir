// What must hold of functions for several devices, of their buffers and of their states.

// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// (C13)
// expected-error @+1 {{the target must not be empty}}
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) target("") {
  moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C13)
// expected-error @+1 {{the device must not be negative, got -1}}
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) device(-1) {
  moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C13)
// expected-error @+1 {{argument "x" lies on another device than the function, whose device is 1: '!moert.buffer<8 x f32>'}}
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) device(1) {
  moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// Between two GPUs.
// expected-error @+1 {{argument "y" lies on another device than the function, whose device is 0: '!moert.buffer<8 x f32, device = 1>'}}
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32, device = 1>) {
  moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32, device = 1>
}

// -----

moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) {
  // (C13)
  // expected-error @+1 {{its buffer lies on another device than the function, whose device is 0: '!moert.buffer<8 x f32, device = 1>'}}
  %0 = moert.buffer : !moert.buffer<8 x f32, device = 1>
  moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

// (C14)
moert.func @f("x" %x: !moert.buffer<8 x f32, space = "host">)
    outs("y" %y: !moert.buffer<8 x f32, space = "host">) {
  // expected-error @+1 {{works in space "global", got '!moert.buffer<8 x f32, space = "host">'; moert.copy moves a buffer there and back}}
  moert.scale %x by(0.5) outs(%y)
    : !moert.buffer<8 x f32, space = "host">, !moert.buffer<8 x f32, space = "host">
}

// -----

moert.func @f("x" %x: !moert.buffer<8 x f32, space = "host">)
    outs("y" %y: !moert.buffer<8 x f32, space = "host">) {
  // (C2)
  // expected-error @+1 {{input or output must lie in space "global", got}}
  moert.copy %x outs(%y)
    : !moert.buffer<8 x f32, space = "host">, !moert.buffer<8 x f32, space = "host">
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run], features = [], producer = "by hand">} {
  // (C5)
  // expected-error @+1 {{is used by "f", which runs on "cuda", and by "g", which runs on "cpu"; a state lies on one device}}
  moert.state @s : !moert.buffer<8 x f32>
  moert.func @f("x" %x: !moert.buffer<8 x f32>) outs() {
    %s = moert.state_buffer @s : !moert.buffer<8 x f32>
    moert.copy %x outs(%s) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  }
  moert.func @unrelated("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>)
      target("cpu") {
    moert.copy %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  }
  moert.func @g() outs("y" %y: !moert.buffer<8 x f32>) target("cpu") {
    %s = moert.state_buffer @s : !moert.buffer<8 x f32>
    moert.copy %s outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
  }
}

// -----

moert.state @s : !moert.buffer<8 x f32>
moert.func @f("x" %x: !moert.buffer<8 x f32, device = 1>) outs() device(1) {
  // A state's device is in its type.
  // expected-error @+1 {{state @s is '!moert.buffer<8 x f32>', got '!moert.buffer<8 x f32, device = 1>'}}
  %s = moert.state_buffer @s : !moert.buffer<8 x f32, device = 1>
  moert.copy %x outs(%s) : !moert.buffer<8 x f32, device = 1>, !moert.buffer<8 x f32, device = 1>
}
