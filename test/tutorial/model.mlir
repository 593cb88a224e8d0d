// The model of docs/tutorial-model.md; the commands below are those of the page.
//
// RUN: sortie-opt %s --sortie-compile="target=cpu" --emit-bytecode -o %t.mlirbc
// RUN: sortie-run %t.mlirbc --describe | FileCheck %s --check-prefix=DESCRIBE
// RUN: sortie-opt %t.mlirbc | FileCheck %s --check-prefix=PROGRAM
// RUN: %python -c "import numpy as np; t = np.random.default_rng(1).integers(0, 256, (3, 200), dtype=np.int32); np.save('%t.tokens.npy', t); np.save('%t.second.npy', t[1:2])"
// RUN: sortie-run logits %t.mlirbc --weights random:seed=1 --tokens %t.tokens.npy --output %t.logits.npy
// RUN: sortie-run logits %t.mlirbc --weights random:seed=1 --tokens %t.second.npy --output %t.alone.npy \
// RUN:   --threads 1 --cpu-isa portable
// RUN: %python -c "import numpy as np; l = np.load('%t.logits.npy'); print(l.shape, np.isfinite(l).all(), np.array_equal(l[1:2], np.load('%t.alone.npy')))" \
// RUN:   | FileCheck %s --check-prefix=LOGITS
// RUN: %python -c "import numpy as np; save = lambda name, x: np.save('%t.' + name + '.npy', np.array(x, np.int32)); save('t', [72, 101, 108, 108, 111]); save('p', range(5)); save('s', [0] * 5); save('g', [[0, -1]]); save('r', [4])"
// RUN: sortie-run %t.mlirbc --function forward --weights random:seed=1 --input tokens=%t.t.npy --input positions=%t.p.npy \
// RUN:   --input sequences=%t.s.npy --input pages=%t.g.npy --input rows=%t.r.npy --symbol pages=1 --checksums \
// RUN:   | FileCheck %s --check-prefix=HAND
// RUN: sed "/lm.write_cache/d" %s > %t.mlir
// RUN: not sortie-opt %t.mlir --sortie-compile="target=cpu" 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: sortie-run bench %t.mlirbc --weights random:seed=1 -p 64 -n 8 -r 2 --sequences 1,4 | FileCheck %s --check-prefix=BENCH
//
// DESCRIBE: symbol       pages is of a session, 1 to 1048576
// DESCRIBE: state        cache: i32 [pages, 4352], 17.0 KiB for each of pages
// DESCRIBE: input pages: i32 [slots, 2]
// DESCRIBE: output logits: f32 [rows, 256]
//
// PROGRAM: moert.state @cache : !moert.buffer<pages x 4352 x i32>
// PROGRAM: moert.append {{.*}} width(int16)
// PROGRAM: moert.attend {{.*}} query_width(int16) width(int16)
//
// LOGITS: (3, 200, 256) True True
//
// HAND: {{^}}q {{[0-9a-f]+}}
// HAND-NEXT: k {{[0-9a-f]+}}
// HAND-NEXT: attention {{[0-9a-f]+}}
// HAND: forward:logits {{[0-9a-f]+}}
//
// MISSING: error: 'lm.append' op makes the last value of cache @cache, which no lm.write_cache keeps
//
// BENCH: pp64
// BENCH: tg8
module attributes {moe.contract = #moe.contract<run, batch, device>} {
  lm.cache @cache : !lm.cache<1 x 32 x 32>

