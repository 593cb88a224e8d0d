// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GGUF reader: what it reads, what it refuses and in which words, and that no damage to a file
// takes it out of bounds (run under the sanitizers).

#include "GgufWriter.h"

#include "runtime/gguf/Fingerprint.h"
#include "runtime/gguf/Model.h"
#include "runtime/gguf/TensorType.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using sortie::gguf::DataPresence;
using sortie::gguf::Model;
using sortie::gguf::ValueType;
using sortie::test::asBuffer;
using sortie::test::GgufWriter;

namespace {

constexpr uint32_t kF32 = 0, kQ40 = 2, kIq2Xs = 17;

Expected<std::unique_ptr<Model>> parse(const std::string &file,
                                       DataPresence presence = DataPresence::Required) {
  std::vector<std::unique_ptr<MemoryBuffer>> parts;
  parts.push_back(asBuffer(file));
  return Model::fromBuffers(std::move(parts), presence);
}

std::string errorOf(Expected<std::unique_ptr<Model>> model) {
  return model ? "no error" : toString(model.takeError());
}

/// The file most tests start from: scalars, a string, arrays, two tensors.
GgufWriter sample() {
  GgufWriter writer;
  writer.add("general.architecture", std::string("qwen3moe"));
  writer.add("qwen3moe.expert_count", uint32_t{16});
  writer.add("qwen3moe.eps", 1e-6f);
  writer.addRaw("flag", ValueType::Bool, std::string(1, '\1'));
  writer.addRaw("negative", ValueType::Int8, GgufWriter::number(int8_t{-3}));
  writer.addRaw("large", ValueType::UInt64, GgufWriter::number(UINT64_MAX));
  writer.addRaw("names", ValueType::Array,
                GgufWriter::number(uint32_t{8}) + GgufWriter::number(uint64_t{2}) +
                    GgufWriter::string("a") + GgufWriter::string("bc"));
  writer.addRaw("nested", ValueType::Array,
                GgufWriter::number(uint32_t{9}) + GgufWriter::number(uint64_t{1}) +
                    GgufWriter::number(uint32_t{2}) + GgufWriter::number(uint64_t{2}) +
                    GgufWriter::number(uint16_t{7}) + GgufWriter::number(uint16_t{9}));
  writer.addTensor("norm", kF32, {4}, GgufWriter::number(1.0f) + std::string(12, '\0'));
  writer.addTensor("experts", kQ40, {64, 3, 2}, std::string(64 / 32 * 18 * 6, 'x'));
  return writer;
}

} // namespace

TEST(Gguf, readsMetadata) {
  Expected<std::unique_ptr<Model>> model = parse(sample().finish());
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  const gguf::Metadata &metadata = (*model)->metadata();
  EXPECT_EQ(cantFail(metadata.getString("general.architecture")), "qwen3moe");
  EXPECT_EQ(cantFail(metadata.getUnsigned("qwen3moe.expert_count")), 16u);
  EXPECT_EQ(cantFail(metadata.getFloat("qwen3moe.eps")), double{1e-6f});
  EXPECT_TRUE(cantFail(metadata.getBool("flag")));
  EXPECT_EQ(metadata.find("negative")->asSigned(), -3);
  EXPECT_EQ(metadata.find("negative")->asUnsigned(), std::nullopt);
  EXPECT_EQ(metadata.find("large")->asUnsigned(), UINT64_MAX);
  EXPECT_EQ(metadata.find("large")->asSigned(), std::nullopt);
  EXPECT_EQ(metadata.find("absent"), nullptr);

  const auto names = metadata.find("names")->asArray();
  ASSERT_TRUE(names && names->size() == 2);
  EXPECT_EQ((*names)[1].asString(), "bc");
  EXPECT_EQ(metadata.find("names")->elementType(), ValueType::String);
  EXPECT_EQ(metadata.find("names")->elementCount(), 2u);
  const auto nested = metadata.find("nested")->asArray();
  ASSERT_TRUE(nested && nested->size() == 1);
  EXPECT_EQ((*nested)[0].asArray()->at(1).asUnsigned(), 9u);
  EXPECT_EQ((*nested)[0].describeType(), "array of 2 u16");
}

