// Kernels of rows by themselves, at lengths with and without an odd end: each compiles for each
// generation of chips, and none spills, uses local memory or static shared memory (that would be a
// warning, which --verify-diagnostics does not expect).
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_89,sm_90a join-launches=false" --moert-compile-kernels \
// RUN:   --verify-diagnostics | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a join-launches=false" | FileCheck %s --check-prefix=CALL

// CHECK-COUNT-18: moert.kernel
// CHECK-NOT: moert.kernel

// Floats are exact: template arguments are their bits.
// CALL: rmsNormRows<2048, 0x358637bdu>(r0, w0, g0)
// CALL: rmsNormRows<2880, 0x3727c5acu>(r0, w0, g0)
// CALL: quantizeRows<sortie::numerics::RowKind::Int16, 2048>(r0, w0)
// CALL: quantizeRows<sortie::numerics::RowKind::Int8, 352>(r0, w0)
// CALL: addRows<2048>(r0, r1, w0)
// CALL: addRows<33>(r0, r1, w0)
// CALL: scaleRows<33, 0x3e6147aeu>(r0, w0)
// CALL: gluRows<2880, sortie::numerics::GluKind::Swiglu, 0x00000000u, 0x00000000u>(r0, r1, w0)
// CALL: gluRows<2880, sortie::numerics::GluKind::SwigluClamped, 0x3fd9db23u, 0x40e00000u>(r0, r1, w0)
// CALL: gatherRows<2048, 8>(r0, r1, w0)
// CALL: unsortRows<2048>(r0, r1, w0)
// CALL: combineRows<2048, 8>(r0, nullptr, nullptr, w0)
// CALL: combineRows<2048, 8>(r0, nullptr, r1, w0)
// CALL: combineRows<2048, 8>(r0, r1, nullptr, w0)
// CALL: combineRows<2048, 8>(r0, r1, r2, w0)
// CALL: combineRows<64, 1>(r0, nullptr, nullptr, w0)
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @norm "norm" : 2048xf32
  moert.weight @long "long" : 2880xf32

  moert.func @rows("x" %x: !moert.buffer<tokens x 2048 x f32>,
                   "long" %long: !moert.buffer<tokens x 2880 x f32>,
                   "odd" %odd: !moert.buffer<tokens x 33 x f32>,
                   "short" %short: !moert.buffer<tokens x 352 x f32>)
      outs("y" %y: !moert.buffer<tokens x 2048 x f32>) {
    moert.rms_norm %x, @norm eps(1.0e-6) outs(%y)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    %n = moert.buffer : !moert.buffer<tokens x 2880 x f32>
    moert.rms_norm %long, @long eps(1.0e-5) outs(%n)
      : !moert.buffer<tokens x 2880 x f32>, !moert.buffer<tokens x 2880 x f32>
    %q16 = moert.buffer : !moert.buffer<tokens x 2048 x act16>
    moert.quantize %x outs(%q16) : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>
    %q8 = moert.buffer : !moert.buffer<tokens x 352 x act8>
    moert.quantize %short outs(%q8) : !moert.buffer<tokens x 352 x f32>, !moert.buffer<tokens x 352 x act8>
    %s = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.add %x, %x outs(%s) : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>,
      !moert.buffer<tokens x 2048 x f32>
    %o = moert.buffer : !moert.buffer<tokens x 33 x f32>
    moert.add %odd, %odd outs(%o) : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x f32>,
      !moert.buffer<tokens x 33 x f32>
    %scaled = moert.buffer : !moert.buffer<tokens x 33 x f32>
    moert.scale %odd by(0.22) outs(%scaled)
      : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x f32>
    %g = moert.buffer : !moert.buffer<tokens x 2880 x f32>
    moert.glu %long, %long kind(swiglu) outs(%g) : !moert.buffer<tokens x 2880 x f32>,
      !moert.buffer<tokens x 2880 x f32>, !moert.buffer<tokens x 2880 x f32>
    %c = moert.buffer : !moert.buffer<tokens x 2880 x f32>
    moert.glu %long, %long kind(swiglu_clamped) alpha(1.702) limit(7.0) outs(%c)
      : !moert.buffer<tokens x 2880 x f32>, !moert.buffer<tokens x 2880 x f32>,
        !moert.buffer<tokens x 2880 x f32>
    moert.return
  }

  moert.func @order("x" %x: !moert.buffer<tokens x 2048 x f32>,
                    "ids" %ids: !moert.buffer<tokens x 8 x i32>,
                    "weights" %w: !moert.buffer<tokens x 8 x f32>,
                    "slots" %slots: !moert.buffer<tokens x 8 x 2048 x f32>,
                    "one" %one: !moert.buffer<tokens x 1 x 64 x f32>)
      outs("y" %y: !moert.buffer<tokens x 2048 x f32>) {
    %p = moert.buffer : !moert.buffer<8*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 8 x i32>
    %f = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(16) outs(%p, %i, %f)
      : !moert.buffer<tokens x 8 x i32>, !moert.buffer<8*tokens x i32>,
        !moert.buffer<tokens x 8 x i32>, !moert.buffer<17 x i32>
    %r = moert.buffer : !moert.buffer<8*tokens x 2048 x f32>
    moert.gather %x, %p slots(8) outs(%r) : !moert.buffer<tokens x 2048 x f32>,
      !moert.buffer<8*tokens x i32>, !moert.buffer<8*tokens x 2048 x f32>
    %u = moert.buffer : !moert.buffer<tokens x 8 x 2048 x f32>
    moert.unsort %r, %i outs(%u) : !moert.buffer<8*tokens x 2048 x f32>,
      !moert.buffer<tokens x 8 x i32>, !moert.buffer<tokens x 8 x 2048 x f32>
    %a = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.combine %slots outs(%a)
      : !moert.buffer<tokens x 8 x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    %b = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.combine %slots weights(%w) outs(%b) : !moert.buffer<tokens x 8 x 2048 x f32>,
      !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2048 x f32>
    %c = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.combine %r inverse(%i) outs(%c) : !moert.buffer<8*tokens x 2048 x f32>,
      !moert.buffer<tokens x 8 x i32>, !moert.buffer<tokens x 2048 x f32>
    moert.combine %r inverse(%i) weights(%w) outs(%y) : !moert.buffer<8*tokens x 2048 x f32>,
      !moert.buffer<tokens x 8 x i32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2048 x f32>
    %d = moert.buffer : !moert.buffer<tokens x 64 x f32>
    moert.combine %one outs(%d)
      : !moert.buffer<tokens x 1 x 64 x f32>, !moert.buffer<tokens x 64 x f32>
    moert.return
  }
}
