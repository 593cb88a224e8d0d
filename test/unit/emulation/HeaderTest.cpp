// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The headers of the device and of the emulation have the same functions, with the same parameters.

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <regex>
#include <set>
#include <string>

/// Template parameters, result, name and parameters of the functions in the file, each in one line.
/// Left out are those of namespace detail, and the emulation's last parameter, the calling line.
static std::set<std::string> functionsOf(const std::string &path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  text =
      std::regex_replace(text, std::regex(R"(namespace detail \{[^]*?\} // namespace detail)"), "");
  text = std::regex_replace(text, std::regex("//[^\n]*"), "");
  text = std::regex_replace(text, std::regex(R"(,?\s*Site site = Site::current\(\))"), "");
  text = std::regex_replace(text, std::regex(R"(\s+)"), " ");
  const std::regex definition(R"((template <[^>]*> )?SORTIE_DEVICE ([^{;]*?\)) \{)");
  std::set<std::string> functions;
  for (std::sregex_iterator match(text.begin(), text.end(), definition), end; match != end; ++match)
    functions.insert((*match)[1].str() + (*match)[2].str());
  return functions;
}

TEST(Header, TheEmulationHasTheFunctionsOfTheDevice) {
  const auto device = functionsOf(SORTIE_SOURCE "/codegen/hardware/sortie_hardware.h");
  EXPECT_EQ(device.count("int threadIndex()"), 1U);
  EXPECT_EQ(device.count("void multiplyK32(int32_t (&sum)[4], const uint32_t (&a)[4], uint32_t b0, "
                         "uint32_t b1)"),
            1U);
  EXPECT_EQ(device.count("template <int Bytes> void copyAsync(void *shared, const void *global)"),
            1U);
  EXPECT_EQ(functionsOf(SORTIE_SOURCE "/test/emulation/sortie_hardware.h"), device);
}

TEST(Header, TheEmulationHasTheFunctionsOfSm90) {
  const auto device = functionsOf(SORTIE_SOURCE "/codegen/hardware/sortie_hardware_sm90.h");
  EXPECT_GE(device.size(), 6U) << "functions are declared in another way than this test expects";
  EXPECT_EQ(functionsOf(SORTIE_SOURCE "/test/emulation/sortie_hardware_sm90.h"), device);
}
