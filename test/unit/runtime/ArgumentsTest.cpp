// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding of arrays that no test could allocate.

#include "runtime/session/Arguments.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;

TEST(Arguments, overlapsThatCannotBeDecidedAreRefused) {
  constexpr int64_t kExtent = 90, kAddress = int64_t{1} << 50;
  const Affine extent{0, kExtent};
  Program program;
  Function function;
  function.name = "f";
  for (const auto place : {Buffer::Place::Input, Buffer::Place::Output})
    function.buffers.push_back(
        {place, 0, {}, ElementType::F32, {extent, extent, extent}, {0, 4 * 90 * 90 * 90}});
  function.inputs = {{"x", 0}};
  function.outputs = {{"y", 1}};
  auto array = [&](const char *name, int64_t address, std::initializer_list<int64_t> strides) {
    return TensorView{name,
                      HostType::F32,
                      reinterpret_cast<std::byte *>(address), // NOLINT(performance-no-int-to-ptr)
                      {kExtent, kExtent, kExtent},
                      strides};
  };
  const TensorView x =
      array("x", kAddress + 100000000040011, {6500000000123, 4700000000041, 2900000000011});
  const TensorView y = array("y", kAddress, {7000000000003, 5100000000037, 3300000000007});
  const SymbolLimits limits = cantFail(SymbolLimits::create(program, /*maxTokens=*/0, {}));
  EXPECT_EQ(toString(Arguments::bind(program, function, {limits}, x, y).takeError()),
            "function 'f': the strides of output 'y' are too irregular to tell whether it overlaps "
            "the memory of 'x'; give it memory of its own");
}
