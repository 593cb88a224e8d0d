// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of sortie-run: .npy files, random inputs, checksums, quantiles.

#include "tools/sortie-run/Benchmark.h"
#include "tools/sortie-run/Checksums.h"
#include "tools/sortie-run/Inputs.h"
#include "tools/sortie-run/Npy.h"

#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

#include <cmath>

using namespace llvm;
using namespace sortie;
using namespace sortie::tool;

//===- .npy --------------------------------------------------------------===//

namespace {

Expected<NpyArray> parse(const std::string &bytes, sortie_dtype wanted = SORTIE_F32) {
  return parseNpy(MemoryBuffer::getMemBufferCopy(bytes, "x.npy"), wanted);
}

std::string errorOf(const std::string &bytes, sortie_dtype wanted = SORTIE_F32) {
  Expected<NpyArray> array = parse(bytes, wanted);
  return array ? "no error" : toString(array.takeError());
}

std::string npy(int version, const std::string &header, const std::string &data) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    file += static_cast<char>(header.size() >> (8 * i));
  return file + header + data;
}

std::string header(const std::string &descr, const std::string &order, const std::string &shape) {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }   \n";
}

} // namespace

TEST(Npy, readsAllVersionsAndTypes) {
  for (const int version : {1, 2, 3}) {
    Expected<NpyArray> array = parse(npy(version, header("'<f4'", "False", "(2, 1)"), "abcdefgh"));
    ASSERT_TRUE(bool(array)) << toString(array.takeError());
    EXPECT_EQ(array->dtype, SORTIE_F32);
    EXPECT_EQ(ArrayRef(array->shape), ArrayRef<int64_t>({2, 1}));
    EXPECT_EQ(array->data, "abcdefgh");
  }
  EXPECT_EQ(cantFail(parse(npy(1, header("'<i4'", "False", "()"), "abcd"), SORTIE_I32)).dtype,
            SORTIE_I32);
  EXPECT_EQ(cantFail(parse(npy(1, header("\"<f2\"", "False", "(2,)"), "abcd"))).dtype, SORTIE_F16);
  EXPECT_EQ(cantFail(parse(npy(1, header("'<f4'", "False", "(0, 8)"), ""))).data, "");
  EXPECT_EQ(cantFail(parse(npy(1, header("'<f2'", "False", "(2,)"), "abcd"), SORTIE_F16)).dtype,
            SORTIE_F16);
  // bfloat16 as ml_dtypes writes it, and its bits.
  for (const char *descr : {"'<V2'", "'|V2'", "'<u2'"})
    EXPECT_EQ(cantFail(parse(npy(1, header(descr, "False", "(2,)"), "abcd"), SORTIE_BF16)).dtype,
              SORTIE_BF16);
}

TEST(Npy, readsWhatItWrites) {
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {3}, {1, 3}, {3, 1, 1}}) {
    std::string bytes = npyHeader(SORTIE_F32, shape);
    EXPECT_EQ(bytes.size() % 64, 0u);
    bytes += std::string(shape.empty() ? 4 : 12, 'x');
    Expected<NpyArray> array = parse(bytes);
    ASSERT_TRUE(bool(array)) << toString(array.takeError());
    EXPECT_EQ(ArrayRef(array->shape), ArrayRef(shape));
  }
  EXPECT_TRUE(StringRef(npyHeader(SORTIE_I32, {3})).contains("'descr': '<i4'"));
  EXPECT_TRUE(StringRef(npyHeader(SORTIE_F16, {3})).contains("'descr': '<f2'"));
  EXPECT_TRUE(StringRef(npyHeader(SORTIE_BF16, {3})).contains("'descr': '<V2'"));
  EXPECT_TRUE(StringRef(npyHeader(SORTIE_I32, {3})).contains("'shape': (3,), }"));
}