TEST(Gguf, metadataErrorsNameFileKeyAndTypes) {
  Expected<std::unique_ptr<Model>> model = parse(sample().finish());
  ASSERT_TRUE(bool(model));
  const gguf::Metadata &metadata = (*model)->metadata();
  EXPECT_EQ(toString(metadata.getUnsigned("absent").takeError()),
            "test.gguf: metadata key 'absent' is missing; an integer of at least 0 is needed. Is "
            "the file complete and of the right model?");
  EXPECT_EQ(toString(metadata.getUnsigned("negative").takeError()),
            "test.gguf: metadata key 'negative' is i8, an integer of at least 0 is needed");
  EXPECT_EQ(toString(metadata.getString("names").takeError()),
            "test.gguf: metadata key 'names' is array of 2 string, a string is needed");
}

TEST(Gguf, readsTensors) {
  Expected<std::unique_ptr<Model>> model = parse(sample().finish());
  ASSERT_TRUE(bool(model));
  ASSERT_EQ((*model)->tensors().size(), 2u);
  const gguf::Tensor *tensor = (*model)->findTensor("experts");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->encoding->encoding, numerics::Encoding::Q4_0);
  EXPECT_EQ(ArrayRef(tensor->dimensions), ArrayRef<int64_t>({64, 3, 2}));
  EXPECT_EQ(ArrayRef(tensor->shape()), ArrayRef<int64_t>({2, 3, 64}));
  EXPECT_EQ(toStringRef(tensor->bytes), std::string(216, 'x'));
  EXPECT_EQ(tensor->describe(), "tensor 'experts' (q4_0, 2x3x64)");
  EXPECT_EQ((*model)->findTensor("norm")->bytes.size(), 16u);
  EXPECT_EQ((*model)->findTensor("nothing"), nullptr);
}

TEST(Gguf, readsRowsWithHeadersAndStripsOfRows) {
  constexpr uint32_t kIq4Ks = 144, kQ4KR4 = 212;
  GgufWriter writer;
  writer.addTensor("headers", kIq4Ks, {512, 3}, std::string(3 * (4 + 2 * 136), 'h'));
  writer.addTensor("strips", kQ4KR4, {512, 8, 2}, std::string(16 * 2 * 144, 's'));
  Expected<std::unique_ptr<Model>> model = parse(writer.finish());
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  EXPECT_EQ(toStringRef((*model)->findTensor("headers")->bytes), std::string(828, 'h'));
  EXPECT_EQ(toStringRef((*model)->findTensor("strips")->bytes), std::string(4608, 's'));
  EXPECT_EQ((*model)->findTensor("strips")->describe(), "tensor 'strips' (q4_k_r4, 2x8x512)");
}

TEST(Gguf, shapesAreTheSameButForOnes) {
  using Shape = SmallVector<int64_t>;
  for (const auto &[a, b] : {std::pair<Shape, Shape>{{64}, {1, 64}},
                             {{64}, {64, 1}},
                             {{1, 64, 1}, {64}},
                             {{8, 1, 1}, {8}},
                             {{8, 1, 64}, {1, 8, 64, 1}},
                             {{1}, {}},
                             {{1, 1}, {1}}}) {
    EXPECT_TRUE(isSameShape(a, b));
    EXPECT_TRUE(isSameShape(b, a));
  }
  for (const auto &[a, b] : {std::pair<Shape, Shape>{{64}, {2, 32}},
                             {{8, 64}, {64, 8}},
                             {{8, 64}, {8}},
                             {{0}, {1}},
                             {{2}, {1}}})
    EXPECT_FALSE(isSameShape(a, b));
}

TEST(Gguf, readsVersion2AndOtherAlignments) {
  GgufWriter writer;
  writer.version = 2;
  writer.alignment = 256;
  writer.add("general.alignment", uint32_t{256});
  writer.addTensor("a", kF32, {1}, "abcd");
  writer.addTensor("b", kF32, {1}, "efgh");
  Expected<std::unique_ptr<Model>> model = parse(writer.finish());
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  EXPECT_EQ(toStringRef((*model)->findTensor("b")->bytes), "efgh");
  EXPECT_EQ((*model)->findTensor("b")->offset % 256, 0u);
}

TEST(Gguf, tensorsOfForeignTypesAreListedWithoutData) {
  GgufWriter writer;
  writer.addTensor("odd", kIq2Xs, {256}, std::string(74, '\0'));
  writer.addTensor("unknown", 777, {256}, "");
  Expected<std::unique_ptr<Model>> model = parse(writer.finish());
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  EXPECT_EQ((*model)->findTensor("odd")->encoding, nullptr);
  EXPECT_TRUE((*model)->findTensor("odd")->bytes.empty());
  EXPECT_EQ((*model)->findTensor("odd")->describe(), "tensor 'odd' (iq2_xs, 256)");
  EXPECT_EQ((*model)->findTensor("unknown")->describe(), "tensor 'unknown' (type 777, 256)");
}

