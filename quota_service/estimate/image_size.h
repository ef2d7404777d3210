#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::quota {

// Pixels, 1 to 65,535 each way.
struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

// What the header of a PNG, JPEG, GIF or WebP file says, whatever its media type claims. Looks at the beginning of a
// file only (of a JPEG the markers within its first MiB, at most 1,000 of them), so a prefix of it does. Absent: none
// of these, cut off, or a size that cannot be. Nothing is decoded.
std::optional<ImageSize> ReadImageSize(std::string_view file);

// The same of a file in base64 (RFC 4648, section 4; with padding or without). Only what is looked at is decoded;
// absent too where that is no base64.
std::optional<ImageSize> ReadBase64ImageSize(std::string_view base64);

}  // namespace holdfast::quota