TEST(Npy, refusesOtherTypesAndOrders) {
  struct {
    const char *descr;
    sortie_dtype wanted;
    const char *message;
  } cases[] = {
      {"'<f8'", SORTIE_F32,
       "float64 elements, float32 or float16 is needed; convert them with x.astype(numpy.float32)"},
      {"'<i4'", SORTIE_F32,
       "int32 elements, float32 or float16 is needed; convert them with x.astype(numpy.float32)"},
      {"'<i8'", SORTIE_I32,
       "int64 elements, int32 is needed; convert them with x.astype(numpy.int32)"},
      {"'<u4'", SORTIE_I32,
       "uint32 elements, int32 is needed; convert them with x.astype(numpy.int32)"},
      {"'<f4'", SORTIE_I32,
       "float32 elements, int32 is needed; convert them with x.astype(numpy.int32)"},
      {"'<f2'", SORTIE_I32,
       "float16 elements, int32 is needed; convert them with x.astype(numpy.int32)"},
      {"'|b1'", SORTIE_I32,
       "bool elements, int32 is needed; convert them with x.astype(numpy.int32)"},
      {"'|b1'", SORTIE_F32,
       "bool elements, float32 or float16 is needed; convert them with x.astype(numpy.float32)"},
      {"'>f4'", SORTIE_F32,
       "big-endian float32 elements, float32 or float16 is needed; convert them with "
       "x.astype('<f4')"},
      {"'>i8'", SORTIE_I32,
       "big-endian int64 elements, int32 is needed; convert them with x.astype('<i4')"},
      {"'<V2'", SORTIE_F32,
       "'<V2' elements, float32 or float16 is needed; convert them with x.astype(numpy.float32)"},
      {"'<f4'", SORTIE_F16,
       "float32 elements, float16 is needed; convert them with x.astype(numpy.float16)"},
      {"'<f4'", SORTIE_BF16,
       "float32 elements, bfloat16 is needed; convert them with x.astype(ml_dtypes.bfloat16)"},
      {"''", SORTIE_I32, "'' elements, int32 is needed; convert them with x.astype(numpy.int32)"},
  };
  for (const auto &[descr, wanted, message] : cases)
    EXPECT_EQ(errorOf(npy(1, header(descr, "False", "(1,)"), "abcdefgh"), wanted),
              std::string("x.npy: holds ") + message);
  EXPECT_TRUE(StringRef(errorOf(npy(1, header("'<f4'", "True", "(1, 1)"), "abcd")))
                  .contains("Fortran order"));
  for (const char *descr : {"[('a', '<f4')]", "('<f4', (3,))"})
    EXPECT_EQ(errorOf(npy(1, header(descr, "False", "(1,)"), "abcd"), SORTIE_I32),
              "x.npy: holds a structured array, a plain one of int32 is needed; save one field of "
              "it, x['name']");
}

TEST(Npy, refusesDamagedFiles) {
  const std::pair<std::string, const char *> cases[] = {
      {"", "not an .npy file"},
      {"PK\x03\x04 an .npz is a zip file", "not an .npy file"},
      {npy(4, header("'<f4'", "False", "(1,)"), "abcd"), ".npy version 4 is not supported"},
      {npy(1, header("'<f4'", "False", "(2,)"), "abcd"),
       "holds 4 bytes of data, its shape needs 8; it is truncated"},
      {npy(1, header("'<f4'", "False", "(1,)"), "abcdefg"),
       "holds 7 bytes of data, its shape needs 4: 3 bytes follow the array. Give each array a file "
       "of its own"},
      {npy(1, header("'<f4'", "Maybe", "(1,)"), "abcd"), "neither True nor False"},
      {npy(1, header("'<f4'", "False", "(-1,)"), "abcd"), "impossible number"},
      {npy(1, header("'<f4'", "False", "(99999999999, 99999999999)"), ""), "too large"},
      {npy(1, header("'<f4'", "False", "(9999999999999999999999,)"), ""), "impossible number"},
      {npy(1, header("'<f4'", "False", "7"), "abcd"), "no tuple"},
      {npy(1, "{'descr': '<f4'}", "abcd"), "lacks 'descr', 'fortran_order' or 'shape'"},
      {npy(1, "{'descr': '<f4", ""), "a string without an end"},
      {npy(1, "{'descr' '<f4'}", ""), "lacks ':' after 'descr'"},
      {npy(1, "{'other': 1}", ""), "the unknown key 'other'"},
      {npy(1, "", ""), "does not begin with '{'"},
  };
  for (const auto &[bytes, message] : cases)
    EXPECT_TRUE(StringRef(errorOf(bytes)).contains(message)) << message << " / " << errorOf(bytes);
  const std::string whole = npy(1, header("'<f4'", "False", "(1,)"), "abcd");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(errorOf(whole.substr(0, size)), "no error") << size;
}

//===- Random inputs -----------------------------------------------------===//

TEST(RandomInputs, areNearlyNormalAndExtend) {
  std::vector<float> values(1 << 16), longer(1 << 17);
  fillRandomFloats("hidden", 1, values);
  fillRandomFloats("hidden", 1, longer);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), longer.begin()));
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += double(value) * value;
  }
  EXPECT_NEAR(sum / values.size(), 0, 0.02);
  EXPECT_NEAR(squares / values.size(), 1, 0.02);
  std::vector<float> other(1 << 16);
  fillRandomFloats("hidden", 2, other);
  EXPECT_NE(values, other);
}

