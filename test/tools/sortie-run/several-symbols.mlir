// A function over two symbols, each of which some inputs give: regions of the arena, shapes, grids, graphs and
// outputs follow from both, on the CPU and on the emulated GPU.

// RUN: sortie-opt %s --pass-pipeline="builtin.module(moert.func(moert-plan-memory))" --emit-bytecode -o %t.cpu
// RUN: env %emulated sortie-opt %s --emit-bytecode -o %t.cuda \
// RUN:   --pass-pipeline="builtin.module(moert-select-kernels{chips=sm_80},moert.func(moert-plan-memory),moert-compile-kernels)"
// RUN: sortie-run %t.cpu --describe | FileCheck %s --check-prefix=DESCRIBE
// DESCRIBE: symbol       tokens is 0 to 64
// DESCRIBE: symbol       rows is 0 to 8
// DESCRIBE: input x: f32 [tokens, 32]
// DESCRIBE: input z: f32 [2*rows, 16]
// DESCRIBE: output u: f32 [2*rows, 16]
// DESCRIBE: intermediate values {{.*}} at 64 tokens, 8 rows

// DEFINE: %{x} = --input x=random:seed=2,tokens
// DEFINE: %{z} = --weights random:seed=1 --checksums --input z=random:seed=3,tokens
// RUN: sortie-run %t.cpu %{x}=7 %{z}=3 > %t.7.3.txt
// RUN: FileCheck %s < %t.7.3.txt
// CHECK: f:y {{[0-9a-f]+}}
// CHECK: f:u {{[0-9a-f]+}}
// RUN: env %emulated sortie-run %t.cuda %{x}=7 %{z}=3 | diff %t.7.3.txt -
// RUN: env %emulated sortie-run %t.cuda %{x}=7 %{z}=3 --eager | diff %t.7.3.txt -

// Neither symbol changes what the other's rows become, not even if it is zero.
// RUN: sortie-run %t.cpu %{x}=7 %{z}=0 | grep f:y > %t.y
// RUN: grep f:y %t.7.3.txt | diff - %t.y
// RUN: env %emulated sortie-run %t.cuda %{x}=7 %{z}=0 | grep f:y | diff %t.y -
// RUN: sortie-run %t.cpu %{x}=0 %{z}=3 | grep f:u > %t.u
// RUN: grep f:u %t.7.3.txt | diff - %t.u
// RUN: env %emulated sortie-run %t.cuda %{x}=0 %{z}=3 | grep f:u | diff %t.u -

// Each symbol keeps its own bound.
// RUN: not sortie-run %t.cpu %{x}=7 %{z}=9 2>&1 | FileCheck %s --check-prefix=BOUND
// BOUND: function 'f': 'rows' is 9, at most 8 were compiled in
// RUN: not sortie-run %t.cpu %{x}=8 --weights random:seed=1 --input z=random:seed=3,tokens=4 --output y=%t.npy --batches 2 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BATCHES
// BATCHES: function 'f': has several symbols, so that --batches cannot split it

module attributes {moert.program = #moert.program<abi = 4, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(64)
  moert.symbol @rows max(8)
  moert.weight @norm "norm" : 32xf32
  moert.weight @small "small" : 16xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "z" %z: !moert.buffer<2*rows x 16 x f32>)
      outs("y" %y: !moert.buffer<tokens x 32 x f32>, "u" %u: !moert.buffer<2*rows x 16 x f32>) {
    %a = moert.buffer : !moert.buffer<tokens x 32 x f32>
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%a)
      : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
    %b = moert.buffer : !moert.buffer<2*rows x 16 x f32>
    moert.rms_norm %z, @small eps(1.0e-06) outs(%b)
      : !moert.buffer<2*rows x 16 x f32>, !moert.buffer<2*rows x 16 x f32>
    moert.checkpoint "a" = %a : !moert.buffer<tokens x 32 x f32>
    moert.add %a, %x outs(%y) : !moert.buffer<tokens x 32 x f32>,
      !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.add %b, %z outs(%u) : !moert.buffer<2*rows x 16 x f32>,
      !moert.buffer<2*rows x 16 x f32>, !moert.buffer<2*rows x 16 x f32>
    moert.return
  }
}