TEST(Gguf, dataMayBeMissingWhenTheCallerSaysSo) {
  GgufWriter writer;
  writer.addTensorRecord("huge", kF32, {1 << 20, 1 << 10}, 0);
  EXPECT_NE(errorOf(parse(writer.finish())).find("tensor 'huge' (f32, 1024x1048576): its data is"),
            std::string::npos);
  Expected<std::unique_ptr<Model>> model = parse(writer.finish(), DataPresence::Optional);
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  EXPECT_TRUE((*model)->findTensor("huge")->bytes.empty());
  EXPECT_EQ(fingerprintOfAllKeys(**model), std::nullopt);
  EXPECT_EQ(fingerprintOfNamedKeys(**model, {}), std::nullopt);
}

TEST(Gguf, aFileThatEndsInsideOfItsDataIsDamaged) {
  const std::string whole = sample().finish();
  for (const size_t missing : {1, 50})
    for (const DataPresence presence : {DataPresence::Required, DataPresence::Optional})
      EXPECT_NE(
          errorOf(parse(whole.substr(0, whole.size() - missing), presence)).find("it is truncated"),
          std::string::npos);
}

TEST(Gguf, refusesForeignFiles) {
  EXPECT_EQ(errorOf(parse("")), "test.gguf: not a GGUF file (it does not start with 'GGUF')");
  EXPECT_EQ(errorOf(parse("\x7f"
                          "ELF")),
            "test.gguf: not a GGUF file (it does not start with 'GGUF')");
  GgufWriter writer = sample();
  writer.version = 1;
  EXPECT_EQ(errorOf(parse(writer.finish())),
            "test.gguf: at byte 8: GGUF version 1 is not supported, only 2 and 3 are; convert the "
            "model again");
  writer.version = 0x03000000;
  EXPECT_EQ(errorOf(parse(writer.finish())),
            "test.gguf: at byte 8: the file is big-endian; convert it to little-endian");
}

TEST(Gguf, refusesDuplicates) {
  GgufWriter keys;
  keys.add("twice", uint32_t{1});
  keys.add("twice", uint32_t{2});
  EXPECT_NE(errorOf(parse(keys.finish())).find("metadata key 'twice' occurs twice"),
            std::string::npos);
  GgufWriter tensors;
  tensors.addTensor("twice", kF32, {1}, "abcd");
  tensors.addTensor("twice", kF32, {1}, "abcd");
  EXPECT_NE(errorOf(parse(tensors.finish())).find("tensor 'twice' occurs twice"),
            std::string::npos);
}

TEST(Gguf, refusesNamesThatCannotBePrinted) {
  for (const std::string &name : {std::string("blk.\x1b[31m0"), std::string("two\nlines"),
                                  std::string("no\xff utf-8"), std::string("zero\0", 5)}) {
    GgufWriter keys;
    keys.add(name, uint32_t{1});
    EXPECT_EQ(errorOf(parse(keys.finish())).substr(sizeof("test.gguf: at byte 00: ") - 1),
              "the name of metadata key 1 of 1 must be UTF-8 without control characters; the file "
              "is damaged");
    GgufWriter tensors;
    tensors.addTensor(name, kF32, {1}, "abcd");
    EXPECT_EQ(errorOf(parse(tensors.finish())).substr(sizeof("test.gguf: at byte 00: ") - 1),
              "the name of tensor 1 must be UTF-8 without control characters; the file is damaged");
  }
}

TEST(Gguf, refusesCountsThatTheFileCannotHold) {
  std::string file = sample().finish();
  const std::string tensors = GgufWriter::number(uint64_t{1} << 60);
  file.replace(8, 8, tensors);
  EXPECT_NE(errorOf(parse(file)).find("the number of tensors is 1152921504606846976, at most"),
            std::string::npos);
  file.replace(8, 8, GgufWriter::number(uint64_t{100000}));
  EXPECT_NE(errorOf(parse(file)).find("the number of tensors is 100000, more than the"),
            std::string::npos);

  GgufWriter array;
  array.addRaw("a", ValueType::Array,
               GgufWriter::number(uint32_t{12}) + GgufWriter::number(UINT64_MAX / 4));
  EXPECT_NE(errorOf(parse(array.finish()))
                .find("the number of elements of metadata key 'a' is 4611686018427387903"),
            std::string::npos);

  GgufWriter name;
  name.addRaw("a", ValueType::String, GgufWriter::number(UINT64_MAX));
  EXPECT_NE(errorOf(parse(name.finish())).find("the length of metadata key 'a' is 184467440737"),
            std::string::npos);
}

