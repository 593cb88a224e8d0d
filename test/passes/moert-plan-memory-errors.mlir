// RUN: sortie-opt %s --pass-pipeline="builtin.module(moert.func(moert-plan-memory))" \
// RUN:   --split-input-file --verify-diagnostics

moert.symbol @tokens max(512)
moert.symbol @sequences max(16)
moert.func @two_symbols("x" %x: !moert.buffer<tokens x f32>, "z" %z: !moert.buffer<sequences x f32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  %a = moert.buffer : !moert.buffer<tokens x f32>
  moert.copy %x outs(%a) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  // expected-error @below {{has a size in sequences, another one in tokens; an arena can only be planned over one symbol}}
  %b = moert.buffer : !moert.buffer<sequences x f32>
  moert.copy %z outs(%b) : !moert.buffer<sequences x f32>, !moert.buffer<sequences x f32>
  moert.copy %a outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.return
}
