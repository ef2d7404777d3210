#include "clients/cli/tools/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/base/utf8.h"
#include "tests/clients/cli/tools/temporary_folder.h"

namespace holdfast::cli {
namespace {

using testing::HasSubstr;

class ReadFileTest : public testing::Test {
 protected:
  std::string Read(const std::string& path, int64_t offset = 0, std::optional<int64_t> limit = {}) {
    const auto text = ReadFile(folder_.Open(), {.path = path, .offset = offset, .limit = limit});
    return text.ok() ? *text : "error: " + std::string(text.status().message());
  }
  TemporaryFolder folder_;
};

TEST_F(ReadFileTest, ReturnsTheBytesVerbatim) {
  folder_.Write(folder_.ws("a"), "one\r\n\ttwo é");
  EXPECT_EQ(Read("a"), "one\r\n\ttwo é");
  EXPECT_EQ(Read("a", 3, 3), "\r\n\t");
  folder_.Write(folder_.ws("empty"), "");
  EXPECT_EQ(Read("empty"), "");
}

TEST_F(ReadFileTest, AddsNothingToAnExplicitRange) {
  folder_.Write(folder_.ws("a"), std::string(100, 'x'));
  EXPECT_EQ(Read("a", 0, 10), std::string(10, 'x'));
  EXPECT_EQ(Read("a", 95, 10), std::string(5, 'x'));
  EXPECT_EQ(Read("a", 100, 10), "");
}

TEST_F(ReadFileTest, SaysHowToReadOnAndTheNextRangeJoins) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "zeile é\n";
  folder_.Write(folder_.ws("a"), text);
  const std::string first = Read("a");
  EXPECT_LE(first.size(), static_cast<size_t>(kMaxReadBytes));
  const size_t note = first.rfind("[… ");
  ASSERT_NE(note, std::string::npos);
  const size_t offset = std::stoul(first.substr(first.find("offset ", note) + 7));
  EXPECT_THAT(first, HasSubstr(std::to_string(text.size() - offset) + " more bytes; read on with offset"));
  EXPECT_EQ(first.substr(0, offset), text.substr(0, offset));
  EXPECT_EQ(Read("a", static_cast<int64_t>(offset), 100), text.substr(offset, 100));
}

TEST_F(ReadFileTest, MovesARangeToCodePointBoundariesSoThatRangesAdjoin) {
  const std::string text = "aé€😀b";  // 1 + 2 + 3 + 4 + 1 bytes
  folder_.Write(folder_.ws("a"), text);
  for (int64_t cut = 1; cut < static_cast<int64_t>(text.size()); ++cut) {
    const std::string rest = Read("a", cut, 64);
    EXPECT_TRUE(IsValidUtf8(rest)) << cut;
    EXPECT_TRUE(text.ends_with(rest)) << cut;
    EXPECT_GE(rest.size(), text.size() - static_cast<size_t>(cut)) << cut;
    if (cut > 1) {
      const std::string head = Read("a", 0, cut);
      EXPECT_EQ(head + rest, text) << cut;
    }
  }
  EXPECT_EQ(Read("a", 6, 4), "😀");
  EXPECT_FALSE(Read("a", 6, 1).empty());
}

TEST_F(ReadFileTest, RepairsBinaryFilesAndStaysInBounds) {
  folder_.Write(folder_.ws("b"), std::string(200000, '\xFF'));
  const std::string text = Read("b");
  EXPECT_TRUE(IsValidUtf8(text));
  EXPECT_LE(text.size(), static_cast<size_t>(kMaxReadBytes));
  EXPECT_THAT(text, HasSubstr("more bytes; read on"));
  folder_.Write(folder_.ws("c"), "ok\xFFok");
  EXPECT_EQ(Read("c"), "ok\xEF\xBF\xBDok");
}

TEST_F(ReadFileTest, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo(folder_.ws("pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(folder_.ws("folder"));
  EXPECT_THAT(Read("pipe"), HasSubstr("named pipe"));
  EXPECT_THAT(Read("folder"), HasSubstr("is a directory"));
  EXPECT_THAT(Read("missing"), HasSubstr("missing: does not exist"));
  EXPECT_THAT(Read("../outside/x"), HasSubstr("leaves the workspace"));
}

TEST_F(ReadFileTest, NamesTheSizeWhereTheOffsetLiesBehindTheEnd) {
  folder_.Write(folder_.ws("a"), "12345");
  EXPECT_THAT(Read("a", 6), HasSubstr("has 5 bytes"));
}

}  // namespace
}  // namespace holdfast::cli
