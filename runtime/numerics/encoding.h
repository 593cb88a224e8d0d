// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one table of encodings: how a model file stores a weight. An encoding says where the bytes of
// a row are and has a decoder (decode.h); what it decodes to is a format, the packed form that
// kernels compute with (format.h).
//
// A tensor is rows, row-major. The rows of most encodings are blocks, one after another. In others,
// strips of a few rows are stored together: a strip is the headers of its rows, then, for each
// block of K, one block that has the blocks of all rows in it.

#ifndef SORTIE_RUNTIME_NUMERICS_ENCODING_H
#define SORTIE_RUNTIME_NUMERICS_ENCODING_H

#include "runtime/numerics/format.h"

namespace sortie::numerics {

// NOLINTBEGIN(readability-identifier-naming): the types have GGUF's names.
enum class Encoding : uint8_t {
  F32,
  F16,
  BF16,
  Q8_0,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  IQ4_NL,
  MXFP4,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ4_XS,
  IQ2_XXS,
  IQ4_KS,
  Q4_K_R4,
};
// NOLINTEND(readability-identifier-naming)
constexpr int kEncodingCount = 19;

/// How a file stores a floating-point number.
enum class StoredNumber : uint8_t {
  None, ///< the encoding has no such number
  F32,
  F16,
  BF16,
  E8M0, ///< a byte e, which stands for 2^(e - 128): half of the OCP scale
};

/// Where a number of a row is: in the header of the row's strip where the encoding has headers,
/// else in the strip's block.
struct NumberPlace {
  StoredNumber type;
  int offset;    ///< in bytes, of the first row of the strip
  int rowStride; ///< from a row of the strip to the next
};

/// A row of the table.
struct EncodingInfo {
  Encoding encoding;
  uint32_t ggufType;   ///< the type's number in GGUF files: ggml's, from 100 on ik_llama.cpp's
  const char *name;    ///< the type's name there, in `!moe.block<...>`, too
  Format format;       ///< what it decodes to
  int elements;        ///< of a row in a block
  int bytes;           ///< of a row in a block
  int headerBytes;     ///< of a row
  int stripRows;       ///< rows that are stored together
  NumberPlace scale;   ///< d; of a float encoding the weight itself
  NumberPlace minimum; ///< m or dmin
  float scaleFactor;   ///< the format's d is the stored one times this, a power of two
};

namespace detail {
/// A number that each row has alone.
SORTIE_NUMERICS_CONSTEXPR NumberPlace numberAt(StoredNumber type, int offset) {
  return {type, offset, 0};
}
inline constexpr NumberPlace kNoNumber = {StoredNumber::None, 0, 0};
} // namespace detail

// clang-format off
inline constexpr EncodingInfo kEncodings[kEncodingCount] = {
    // encoding          type  name        format           el. bytes head rows d                                         m or dmin                                 factor
    {Encoding::F32,        0, "f32",     Format::F32,        1,    4,   0,  1, detail::numberAt(StoredNumber::F32, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::F16,        1, "f16",     Format::F16,        1,    2,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::BF16,      30, "bf16",    Format::BF16,       1,    2,   0,  1, detail::numberAt(StoredNumber::BF16, 0),   detail::kNoNumber,                        1.0f},
    {Encoding::Q8_0,       8, "q8_0",    Format::Q8_0,      32,   34,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::Q4_0,       2, "q4_0",    Format::Q4_0,      32,   18,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::Q4_1,       3, "q4_1",    Format::Q4_1,      32,   20,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::numberAt(StoredNumber::F16, 2),   1.0f},
    {Encoding::Q5_0,       6, "q5_0",    Format::Q5_0,      32,   22,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::Q5_1,       7, "q5_1",    Format::Q5_1,      32,   24,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::numberAt(StoredNumber::F16, 2),   1.0f},
    {Encoding::IQ4_NL,    20, "iq4_nl",  Format::IQ4_NL,    32,   18,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::MXFP4,     39, "mxfp4",   Format::MXFP4,     32,   17,   0,  1, detail::numberAt(StoredNumber::E8M0, 0),   detail::kNoNumber,                        1.0f},
    {Encoding::Q2_K,      10, "q2_K",    Format::Q2_K,     256,   84,   0,  1, detail::numberAt(StoredNumber::F16, 80),   detail::numberAt(StoredNumber::F16, 82),  1.0f},
    {Encoding::Q3_K,      11, "q3_K",    Format::Q3_K,     256,  110,   0,  1, detail::numberAt(StoredNumber::F16, 108),  detail::kNoNumber,                        1.0f},
    {Encoding::Q4_K,      12, "q4_K",    Format::Q4_K,     256,  144,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::numberAt(StoredNumber::F16, 2),   1.0f},
    {Encoding::Q5_K,      13, "q5_K",    Format::Q5_K,     256,  176,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::numberAt(StoredNumber::F16, 2),   1.0f},
    {Encoding::Q6_K,      14, "q6_K",    Format::Q6_K,     256,  210,   0,  1, detail::numberAt(StoredNumber::F16, 208),  detail::kNoNumber,                        1.0f},
    {Encoding::IQ4_XS,    23, "iq4_xs",  Format::IQ4_XS,   256,  136,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::IQ2_XXS,   16, "iq2_xxs", Format::I8_SUB32, 256,   66,   0,  1, detail::numberAt(StoredNumber::F16, 0),    detail::kNoNumber,                        0.125f},
    {Encoding::IQ4_KS,   144, "iq4_ks",  Format::I8_SUB32, 256,  136,   4,  1, detail::numberAt(StoredNumber::F32, 0),    detail::kNoNumber,                        1.0f},
    {Encoding::Q4_K_R4,  212, "q4_k_r4", Format::Q4_K,     256,  144,   0,  4, {StoredNumber::F16, 0, 2},                 {StoredNumber::F16, 8, 2},                1.0f},
};
// clang-format on

/// The table row of an encoding.
SORTIE_NUMERICS_CONSTEXPR EncodingInfo encodingInfo(Encoding encoding) {
  return kEncodings[static_cast<int>(encoding)];
}

/// The format that an encoding decodes to.
SORTIE_NUMERICS_CONSTEXPR Format formatOf(Encoding encoding) {
  return encodingInfo(encoding).format;
}
SORTIE_NUMERICS_CONSTEXPR FormatInfo formatInfo(const EncodingInfo &info) {
  return formatInfo(info.format);
}

/// The encoding with this GGUF type number, or null.
SORTIE_NUMERICS_CONSTEXPR const EncodingInfo *findEncoding(uint32_t ggufType) {
  for (const EncodingInfo &info : kEncodings)
    if (info.ggufType == ggufType)
      return &info;
  return nullptr;
}

/// The encoding with this name, `length` characters from `name` on, or null.
SORTIE_NUMERICS_CONSTEXPR const EncodingInfo *findEncoding(const char *name, uint64_t length) {
  for (const EncodingInfo &info : kEncodings) {
    uint64_t same = 0;
    while (same < length && info.name[same] != '\0' && info.name[same] == name[same])
      ++same;
    if (same == length && info.name[same] == '\0')
      return &info;
  }
  return nullptr;
}

/// True for encodings whose matrix products are `exact`: quantized blocks.
SORTIE_NUMERICS_CONSTEXPR bool isQuantized(const EncodingInfo &info) {
  return isQuantized(formatInfo(info.format));
}

//===- Where rows are -----------------------------------------------------===//

/// Bytes of `k` elements of a row, a multiple of the encoding's block, without the row's header.
SORTIE_NUMERICS_CONSTEXPR int64_t blocksBytes(const EncodingInfo &info, int64_t k) {
  return k / info.elements * info.bytes;
}

/// Bytes that a row of `k` elements takes: its share of a strip.
SORTIE_NUMERICS_CONSTEXPR int64_t rowBytes(const EncodingInfo &info, int64_t k) {
  return info.headerBytes + blocksBytes(info, k);
}

/// Bytes from one scale of a row to the next in a tensor whose rows have `k` elements, of all rows
/// of a strip: a block of the strip, or all of it where scales are in headers.
SORTIE_NUMERICS_CONSTEXPR int64_t scaleStride(const EncodingInfo &info, int64_t k) {
  return info.stripRows * (info.headerBytes != 0 ? rowBytes(info, k) : info.bytes);
}

/// A row in memory: the strip that it is stored in, and its place among the strip's rows.
struct EncodedRow {
  const uint8_t *strip;
  int place = 0;
};

/// Row `row` of a tensor that begins at `tensor` (with a strip) and has rows of `k` elements.
SORTIE_NUMERICS_CONSTEXPR EncodedRow rowOf(const EncodingInfo &info, const uint8_t *tensor,
                                           int64_t row, int64_t k) {
  const int64_t place = row % info.stripRows;
  return {tensor + (row - place) * rowBytes(info, k), static_cast<int>(place)};
}

/// The bytes of block `block` of a row. Those of all rows of its strip are in them.
SORTIE_NUMERICS_CONSTEXPR const uint8_t *blockOf(const EncodingInfo &info, EncodedRow row,
                                                 int64_t block) {
  return row.strip + info.stripRows * (info.headerBytes + block * info.bytes);
}

/// The bytes of a number of block `block` of a row.
SORTIE_NUMERICS_CONSTEXPR const uint8_t *numberOf(const EncodingInfo &info, NumberPlace number,
                                                  EncodedRow row, int64_t block) {
  const uint8_t *of = info.headerBytes != 0 ? row.strip : blockOf(info, row, block);
  return of + number.offset + row.place * number.rowStride;
}

namespace detail {
/// What the rest takes for granted about every row of the table.
SORTIE_NUMERICS_CONSTEXPR bool areEncodingsSound() {
  for (int i = 0; i < kEncodingCount; ++i) {
    const EncodingInfo &info = kEncodings[i];
    const FormatInfo format = formatInfo(info.format);
    // Panels of 16 rows are whole strips.
    const bool hasStrips = info.stripRows > 0 && 16 % info.stripRows == 0;
    const bool hasMinimum = info.minimum.type != StoredNumber::None;
    if (static_cast<int>(info.encoding) != i || !hasStrips || info.elements != format.elements ||
        hasMinimum != (format.minimum != Minimum::None))
      return false;
  }
  return true;
}
} // namespace detail

static_assert(detail::areEncodingsSound());

#if !defined(__CUDACC_RTC__)
/// Calls `visitor.template operator()<E>()` for the quantized encoding `encoding`, as
/// visitQuantized() does for a format.
template <int I = 0, typename Visitor>
static inline auto visitEncoding(Encoding encoding, Visitor &&visitor)
    -> decltype(visitor.template operator()<Encoding::Q8_0>()) {
  if constexpr (I == kEncodingCount) {
    return decltype(visitor.template operator()<Encoding::Q8_0>())();
  } else {
    if constexpr (isQuantized(kEncodings[I]))
      if (encoding == kEncodings[I].encoding)
        return visitor.template operator()<kEncodings[I].encoding>();
    return visitEncoding<I + 1>(encoding, visitor);
  }
}
#endif

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_ENCODING_H
