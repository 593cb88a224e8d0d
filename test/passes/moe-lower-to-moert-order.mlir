// A dense product that gathers has sorted rows, whether or not the gather is part of it: a checkpoint says in
// which order they lie.
// RUN: sortie-opt %s --moe-lower-to-moert | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-gather --moe-lower-to-moert | FileCheck %s

// CHECK: moert.dispatch %ids experts(4) outs(%{{.*}}, %[[INVERSE:.*]], %{{.*}})
// CHECK: moert.checkpoint "y" = %{{.*}} order(%[[INVERSE]])
func.func @f(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32> {moe.name = "ids"}) -> tensor<?x2x32xf32> {
  %w = moe.weight "w" : tensor<32x64xf32>
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %rows = moe.gather %x, %perm slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %y = moe.grouped_matmul %rows, %w arithmetic(float) {moe.names = ["y"]}
    : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %z = moe.unsort %y, %inv : (tensor<?x32xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return %z : tensor<?x2x32xf32>
}
