// RUN: sortie-opt %s --moe-lower-to-moert="max-tokens=0" --verify-diagnostics

// expected-error @below {{max-tokens must be 1 to 2147483647, got 0}}
module {
}
