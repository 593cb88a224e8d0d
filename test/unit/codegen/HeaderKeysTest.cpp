// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/HeaderKeys.h"

#include <gtest/gtest.h>

using namespace sortie::codegen;

namespace {

constexpr KernelHeader kProduct = {"product.h", "#include \"tile.h\"\n#include <cuda.h>\n"};
constexpr KernelHeader kTile = {"tile.h", "#if 0\n# include <hardware.h>\n#endif\nint tile;\n"};
constexpr KernelHeader kHardware = {"hardware.h", "#include \"tile.h\"\n"}; // a circle
constexpr KernelHeader kRoute = {"route.h", "int route;\n"};

/// The key of a source that includes product.h, where the text of one header has changed.
std::string keyOfProduct(const KernelHeader &changed) {
  KernelHeader headers[] = {kProduct, kTile, kHardware, kRoute};
  for (KernelHeader &header : headers)
    if (llvm::StringRef(header.name) == changed.name)
      header = changed;
  return HeaderKeys(headers).keyOf("#define LIMIT 1\n  #include \"product.h\"\nvoid kernel();\n");
}

TEST(HeaderKeys, ChangeWithEveryHeaderThatIsIncluded) {
  const std::string key = keyOfProduct(kProduct);
  EXPECT_FALSE(key.empty());
  EXPECT_NE(keyOfProduct({"product.h", "#include \"tile.h\"\n"}), key);
  EXPECT_NE(keyOfProduct({"tile.h", "#if 0\n# include <hardware.h>\n#endif\nint other;\n"}), key);
  EXPECT_NE(keyOfProduct({"hardware.h", ""}), key);
}

TEST(HeaderKeys, DoNotChangeWithOtherHeaders) {
  EXPECT_EQ(keyOfProduct({"route.h", "int other;\n"}), keyOfProduct(kProduct));
}

TEST(HeaderKeys, TellSourcesApartByWhatTheyInclude) {
  const HeaderKeys keys({kProduct, kTile, kHardware, kRoute});
  EXPECT_NE(keys.keyOf("#include \"route.h\"\n"), keys.keyOf("#include \"tile.h\"\n"));
  EXPECT_EQ(keys.keyOf("int none;\n"), "");
}

} // namespace