TEST(RandomInputs, integersCoverTheirRange) {
  std::vector<int32_t> values(1000);
  fillRandomInts("ids", 1, 7, values);
  std::vector<int> counts(7);
  for (const int32_t value : values)
    ++counts.at(value);
  for (const int count : counts)
    EXPECT_GT(count, 70);
}

namespace {

const sortie_extent kHiddenShape[] = {{1, 0}, {0, 8}};

sortie_value_info valueInfo(sortie_dtype dtype) {
  sortie_value_info info = SORTIE_INIT(sortie_value_info);
  info.name = "hidden";
  info.dtype = dtype;
  info.rank = 2;
  info.shape = kHiddenShape;
  return info;
}

constexpr int64_t kMaxTokens = 64;

Expected<InputArray> make(const std::string &what, sortie_dtype dtype = SORTIE_F32,
                          int64_t maxTokens = kMaxTokens) {
  return makeInput({"f", "tokens", maxTokens}, valueInfo(dtype), what);
}

std::string inputError(const std::string &what, sortie_dtype dtype = SORTIE_F32,
                       int64_t maxTokens = kMaxTokens) {
  Expected<InputArray> input = make(what, dtype, maxTokens);
  return input ? "no error" : toString(input.takeError());
}

} // namespace

TEST(RandomInputs, settingsAreChecked) {
  EXPECT_EQ(cantFail(make("random:seed=1,tokens=3")).shape[0], 3);
  EXPECT_EQ(cantFail(make("random:seed=1,tokens=3")).symbol, 3);
  EXPECT_EQ(cantFail(make("random:tokens=0")).data.size(), 0u);
  EXPECT_TRUE(StringRef(inputError("random:seed=1")).contains("needs tokens=<number>"));
  EXPECT_TRUE(StringRef(inputError("random:seed=x,tokens=1")).contains("'seed=x' in "));
  EXPECT_TRUE(StringRef(inputError("random:tokens=-1")).contains("'tokens=-1' in "));
  EXPECT_TRUE(StringRef(inputError("random:size=1,tokens=1")).contains("'size=1' in "));
  EXPECT_TRUE(StringRef(inputError("random:tokens=1", SORTIE_I32)).contains("needs max=<number>"));
  EXPECT_EQ(inputError("random:tokens=1,max=4", SORTIE_I32), "no error");
}

TEST(RandomInputs, tokensAreBounded) {
  EXPECT_EQ(inputError("random:tokens=64"), "no error");
  EXPECT_EQ(inputError("random:tokens=65"),
            "function 'f': 'tokens' is 65, at most 64 were compiled in; split the input, or "
            "compile with a larger max-tokens");
  EXPECT_TRUE(StringRef(inputError("random:tokens=9223372036854775807")).contains("at most 64"));
  // In bounds, and more than there is memory for: 3 * 2^61 bytes, and more than 64 bits count.
  constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
  EXPECT_TRUE(StringRef(inputError("random:tokens=216172782113783808", SORTIE_F32, kAny))
                  .starts_with("cannot allocate 6917529027641081856 bytes for 'hidden'"));
  EXPECT_EQ(inputError("random:tokens=9223372036854775807", SORTIE_F32, kAny),
            "'hidden' would be too large; use fewer tokens");
}

//===- Shapes ------------------------------------------------------------===//

namespace {

/// What the symbol is where an array of this shape is of this value; -1 if it cannot be.
int64_t symbolOf(ArrayRef<sortie_extent> extents, ArrayRef<int64_t> shape) {
  sortie_value_info info = SORTIE_INIT(sortie_value_info);
  info.rank = extents.size();
  info.shape = extents.data();
  std::optional<int64_t> symbol;
  return matchShape(info, shape, symbol) ? symbol.value_or(0) : -1;
}

} // namespace

