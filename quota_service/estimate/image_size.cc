#include "quota_service/estimate/image_size.h"

#include <algorithm>
#include <cstddef>

namespace holdfast::quota {
namespace {

constexpr int64_t kMostPixels = 65'535;  // each way
constexpr size_t kMostScanned = size_t{1024} * 1024;
constexpr int kMostMarkers = 1000;

// Bytes of a file, read where there are any: as they are, or out of base64, of which only what is read is decoded.
class Reader {
 public:
  enum class Form { kBytes, kBase64 };

  Reader(Form form, std::string_view text)
      : form_(form), text_(text), size_(std::min(SizeOf(form, text), kMostScanned)) {}

  bool Has(size_t at, size_t count) const { return at <= size_ && size_ - at >= count; }
  bool Is(size_t at, std::string_view word) const {
    if (!Has(at, word.size())) return false;
    for (size_t i = 0; i < word.size(); ++i) {
      if (Byte(at + i) != static_cast<unsigned char>(word[i])) return false;
    }
    return true;
  }
  // Not before Has.
  int64_t Byte(size_t at) const {
    if (form_ == Form::kBytes) return static_cast<unsigned char>(text_[at]);
    const size_t digit = at / 3 * 4 + at % 3;
    const int high = Value(text_[digit]);
    const int low = Value(text_[digit + 1]);
    if (high < 0 || low < 0) broken_ = true;
    const int bits = static_cast<int>(at % 3) * 2;
    return (high << (bits + 2) | low >> (4 - bits)) & 0xFF;
  }
  int64_t Big(size_t at, size_t count) const {
    int64_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | Byte(at + i);
    return value;
  }
  int64_t Little(size_t at, size_t count) const {
    int64_t value = 0;
    for (size_t i = count; i > 0; --i) value = value << 8 | Byte(at + i - 1);
    return value;
  }
  // Something was read that is no base64.
  bool broken() const { return broken_; }

 private:
  // A last digit alone says nothing, and padding is none.
  static size_t SizeOf(Form form, std::string_view text) {
    if (form == Form::kBytes) return text.size();
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
    const size_t rest = text.size() % 4;
    return text.size() / 4 * 3 + (rest == 0 ? 0 : rest - 1);
  }
  // Of one digit (RFC 4648); -1: it is none.
  static int Value(char digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+') return 62;
    return digit == '/' ? 63 : -1;
  }

  const Form form_;
  const std::string_view text_;
  const size_t size_;
  mutable bool broken_ = false;
};

std::optional<ImageSize> Checked(int64_t width, int64_t height) {
  const auto possible = [](int64_t pixels) { return pixels >= 1 && pixels <= kMostPixels; };
  if (!possible(width) || !possible(height)) return std::nullopt;
  return ImageSize{width, height};
}

std::optional<ImageSize> Png(const Reader& file) {
  if (!file.Is(12, "IHDR") || !file.Has(16, 8)) return std::nullopt;
  return Checked(file.Big(16, 4), file.Big(20, 4));
}

std::optional<ImageSize> Gif(const Reader& file) {
  if (!file.Has(6, 4)) return std::nullopt;
  return Checked(file.Little(6, 2), file.Little(8, 2));
}

// RFC 9649: three kinds of chunk may come first.
std::optional<ImageSize> WebP(const Reader& file) {
  if (file.Is(12, "VP8X") && file.Has(24, 6)) return Checked(1 + file.Little(24, 3), 1 + file.Little(27, 3));
  if (file.Is(12, "VP8 ") && file.Is(23, "\x9D\x01\x2A") && file.Has(26, 4)) {
    return Checked(file.Little(26, 2) & 0x3FFF, file.Little(28, 2) & 0x3FFF);
  }
  if (file.Is(12, "VP8L") && file.Is(20, "\x2F") && file.Has(21, 4)) {
    const int64_t bits = file.Little(21, 4);
    return Checked(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF));
  }
  return std::nullopt;
}

bool IsFrameHeader(int64_t marker) {
  // SOF0 to SOF15, without DHT, JPG and DAC.
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

std::optional<ImageSize> Jpeg(const Reader& file) {
  size_t at = 2;
  for (int markers = 0; markers < kMostMarkers && file.Has(at, 4); ++markers) {
    if (file.Byte(at) != 0xFF) return std::nullopt;
    const int64_t marker = file.Byte(at + 1);
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    if (marker == 0xD9 || marker == 0xDA) return std::nullopt;  // the image begins, or ends, without a size
    if (IsFrameHeader(marker)) {
      if (!file.Has(at, 9)) return std::nullopt;
      return Checked(file.Big(at + 7, 2), file.Big(at + 5, 2));
    }
    const bool alone = marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
    at += alone ? 2 : 2 + static_cast<size_t>(std::max<int64_t>(2, file.Big(at + 2, 2)));
  }
  return std::nullopt;
}

std::optional<ImageSize> SizeIn(const Reader& reader) {
  if (reader.Is(0, "\x89PNG\r\n\x1A\n")) return Png(reader);
  if (reader.Is(0, "\xFF\xD8")) return Jpeg(reader);
  if (reader.Is(0, "GIF87a") || reader.Is(0, "GIF89a")) return Gif(reader);
  if (reader.Is(0, "RIFF") && reader.Is(8, "WEBP")) return WebP(reader);
  return std::nullopt;
}

}  // namespace

std::optional<ImageSize> ReadImageSize(std::string_view file) { return SizeIn(Reader(Reader::Form::kBytes, file)); }

std::optional<ImageSize> ReadBase64ImageSize(std::string_view base64) {
  const Reader reader(Reader::Form::kBase64, base64);
  const auto size = SizeIn(reader);
  return reader.broken() ? std::nullopt : size;
}

}  // namespace holdfast::quota