TEST(Gguf, refusesUnknownValueTypesAndDeepNesting) {
  GgufWriter unknown;
  unknown.addRaw("a", static_cast<ValueType>(13), "abcd");
  EXPECT_NE(errorOf(parse(unknown.finish())).find("'a' has the unknown value type 13"),
            std::string::npos);
  std::string nested;
  for (int i = 0; i < 6; ++i)
    nested += GgufWriter::number(uint32_t{9}) + GgufWriter::number(uint64_t{1});
  GgufWriter deep;
  deep.addRaw("a", ValueType::Array, nested);
  EXPECT_NE(errorOf(parse(deep.finish())).find("'a' nests arrays too deeply"), std::string::npos);
}

TEST(Gguf, refusesImpossibleTensors) {
  struct Case {
    uint32_t type;
    std::vector<uint64_t> dimensions;
    uint64_t offset;
    const char *message;
  };
  const Case cases[] = {
      {kF32, {}, 0, "the record of tensor 't' gives 0 dimensions"},
      {kF32, {1, 1, 1, 1, 1}, 0, "gives 5 dimensions, 1 to 4 are possible"},
      {kF32, {4, 0}, 0, "has dimension 0"},
      {kF32, {uint64_t{1} << 40, uint64_t{1} << 40}, 0, "makes the tensor too large"},
      {kF32, {UINT64_MAX, 2}, 0, "makes the tensor too large"},
      {kQ40, {48}, 0, "its rows have 48 elements, not a multiple of the type's block of 32"},
      {212, {256, 6}, 0, "its matrices have 6 rows, the type stores strips of 4"},
      {212, {256}, 0, "its matrices have 1 rows, the type stores strips of 4"},
      {kF32, {4}, 16, "is not a multiple of the file's alignment 32"},
      {kF32, {4}, UINT64_MAX - 31, "is outside any file"},
      {kF32, {4}, uint64_t{1} << 62, "the file has only"},
      {kF32, {4}, 32, "it is truncated: download or convert it again"},
  };
  for (const Case &test : cases) {
    GgufWriter writer;
    writer.addTensorRecord("t", test.type, test.dimensions, test.offset);
    EXPECT_NE(errorOf(parse(writer.finish() + std::string(16, '\0'))).find(test.message),
              std::string::npos)
        << test.message << " / " << errorOf(parse(writer.finish() + std::string(16, '\0')));
  }
}

TEST(Gguf, refusesImpossibleAlignments) {
  for (const uint32_t alignment : {0u, 24u, 1u << 30}) {
    GgufWriter writer;
    writer.add("general.alignment", alignment);
    EXPECT_NE(
        errorOf(parse(writer.finish())).find("'general.alignment' is " + Twine(alignment).str()),
        std::string::npos);
  }
}

TEST(Gguf, everyTruncationIsAnError) {
  const std::string file = sample().finish();
  ASSERT_EQ(errorOf(parse(file)), "no error");
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_NE(errorOf(parse(file.substr(0, size))), "no error") << size;
}

TEST(Gguf, everyFlippedBitIsReadOrRefused) {
  const std::string file = sample().finish();
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    Expected<std::unique_ptr<Model>> model = parse(damaged);
    if (model) {
      fingerprintOfAllKeys(**model);
      fingerprintOfNamedKeys(**model, {"flag", "names"});
      continue;
    }
    EXPECT_FALSE(toString(model.takeError()).empty());
    ++refused;
  }
  EXPECT_GT(refused, 1000u);
}

//===- Fingerprints ------------------------------------------------------===//

namespace {

/// The rule of old programs.
uint64_t oldFingerprintOf(const GgufWriter &writer) {
  return *fingerprintOfAllKeys(*cantFail(parse(writer.finish())));
}

/// Keys of sample(), and one that it lacks.
const std::vector<std::string> kKeys = {"general.architecture", "qwen3moe.expert_count", "names",
                                        "qwen3moe.expert_shared_count"};

uint64_t fingerprintOf(const GgufWriter &writer) {
  return *fingerprintOfNamedKeys(*cantFail(parse(writer.finish())), kKeys);
}

} // namespace

