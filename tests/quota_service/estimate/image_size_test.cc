#include "quota_service/estimate/image_size.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/escaping.h"

namespace holdfast::quota {
namespace {

using namespace std::string_literals;

std::string Png(const std::string& size) { return "\x89PNG\r\n\x1A\n\0\0\0\rIHDR"s + size + "\x08\x06\0\0\0"s; }

// A marker and its content.
std::string Segment(char marker, const std::string& content) {
  const size_t size = content.size() + 2;
  return "\xFF"s + marker + static_cast<char>(size >> 8) + static_cast<char>(size & 0xFF) + content;
}

// Precision, then height and width.
std::string Frame(char marker, const std::string& size) { return Segment(marker, "\x08"s + size + "\x03"s); }

TEST(ImageSize, OfPng) { EXPECT_EQ(ReadImageSize(Png("\0\0\x04\0\0\0\x03\0"s)), (ImageSize{1024, 768})); }

TEST(ImageSize, OfGif) {
  EXPECT_EQ(ReadImageSize("GIF89a\x40\x01\xC8\0"s), (ImageSize{320, 200}));
  EXPECT_EQ(ReadImageSize("GIF87a\x01\0\x02\0"s), (ImageSize{1, 2}));
}

TEST(ImageSize, OfJpegBehindWhatComesBeforeItsFrame) {
  const std::string frame = Frame('\xC0', "\x02\x58\x03\x20"s);
  EXPECT_EQ(ReadImageSize("\xFF\xD8"s + frame), (ImageSize{800, 600}));
  const std::string exif = Segment('\xE1', std::string(60'000, 'x'));
  EXPECT_EQ(ReadImageSize("\xFF\xD8"s + exif + exif + Segment('\xC4', "huffman") + "\xFF\xFF"s + frame),
            (ImageSize{800, 600}));
  EXPECT_EQ(ReadImageSize("\xFF\xD8"s + Frame('\xC2', "\x02\x58\x03\x20"s)), (ImageSize{800, 600}));  // progressive
}

TEST(ImageSize, OfWebPInItsThreeForms) {
  const std::string head = "RIFF\x24\0\0\0WEBP"s;
  EXPECT_EQ(ReadImageSize(head + "VP8 \x10\0\0\0\x30\x01\0\x9D\x01\x2A\x80\x02\xE0\x01\0\0"s), (ImageSize{640, 480}));
  // 14 bits less one for the width, then for the height: 639, 479.
  EXPECT_EQ(ReadImageSize(head + "VP8L\x10\0\0\0\x2F\x7F\xC2\x77\0\0\0\0\0"s), (ImageSize{640, 480}));
  EXPECT_EQ(ReadImageSize(head + "VP8X\x0A\0\0\0\0\0\0\0\x7F\x02\0\xDF\x01\0"s), (ImageSize{640, 480}));
}

TEST(ImageSize, IsAbsentWhereAFileLies) {
  EXPECT_EQ(ReadImageSize(""), std::nullopt);
  EXPECT_EQ(ReadImageSize("<svg width='10' height='10'/>"), std::nullopt);
  EXPECT_EQ(ReadImageSize(Png("\xFF\xFF\xFF\xFF\0\0\0\x01"s)), std::nullopt);
  EXPECT_EQ(ReadImageSize(Png("\0\0\0\0\0\0\0\x01"s)), std::nullopt);
  EXPECT_EQ(ReadImageSize("GIF89a\0\0\x01\0"s), std::nullopt);
  EXPECT_EQ(ReadImageSize("\xFF\xD8\xFF\xDA\0\x02"s), std::nullopt);            // begins without a size
  EXPECT_EQ(ReadImageSize("\xFF\xD8\xFF\xE1\0\0\xFF\xE1\0\0"s), std::nullopt);  // segments without a length
  EXPECT_EQ(ReadImageSize("\xFF\xD8 no marker"s), std::nullopt);
  EXPECT_EQ(ReadImageSize("RIFF\x24\0\0\0WEBPnone\x10\0\0\0\x30\x01\0\x9D\x01\x2A\x80\x02\xE0\x01"s), std::nullopt);
}

TEST(ImageSize, ReadsOnlyTheBeginningOfAFile) {
  std::string far = "\xFF\xD8"s;
  while (far.size() < 1024 * 1024) far += Segment('\xE2', std::string(65'000, 'x'));
  EXPECT_EQ(ReadImageSize(far + Frame('\xC0', "\x02\x58\x03\x20"s)), std::nullopt);
  std::string many = "\xFF\xD8"s;
  for (int i = 0; i < 1001; ++i) many += Segment('\xE2', "");
  EXPECT_EQ(ReadImageSize(many + Frame('\xC0', "\x02\x58\x03\x20"s)), std::nullopt);
}

TEST(ImageSize, OfBase64IsThatOfTheFile) {
  const std::string exif = Segment('\xE1', std::string(60'001, 'x'));
  for (const std::string& file : {Png("\0\0\x04\0\0\0\x03\0"s), "GIF89a\x40\x01\xC8\0"s, "no image"s, ""s,
                                  "\xFF\xD8"s + exif + exif + Frame('\xC0', "\x02\x58\x03\x20"s),
                                  "RIFF\x24\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\x7F\x02\0\xDF\x01\0"s}) {
    for (size_t cut = 0; cut <= std::min<size_t>(file.size(), 40); ++cut) {
      const std::string head = cut < 40 ? file.substr(0, cut) : file;
      const std::string base64 = absl::Base64Escape(head);
      const auto size = ReadImageSize(head);
      EXPECT_EQ(ReadBase64ImageSize(base64), size) << cut;
      EXPECT_EQ(ReadBase64ImageSize(base64.substr(0, base64.find('='))), size) << "without padding " << cut;
    }
  }
}

TEST(ImageSize, OfBase64IsAbsentWhereItIsBrokenBeforeTheSizeIsKnown) {
  const std::string good = absl::Base64Escape(Png("\0\0\x04\0\0\0\x03\0"s));
  EXPECT_EQ(ReadBase64ImageSize(good + "*** what is behind it is not read ***"), (ImageSize{1024, 768}));
  for (const char bad : {'*', '=', ' ', '\n', '-', '_', '\0', '\xFF'}) {
    std::string broken = good;
    broken[22] = bad;  // in the width
    EXPECT_EQ(ReadBase64ImageSize(broken), std::nullopt) << bad;
  }
  for (const char* none : {"=", "==", "====", "A", "A===", "iVBORw0KGgo"})
    EXPECT_EQ(ReadBase64ImageSize(none), std::nullopt) << none;
}

TEST(ImageSize, SurvivesAnyBytesAndAnyCut) {
  std::mt19937 random(3);
  const std::string starts[] = {"\x89PNG\r\n\x1A\n"s,    "\xFF\xD8"s, "GIF89a"s, "RIFF\0\0\0\0WEBPVP8X"s,
                                "RIFF\0\0\0\0WEBPVP8L"s, ""s};
  for (int i = 0; i < 3000; ++i) {
    std::string file = starts[random() % std::size(starts)];
    for (size_t more = random() % 64; more > 0; --more) file.push_back(static_cast<char>(random()));
    for (size_t cut = 0; cut <= file.size(); ++cut) {
      ReadBase64ImageSize(std::string_view(file).substr(0, cut));
      const auto size = ReadImageSize(std::string_view(file).substr(0, cut));
      if (!size) continue;
      EXPECT_TRUE(size->width >= 1 && size->width <= 65'535 && size->height >= 1 && size->height <= 65'535);
    }
  }
}

}  // namespace
}  // namespace holdfast::quota