  func.func @forward(%tokens: tensor<?xi32> {moe.name = "tokens"},
                     %positions: tensor<?xi32> {moe.name = "positions"},
                     %sequences: tensor<?xi32> {moe.name = "sequences"},
                     %pages: tensor<?x2xi32> {moe.name = "pages", moe.symbol = "slots"},
                     %rows: tensor<?xi32> {moe.name = "rows", moe.symbol = "rows"})
      -> (tensor<?x256xf32> {moe.name = "logits"}) {
    // A row for each token.
    %table = moe.weight "embedding" : tensor<256x64x!moe.block<q8_0>>
    %x = lm.embed %tokens, %table {moe.names = ["x"]}
      : (tensor<?xi32>, tensor<256x64x!moe.block<q8_0>>) -> tensor<?x64xf32>

    // Attention: two heads of queries share one of keys and values.
    %cache = lm.read_cache @cache : !lm.cache<1 x 32 x 32>
    %n1 = moe.weight "norm.1" : tensor<64xf32>
    %h = moe.rms_norm %x, %n1 eps(1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
    %wq = moe.weight "q" : tensor<64x64x!moe.block<q8_0>>
    %q = moe.matmul %h, %wq : (tensor<?x64xf32>, tensor<64x64x!moe.block<q8_0>>) -> tensor<?x64xf32>
    %wk = moe.weight "k" : tensor<32x64x!moe.block<q8_0>>
    %k = moe.matmul %h, %wk : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
    %wv = moe.weight "v" : tensor<32x64x!moe.block<q8_0>>
    %v = moe.matmul %h, %wv : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
    %qr = lm.rotate %q, %positions heads(2) pairs(halves)
      frequencies [2935890503282001226, 1650972556229361476, 928410095122917244, 522083363211519329]
      {moe.names = ["q"]} : tensor<?x64xf32>, tensor<?xi32>
    %kr = lm.rotate %k, %positions heads(1) pairs(halves)
      frequencies [2935890503282001226, 1650972556229361476, 928410095122917244, 522083363211519329]
      {moe.names = ["k"]} : tensor<?x32xf32>, tensor<?xi32>
    %next = lm.append %cache, %kr, %v at(%positions, %sequences, %pages)
      : !lm.cache<1 x 32 x 32>, tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>,
        tensor<?x2xi32>
    %o = lm.attend %qr, %next at(%positions, %sequences, %pages) heads(2) scale(1.767767e-01)
      {moe.names = ["attention"]}
      : (tensor<?x64xf32>, !lm.cache<1 x 32 x 32>, tensor<?xi32>, tensor<?xi32>, tensor<?x2xi32>)
      -> tensor<?x64xf32>
    lm.write_cache %next, @cache : !lm.cache<1 x 32 x 32>
    %wo = moe.weight "o" : tensor<64x64x!moe.block<q8_0>>
    %p = moe.matmul %o, %wo : (tensor<?x64xf32>, tensor<64x64x!moe.block<q8_0>>) -> tensor<?x64xf32>
    %y = moe.add %p, %x {moe.names = ["y"]} : tensor<?x64xf32>

    // Experts: two of four for each token.
    %n2 = moe.weight "norm.2" : tensor<64xf32>
    %e = moe.rms_norm %y, %n2 eps(1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
    %router = moe.weight "router" : tensor<4x64xf32>
    %scores = moe.matmul %e, %router : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.route %scores top(2) scoring(softmax) normalize tie(lower_id)
      {moe.names = ["ids", "weights"]} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    %gate = moe.weight "gate" : tensor<4x96x64x!moe.block<q8_0>>
    %up = moe.weight "up" : tensor<4x96x64x!moe.block<q8_0>>
    %down = moe.weight "down" : tensor<4x64x96x!moe.block<q8_0>>
    %g = moe.routed_matmul %e, %gate, %ids
      : (tensor<?x64xf32>, tensor<4x96x64x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
    %u = moe.routed_matmul %e, %up, %ids
      : (tensor<?x64xf32>, tensor<4x96x64x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x96xf32>
    %act = moe.glu %g, %u kind(swiglu) : tensor<?x2x96xf32>
    %d = moe.routed_matmul %act, %down, %ids
      : (tensor<?x2x96xf32>, tensor<4x64x96x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
    %sum = moe.combine %d weights(%weights) : (tensor<?x2x64xf32>, tensor<?x2xf32>) -> tensor<?x64xf32>
    %z = moe.add %sum, %y {moe.names = ["z"]} : tensor<?x64xf32>

    // Logits of the tokens that somebody asks for.
    %wanted = lm.select_rows %z, %rows : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
    %n3 = moe.weight "norm.3" : tensor<64xf32>
    %last = moe.rms_norm %wanted, %n3 eps(1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
    %output = moe.weight "output" : tensor<256x64x!moe.block<q8_0>>
    %logits = moe.matmul %last, %output {moe.names = ["logits"]}
      : (tensor<?x64xf32>, tensor<256x64x!moe.block<q8_0>>) -> tensor<?x256xf32>
    return %logits : tensor<?x256xf32>
  }
}