TEST(GgufFingerprint, ofAllKeysFollowsMetadataTableAndData) {
  const uint64_t original = oldFingerprintOf(sample());
  EXPECT_EQ(oldFingerprintOf(sample()), original);
  GgufWriter moreMetadata = sample();
  moreMetadata.add("general.name", std::string("finetune"));
  EXPECT_NE(oldFingerprintOf(moreMetadata), original);
  GgufWriter moreTensors = sample();
  moreTensors.addTensor("more", kF32, {1}, "abcd");
  EXPECT_NE(oldFingerprintOf(moreTensors), original);
  std::string otherData = sample().finish();
  otherData.back() = 'y';
  EXPECT_NE(*fingerprintOfAllKeys(*cantFail(parse(otherData))), original);
}

TEST(GgufFingerprint, followsTheNamedKeysAlone) {
  const uint64_t original = fingerprintOf(sample());
  GgufWriter other = sample();
  other.add("tokenizer.chat_template", std::string("corrected"));
  other.add("general.alignment", uint32_t{32});
  other.add("qwen3moe.context_length", uint32_t{1 << 20});
  EXPECT_EQ(fingerprintOf(other), original);
  other.add("qwen3moe.expert_shared_count", uint32_t{0});
  EXPECT_NE(fingerprintOf(other), original) << "a key that was absent";

  auto withExperts = [](auto count) {
    GgufWriter writer;
    writer.add("qwen3moe.expert_count", count);
    return *fingerprintOfNamedKeys(*cantFail(parse(writer.finish())), kKeys);
  };
  EXPECT_NE(withExperts(uint32_t{16}), withExperts(uint32_t{17}));
  EXPECT_NE(withExperts(uint32_t{16}), withExperts(uint16_t{16})) << "the type counts";
  const auto model = cantFail(parse(sample().finish()));
  EXPECT_NE(fingerprintOfNamedKeys(*model, ArrayRef(kKeys).drop_back()), original);
  EXPECT_EQ(fingerprintOfNamedKeys(*model, std::vector(kKeys.rbegin(), kKeys.rend())), original);
}

TEST(GgufFingerprint, followsTheTensorTable) {
  auto of = [](StringRef name, uint32_t type, const std::vector<uint64_t> &dimensions,
               size_t bytes) {
    GgufWriter writer;
    writer.addTensor(name.str(), type, dimensions, std::string(bytes, 'x'));
    return fingerprintOf(writer);
  };
  const uint64_t original = of("a", kF32, {4, 2}, 32);
  EXPECT_NE(of("b", kF32, {4, 2}, 32), original);
  EXPECT_NE(of("a", 30, {8, 2}, 32), original);
  EXPECT_NE(of("a", kF32, {2, 4}, 32), original);
  EXPECT_EQ(of("a", kF32, {4, 2, 1}, 32), original) << "extents of 1 tell no shapes apart";
  GgufWriter more = sample();
  more.addTensor("more", 777, {256}, "");
  EXPECT_NE(fingerprintOf(more), fingerprintOf(sample()));
}

TEST(GgufFingerprint, samplesTheDataOfTensors) {
  const std::string file = [] {
    GgufWriter writer;
    writer.addTensor("large", kF32, {1024}, std::string(4096, 'x'));
    return writer.finish();
  }();
  auto of = [](const std::string &bytes) {
    return *fingerprintOfNamedKeys(*cantFail(parse(bytes)), {});
  };
  auto changedAt = [&](size_t fromEnd) {
    std::string changed = file;
    changed[changed.size() - fromEnd] = 'y';
    return of(changed);
  };
  for (const size_t fromEnd : {4096u, 3841u, 2048u, 1793u, 256u, 1u})
    EXPECT_NE(changedAt(fromEnd), of(file)) << fromEnd;
  for (const size_t fromEnd : {3840u, 2049u, 1792u, 257u})
    EXPECT_EQ(changedAt(fromEnd), of(file)) << fromEnd << " is not sampled";
}

//===- Split models ------------------------------------------------------===//

