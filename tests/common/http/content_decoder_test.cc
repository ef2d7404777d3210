#include "common/http/content_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/packed_body.h"

namespace holdfast {
namespace {

using test::Deflated;
using test::Gzipped;
using test::Zstd;

// In pieces of `piece` bytes. What is longer than `most` is not decoded to its end.
absl::StatusOr<std::string> Decode(const std::string& encoding, std::string_view packed, size_t piece = 1000,
                                   size_t most = size_t{1} << 30) {
  auto decoder = ContentDecoder::Make(encoding);
  if (!decoder.ok()) return decoder.status();
  std::string text;
  for (size_t at = 0; at < packed.size(); at += piece) {
    std::string_view bytes = packed.substr(at, piece);
    do {
      const size_t before = text.size();
      if (absl::Status status = (*decoder)->Feed(&bytes, &text); !status.ok()) return status;
      EXPECT_LE(text.size() - before, (size_t{1} << 20) + 65'536) << "at most about 1 MiB at once";
      if (text.size() > most) return text;
    } while (!bytes.empty() || (*decoder)->pending());
  }
  if (absl::Status status = (*decoder)->Finish(); !status.ok()) return status;
  return text;
}

std::string Text(size_t size) {
  std::string text;
  for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * 7919) + " ";
  return text;
}

TEST(ContentDecoder, UndoesWhatClientsDo) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100'000}, size_t{5'000'000}}) {
    const std::string text = size == 0 ? "" : Text(size);
    for (const size_t piece : {size_t{7}, size_t{4096}, size_t{100'000'000}}) {
      if (piece == 7 && size > 200'000) continue;
      EXPECT_EQ(*Decode("gzip", Gzipped(text), piece), text);
      EXPECT_EQ(*Decode("x-gzip", Gzipped(text), piece), text);
      EXPECT_EQ(*Decode("Deflate", Deflated(text), piece), text);
      EXPECT_EQ(*Decode("zstd", Zstd(text), piece), text);
    }
  }
}

TEST(ContentDecoder, ASmallBodyThatBecomesHugeComesInSmallSteps) {
  const std::string huge(50'000'000, 'x');
  EXPECT_EQ(*Decode("gzip", Gzipped(huge), 1'000'000), huge);
  EXPECT_EQ(*Decode("zstd", Zstd(huge), 1'000'000), huge);
  EXPECT_LT(Decode("zstd", Zstd(huge), 1'000'000, 3'000'000)->size(), size_t{5'000'000});
}

TEST(ContentDecoder, NoticesWhatIsCutGarbageOrFollowed) {
  const std::string text = Text(10'000);
  for (const auto& [encoding, packed] : {std::pair("gzip", Gzipped(text)), std::pair("zstd", Zstd(text))}) {
    EXPECT_EQ(Decode(encoding, std::string_view(packed).substr(0, packed.size() - 3)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << encoding;
    EXPECT_FALSE(Decode(encoding, "").ok()) << encoding;
    EXPECT_FALSE(Decode(encoding, "this is not packed").ok()) << encoding;
    EXPECT_FALSE(Decode(encoding, packed + "more").ok()) << encoding;
  }
}

TEST(ContentDecoder, KnowsNoOthers) {
  EXPECT_EQ(ContentDecoder::Make("br").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ContentDecoder::Make("gzip, gzip").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(*ContentDecoder::Make(""), nullptr);
  EXPECT_EQ(*ContentDecoder::Make("identity"), nullptr);
}

}  // namespace
}  // namespace holdfast
