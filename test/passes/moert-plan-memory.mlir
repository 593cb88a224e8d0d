// RUN: sortie-opt %s --pass-pipeline="builtin.module(moert.func(moert-plan-memory))" | FileCheck %s
// Planned again, the result is the same.
// RUN: sortie-opt %s \
// RUN:   --pass-pipeline="builtin.module(moert.func(moert-plan-memory,moert-plan-memory))" \
// RUN:   | FileCheck %s

module attributes {moert.program = #moert.program<abi = 3, numerics = 0, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.symbol @rows max(8)
  moert.weight @norm "norm" : 16xf32
  moert.kernel @one "one" reads(1) writes(1) threads(32)
    sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
  moert.kernel @two "two" reads(1) writes(2) threads(32)
    sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

  // The first and the last buffer are never live together and share their bytes; the one between
  // lies beside both. Per token, 16 floats are 64 bytes.
  // CHECK-LABEL: moert.func @shared
  // CHECK-SAME: arena(128*tokens)
  moert.func @shared("x" %x: !moert.buffer<tokens x 16 x f32>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
    // CHECK-NEXT: %[[A:.*]] = moert.buffer offset(0)
    %a = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%a)
      : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    // CHECK: moert.buffer offset(64*tokens)
    %b = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.add %a, %a outs(%b) : !moert.buffer<tokens x 16 x f32>,
      !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    // CHECK: moert.buffer offset(0)
    %c = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.add %b, %b outs(%c) : !moert.buffer<tokens x 16 x f32>,
      !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.add %c, %c outs(%y) : !moert.buffer<tokens x 16 x f32>,
      !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.return
  }

  // Sizes are rounded up to 64 bytes in both parts: 2 ids a token take 64 bytes, 5 offsets 64.
  // A buffer that nobody uses disappears.
  // CHECK-LABEL: moert.func @rounded
  // CHECK-SAME: arena(128*tokens+64)
  // CHECK-COUNT-3: = moert.buffer offset
  // CHECK-NOT: = moert.buffer
  moert.func @rounded("ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("permutation" %y: !moert.buffer<2*tokens x i32>) {
    %unused = moert.buffer : !moert.buffer<tokens x 16 x f32>
    %perm = moert.buffer : !moert.buffer<2*tokens x i32>
    %inv = moert.buffer : !moert.buffer<tokens x 2 x i32>
    %off = moert.buffer : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%perm, %inv, %off) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    moert.copy %perm outs(%y) : !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x i32>
    moert.return
  }

  // Buffers that launches read and write, and the status until it is checked.
  // CHECK-LABEL: moert.func @launches
  // CHECK-SAME: arena(128*tokens+64)
  moert.func @launches("x" %x: !moert.buffer<tokens x 16 x f32>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
    // CHECK-NEXT: moert.buffer offset(0)
    %a = moert.buffer : !moert.buffer<tokens x 16 x f32>
    // CHECK-NEXT: moert.buffer offset(128*tokens)
    %status = moert.buffer : !moert.buffer<2 x i32>
    moert.launch @two grid(tokens) reads(%x) writes(%a, %status) work("moert.add")
      : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>, !moert.buffer<2 x i32>
    // CHECK: moert.buffer offset(64*tokens)
    %b = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.launch @one grid(tokens) reads(%a) writes(%b) work("moert.add")
      : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    // CHECK: moert.buffer offset(0)
    %c = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.launch @one grid(tokens) reads(%b) writes(%c) work("moert.add")
      : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.check_ids %status experts(8) slots(2) : !moert.buffer<2 x i32>
    moert.launch @one grid(tokens) reads(%c) writes(%y) work("moert.add")
      : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.return
  }

  // A region for each symbol; what is of constant size lies in the first.
  // CHECK-LABEL: moert.func @two_symbols
  // CHECK-SAME: arena(128*rows+64, 64*tokens)
  moert.func @two_symbols("x" %x: !moert.buffer<tokens x 16 x f32>,
                          "z" %z: !moert.buffer<rows x 32 x f32>,
                          "c" %c: !moert.buffer<16 x f32>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>, "u" %u: !moert.buffer<rows x 32 x f32>,
           "v" %v: !moert.buffer<16 x f32>) {
    // CHECK: moert.buffer offset(0) : !moert.buffer<rows x 32 x f32>
    // CHECK: moert.buffer offset(128*rows) : !moert.buffer<16 x f32>
    // CHECK: moert.buffer offset(0) : !moert.buffer<tokens x 16 x f32>
    %b = moert.buffer : !moert.buffer<rows x 32 x f32>
    %k = moert.buffer : !moert.buffer<16 x f32>
    %a = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.copy %z outs(%b) : !moert.buffer<rows x 32 x f32>, !moert.buffer<rows x 32 x f32>
    moert.copy %c outs(%k) : !moert.buffer<16 x f32>, !moert.buffer<16 x f32>
    moert.copy %x outs(%a) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.copy %a outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.copy %k outs(%v) : !moert.buffer<16 x f32>, !moert.buffer<16 x f32>
    moert.copy %b outs(%u) : !moert.buffer<rows x 32 x f32>, !moert.buffer<rows x 32 x f32>
    moert.return
  }

  // Nothing to place: the arena is empty. Sizes without a symbol need none.
  // CHECK-LABEL: moert.func @no_buffers
  // CHECK-SAME: arena(0)
  moert.func @no_buffers("x" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>) {
    moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
    moert.return
  }
}
