// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The headers of the device and of the emulation have the same functions.

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <regex>
#include <set>
#include <string>

/// Names of the functions in the file, without those of namespace detail.
static std::set<std::string> functionsOf(const std::string &path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  text =
      std::regex_replace(text, std::regex(R"(namespace detail \{[^]*?\} // namespace detail)"), "");
  const std::regex definition(R"(SORTIE_DEVICE\s+[\w:]+[\s*]+(\w+)\()");
  std::set<std::string> names;
  for (std::sregex_iterator match(text.begin(), text.end(), definition), end; match != end; ++match)
    names.insert((*match)[1]);
  return names;
}

TEST(Header, TheEmulationHasTheFunctionsOfTheDevice) {
  const auto device = functionsOf(SORTIE_SOURCE "/codegen/hardware/sortie_hardware.h");
  EXPECT_TRUE(device.count("multiplyK32") == 1 && device.count("threadIndex") == 1 &&
              device.count("sharedMemory") == 1 && device.count("copyAsync") == 1)
      << "functions are declared in another way than this test expects";
  EXPECT_EQ(functionsOf(SORTIE_SOURCE "/test/emulation/sortie_hardware.h"), device);
}

TEST(Header, TheEmulationHasTheFunctionsOfSm90) {
  const auto device = functionsOf(SORTIE_SOURCE "/codegen/hardware/sortie_hardware_sm90.h");
  EXPECT_TRUE(device.count("copyBulk") == 1 && device.count("copyBox") == 1);
  EXPECT_EQ(functionsOf(SORTIE_SOURCE "/test/emulation/sortie_hardware_sm90.h"), device);
}