TEST(Shapes, tellTheSymbol) {
  EXPECT_EQ(symbolOf(kHiddenShape, {5, 8}), 5);
  EXPECT_EQ(symbolOf(kHiddenShape, {0, 8}), 0);
  EXPECT_EQ(symbolOf(kHiddenShape, {5, 9}), -1);
  EXPECT_EQ(symbolOf(kHiddenShape, {5}), -1);
  EXPECT_EQ(symbolOf(kHiddenShape, {int64_t{1} << 40, 0}), -1);
  EXPECT_EQ(symbolOf({{0, 7}}, {7}), 0);
  EXPECT_EQ(symbolOf({{2, 1}}, {7}), 3);
  EXPECT_EQ(symbolOf({{2, 1}}, {6}), -1);
  EXPECT_EQ(symbolOf({{2, 1}}, {0}), -1);
  EXPECT_EQ(symbolOf({{1, 0}, {2, 0}}, {3, 6}), 3);
  EXPECT_EQ(symbolOf({{1, 0}, {2, 0}}, {3, 8}), -1);
}

TEST(Shapes, print) {
  const sortie_extent extents[] = {{2, 1}, {1, 0}, {0, 256}};
  sortie_value_info info = SORTIE_INIT(sortie_value_info);
  info.rank = std::size(extents);
  info.shape = extents;
  std::string text;
  raw_string_ostream out(text);
  printShape(info, "tokens", " x ", out);
  EXPECT_EQ(text, "2*tokens+1 x tokens x 256");
  EXPECT_EQ(ArrayRef(shapeAt(info, 3)), ArrayRef<int64_t>({7, 3, 256}));
}

TEST(Outputs, moreThanThereIsMemoryForIsAnError) {
  EXPECT_EQ(cantFail(makeOutput(valueInfo(SORTIE_F32), 3)).data.size(), 96u);
  EXPECT_TRUE(StringRef(toString(makeOutput(valueInfo(SORTIE_F32), int64_t{3} << 56).takeError()))
                  .starts_with("cannot allocate 6917529027641081856 bytes for 'hidden'"));
}

//===- Checksums ---------------------------------------------------------===//

TEST(Checksums, printAndParse) {
  const std::vector<Checksum> checksums = {{"blk.0.ids", 0x1234u}, {"a b", std::nullopt}};
  std::string text;
  raw_string_ostream out(text);
  printChecksums(checksums, out);
  EXPECT_EQ(text, "blk.0.ids 0000000000001234\na b -\n");
  Expected<std::vector<Checksum>> parsed = parseChecksums(text, "a.txt");
  ASSERT_TRUE(bool(parsed));
  EXPECT_EQ((*parsed)[0].hash, 0x1234u);
  EXPECT_EQ((*parsed)[1].name, "a b");
  EXPECT_FALSE((*parsed)[1].hash);
}

TEST(Checksums, refusesOtherFiles) {
  auto error = [](StringRef text) { return toString(parseChecksums(text, "a.txt").takeError()); };
  EXPECT_EQ(error(""), "a.txt: has no checksums");
  EXPECT_TRUE(StringRef(error("x 12\n")).starts_with("a.txt:1: is no line of checksums"));
  EXPECT_TRUE(StringRef(error("x 123456789012345g\n")).contains("is no line of checksums"));
  EXPECT_EQ(error("x -\ny -\nx -\n"), "a.txt:3: 'x' is on line 1, too");
}

TEST(Checksums, compareNamesTheFirstDifference) {
  const std::vector<Checksum> a = {
      {"norm", 1u}, {"gate", std::nullopt}, {"down", 3u}, {"only a", 9u}, {"f:y", 4u}};
  std::vector<Checksum> b = {{"norm", 1u}, {"gate", 2u}, {"down", 3u}, {"f:y", 4u}};
  Comparison same = cantFail(compareChecksums(a, b));
  EXPECT_EQ(same.compared, 3u);
  EXPECT_EQ(same.skipped, 2u);
  EXPECT_FALSE(same.firstDifference);
  b[2].hash = 5u;
  b[3].hash = 6u;
  EXPECT_EQ(cantFail(compareChecksums(a, b)).firstDifference, "down");
  b.pop_back();
  EXPECT_TRUE(StringRef(toString(compareChecksums(a, b).takeError()))
                  .contains("'f:y', the output of a function, is in the first file only"));
  EXPECT_TRUE(StringRef(toString(compareChecksums(b, a).takeError())).contains("second file only"));
  EXPECT_EQ(toString(compareChecksums({{"x", 1u}}, {{"y", 1u}}).takeError()),
            "the two files have no value in common");
}

TEST(Benchmark, quantiles) {
  const Quantiles one = quantilesOf({5});
  EXPECT_EQ(one.p10, 5u);
  EXPECT_EQ(one.p90, 5u);
  const Quantiles many = quantilesOf({10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11});
  EXPECT_EQ(many.p10, 2u);
  EXPECT_EQ(many.median, 6u);
  EXPECT_EQ(many.p90, 10u);
}
