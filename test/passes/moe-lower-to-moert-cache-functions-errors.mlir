// Names that the functions for pages of caches need.
// RUN: sortie-opt %s --moe-lower-to-moert --split-input-file --verify-diagnostics

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
// expected-error @below {{has the name 'copy_pages', by which programs call a function for the pages of their caches; give it another name}}
func.func @copy_pages(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = moe.add %x, %x : tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// -----

// expected-error @below {{has the name 'write_pages', by which programs}}
lm.cache @write_pages : !lm.cache<1 x 8 x 8, int16>

// -----

// expected-error @below {{'lm.cache' op has the name 'index', which an input of the function 'write_pages' has beside those named as caches; give it another name}}
lm.cache @index : !lm.cache<1 x 8 x 8, int16>

// -----

// Without caches there are no such functions.
func.func @copy_pages(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  %0 = moe.add %x, %x : tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
