// RUN: sortie-opt %s --moe-dispatch-by-sort --split-input-file --verify-diagnostics

func.func @different_experts(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %a: tensor<4x32x64xf32>,
                             %b: tensor<8x32x64xf32>) {
  // expected-note @below {{the ids are sorted here}}
  %0 = moe.routed_matmul %x, %a, %ids
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  // expected-error @below {{has 8 experts, but its ids also choose among 4}}
  %1 = moe.routed_matmul %x, %b, %ids
    : (tensor<?x64xf32>, tensor<8x32x64xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return
}

// -----

func.func @dynamic_slots(%x: tensor<?x64xf32>, %ids: tensor<?x?xi32>, %w: tensor<4x32x64xf32>) {
  // expected-error @below {{needs a static number of experts and of slots a token}}
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x?xi32>) -> tensor<?x?x32xf32>
  return
}

// -----

func.func @dynamic_experts(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %w: tensor<?x32x64xf32>) {
  // expected-error @below {{needs a static number of experts and of slots a token}}
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<?x32x64xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return
}
