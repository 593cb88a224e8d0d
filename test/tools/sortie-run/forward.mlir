// A function 'forward' whose logits are all alike: what the words of whole models make of them, what they need room
// for, and what they say of a function that is none of a whole model.

// DEFINE: %{plan} = sortie-opt --pass-pipeline="builtin.module(moert.func(moert-plan-memory))" -o
// DEFINE: %{weights} = --weights %models/tiny-qwen3moe/tiny-qwen3moe-q4_0.gguf
// RUN: %{plan} %t.mlir %s

// Every token is as likely as any other, as exactly as fp32 has it, and the first comes first: <|bos|>,
// which is no text.
// RUN: sortie-run perplexity %t.mlir %{weights} --file %s --context 64 | FileCheck %s --check-prefix=PERPLEXITY
// PERPLEXITY: [1]4096.0001,[2]4096.0001
// PERPLEXITY: Final estimate: PPL = 4096.0001 +/- 0.00000
// RUN: sortie-run generate %t.mlir %{weights} --prompt "A text" -n 2 -o json | FileCheck %s --check-prefix=GREEDY
// GREEDY: "text": "",
// GREEDY-NEXT: "end": "tokens",
// GREEDY: "id": 0,
// GREEDY-NEXT: "log_probability": -8.317766
// GREEDY: "id": 0,

// The bounds of the program.
// RUN: printf 'a\nb\nc\nd\ne\n' | not sortie-run generate %t.mlir %{weights} --prompts - 2>&1 | FileCheck %s --check-prefix=SLOTS
// SLOTS: error: 5 sequences at once: the program has room for 4; take fewer
// RUN: not sortie-run bench %t.mlir %{weights} -p 200 --sequences 4 2>&1 | FileCheck %s --check-prefix=PAGES
// PAGES: error: 8 pages of the cache are needed: the program has room for 7; take fewer sequences or a smaller context

// Functions that are none of a whole model.
// DEFINE: %{logits} = --weights random:seed=1 --tokens %t.ids.npy --output %t.npy 2>&1 | FileCheck %s --check-prefix
// RUN: %python -c "import numpy as np; np.save('%t.ids.npy', np.zeros((1, 3), np.int32))"
// RUN: sed 's/"rows" %%rows/"lines" %%rows/' %t.mlir > %t.name && not sortie-run logits %t.name %{logits}=NAME
// NAME: error: {{.*}}.name: its function 'forward' has no input 'rows', so it is none of a whole model: import one with sortie-translate --import-gguf, and compile it
// RUN: sed 's/"sequences" %%sequences: !moert.buffer<tokens x i32>, //' %t.mlir > %t.count && not sortie-run logits %t.count %{logits}=COUNT
// COUNT: its function 'forward' has 4 inputs, so it is none
// RUN: sed 's/"positions" %%positions: !moert.buffer<tokens x i32>/"positions" %%positions: !moert.buffer<tokens x 2 x i32>/' %t.mlir > %t.rank
// RUN: not sortie-run logits %t.rank %{logits}=RANK
// RANK: its function 'forward' has 'positions' of another type or rank, so it is none
// RUN: sed 's/"positions" %%positions: !moert.buffer<tokens x i32>/"positions" %%positions: !moert.buffer<2*tokens x i32>/' %t.mlir > %t.length
// RUN: not sortie-run logits %t.length %{logits}=LENGTH
// LENGTH: its function 'forward' has 'positions' of a length that is no symbol, so it is none
// RUN: sed 's/buffer<pages x 64 x i32>/buffer<7 x 64 x i32>/' %t.mlir > %t.cache && not sortie-run logits %t.cache %{logits}=CACHE
// CACHE: its function 'forward' has no cache: there is no symbol 'pages' of the session, so it is none

module attributes {moert.program = #moert.program<abi = 5, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(64)
  moert.symbol @slots max(4)
  moert.symbol @rows max(64)
  moert.symbol @pages max(7)
  moert.state @cache : !moert.buffer<pages x 64 x i32>
  moert.state @zeros : !moert.buffer<64 x 4096 x f32>
  moert.func @forward("tokens" %tokens: !moert.buffer<tokens x i32>,
      "positions" %positions: !moert.buffer<tokens x i32>,
      "sequences" %sequences: !moert.buffer<tokens x i32>,
      "pages" %pages: !moert.buffer<slots x 16 x i32>, "rows" %rows: !moert.buffer<rows x i32>)
      outs("logits" %logits: !moert.buffer<rows x 4096 x f32>) {
    %zeros = moert.state_buffer @zeros : !moert.buffer<64 x 4096 x f32>
    moert.read_rows %zeros, %rows outs(%logits)
      : !moert.buffer<64 x 4096 x f32>, !moert.buffer<rows x i32>, !moert.buffer<rows x 4096 x f32>
    moert.return
  }
}