namespace {

/// Part `number` of `count`, with one tensor. Part 0 carries the model's own metadata.
GgufWriter part(uint16_t number, uint16_t count, uint32_t tensors) {
  GgufWriter writer;
  if (number == 0)
    writer.add("general.architecture", std::string("olmoe"));
  writer.add("split.no", number);
  writer.add("split.count", count);
  writer.add("split.tensors.count", tensors);
  writer.addTensor("tensor" + std::to_string(number), kF32, {1},
                   std::string(4, static_cast<char>('a' + number)));
  return writer;
}

/// A folder with files, removed at the end of the test.
class Folder {
public:
  Folder() { EXPECT_FALSE(sys::fs::createUniqueDirectory("sortie-gguf", path)); }
  ~Folder() { EXPECT_FALSE(sys::fs::remove_directories(path)); }
  std::string write(StringRef name, const std::string &bytes) {
    SmallString<128> file(path);
    sys::path::append(file, name);
    std::error_code failure;
    raw_fd_ostream(file, failure) << bytes;
    EXPECT_FALSE(failure);
    return file.str().str();
  }

private:
  SmallString<128> path;
};

} // namespace

TEST(GgufSplit, opensAllPartsByTheFirst) {
  Folder folder;
  const std::string first = folder.write("m-00001-of-00003.gguf", part(0, 3, 3).finish());
  folder.write("m-00002-of-00003.gguf", part(1, 3, 3).finish());
  folder.write("m-00003-of-00003.gguf", part(2, 3, 3).finish());
  Expected<std::unique_ptr<Model>> model = Model::open(first);
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  EXPECT_EQ((*model)->tensors().size(), 3u);
  EXPECT_EQ(toStringRef((*model)->findTensor("tensor2")->bytes), "cccc");

  GgufWriter merged;
  merged.add("general.architecture", std::string("olmoe"));
  for (uint32_t i = 0; i < 3; ++i)
    merged.addTensor("tensor" + std::to_string(i), kF32, {1}, std::string(4, char('a' + i)));
  EXPECT_EQ(fingerprintOfAllKeys(**model), oldFingerprintOf(merged));
  EXPECT_EQ(fingerprintOfNamedKeys(**model, kKeys), fingerprintOf(merged));
}

TEST(GgufSplit, refusesIncompleteOrMixedSets) {
  Folder folder;
  const std::string first = folder.write("m-00001-of-00002.gguf", part(0, 2, 2).finish());
  EXPECT_NE(errorOf(Model::open(first)).find("m-00002-of-00002.gguf: cannot read the model"),
            std::string::npos);

  const std::string second = folder.write("m-00002-of-00002.gguf", part(1, 2, 2).finish());
  EXPECT_NE(errorOf(Model::open(second)).find("is part 2 of 2, part 1 of 2 is expected here"),
            std::string::npos);

  folder.write("m-00002-of-00002.gguf", part(1, 3, 2).finish());
  EXPECT_NE(errorOf(Model::open(first)).find("is part 2 of 3, part 2 of 2 is expected"),
            std::string::npos);

  folder.write("m-00002-of-00002.gguf", sample().finish());
  EXPECT_NE(errorOf(Model::open(first)).find("metadata key 'split.no' is missing"),
            std::string::npos);

  const std::string renamed = folder.write("renamed.gguf", part(0, 2, 2).finish());
  EXPECT_NE(errorOf(Model::open(renamed)).find("call it 'NAME-00001-of-00002.gguf'"),
            std::string::npos);

  const std::string announced = folder.write("n-00001-of-00002.gguf", part(0, 2, 5).finish());
  folder.write("n-00002-of-00002.gguf", part(1, 2, 5).finish());
  EXPECT_NE(errorOf(Model::open(announced)).find("hold 2 tensors, 5 are announced"),
            std::string::npos);
}

TEST(GgufSplit, partsFromMemoryMustBeComplete) {
  std::vector<std::unique_ptr<MemoryBuffer>> parts;
  parts.push_back(asBuffer(part(0, 2, 2).finish()));
  EXPECT_NE(errorOf(Model::fromBuffers(std::move(parts), DataPresence::Required))
                .find("the model has 2 part(s), 1 given"),
            std::string::npos);
}

TEST(Gguf, streamsAreNoModels) {
  EXPECT_EQ(errorOf(Model::open("/dev/zero")),
            "/dev/zero: is a pipe or a device; a model is mapped into memory, so give the name of "
            "its file");
}

TEST(Gguf, missingFilesAreNamed) {
  EXPECT_EQ(errorOf(Model::open("/nonexistent/model.gguf")),
            "/nonexistent/model.gguf: cannot read the model: No such file or directory");
}
