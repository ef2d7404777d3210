#include "clients/cli/tools/output_buffer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

TEST(OutputBuffer, KeepsShortOutputWholeAcrossChunks) {
  OutputBuffer buffer;
  std::string all;
  for (int i = 0; i < 10000; ++i) {
    buffer.Append("é€");
    all += "é€";
  }
  EXPECT_EQ(buffer.Text(), all);
}

TEST(OutputBuffer, CountsWhatItLeavesOutExactly) {
  for (const size_t chunk : {1u, 7u, 1000u, 100000u}) {
    OutputBuffer buffer;
    std::string all;
    for (int i = 0; all.size() < 300000; ++i) all += fmt::format("{:06} é\n", i);
    for (size_t at = 0; at < all.size(); at += chunk) buffer.Append(std::string_view(all).substr(at, chunk));
    const std::string text = buffer.Text();
    EXPECT_LE(text.size(), 64u * 1024);
    EXPECT_TRUE(IsValidUtf8(text));
    const size_t note = text.find("\n[… ");
    ASSERT_NE(note, std::string::npos);
    const size_t end = text.find("…]\n", note) + std::string("…]\n").size();
    EXPECT_TRUE(all.starts_with(text.substr(0, note)));
    EXPECT_TRUE(all.ends_with(text.substr(end)));
    EXPECT_EQ(note + (text.size() - end) + std::stoul(text.substr(note + 6)), all.size()) << chunk;
  }
}

TEST(OutputBuffer, RepairsBytes) {
  OutputBuffer buffer;
  buffer.Append("a\xFF");
  EXPECT_EQ(buffer.Text(), "a\xEF\xBF\xBD");
}

}  // namespace
}  // namespace holdfast::cli
