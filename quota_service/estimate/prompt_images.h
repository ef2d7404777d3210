#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "quota_service/estimate/image_size.h"
#include "quota_service/estimate/image_tokens.h"

namespace holdfast::quota {

// What decides how many tokens an image costs, whichever protocol it came by.
struct PromptImage {
  ImageDetail detail = ImageDetail::kDefault;
  std::optional<ImageSize> size;  // absent: not known
};

// Of an image's URL nothing behind so many bytes makes a difference.
inline constexpr size_t kMostImageUrlBytes = size_t{3} * 512 * 1024;

// The size of an image that is inline in its URL (RFC 2397: "data:image/png;base64,…"). Only the characters that tell
// it are decoded. Absent: another URL, other bytes than an image's, or base64 that is broken where it was looked at.
std::optional<ImageSize> ReadImageSizeOfUrl(std::string_view url);

// The images of one request.
class PromptImages {
 public:
  // So many are kept with what is known of them. Of the others only how many there are, so that what is held does not
  // grow with a request: each is taken for one of unknown size.
  static constexpr size_t kMostKnown = 1024;

  // The next one is kept.
  bool has_room() const { return known_.size() < kMostKnown; }
  void Add(const PromptImage& image);

  // Of all of them.
  ImageTokens TokensBy(const ImageRule& rule) const;

 private:
  std::vector<PromptImage> known_;
  int64_t others_ = 0;
};

}  // namespace holdfast::quota
