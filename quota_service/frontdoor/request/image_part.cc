#include "quota_service/frontdoor/request/image_part.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace holdfast::quota {
namespace {

// Longer words are none that we know.
constexpr size_t kMostWordBytes = 64;

constexpr std::array<std::string_view, 3> kTypes{"image_url", "input_image", "computer_screenshot"};

}  // namespace

void ImagePart::OnMember(const JsonString& key, const JsonString& value) {
  if (key.Is("type")) {
    is_image_ = value.raw.size() <= kMostWordBytes &&
                std::ranges::any_of(kTypes, [&](std::string_view type) { return value.Is(type); });
  } else if (key.Is("image_url")) {
    url_ = value;
  } else if (key.Is("detail")) {
    SetDetail(value);
  }
}

void ImagePart::OnUrlMember(const JsonString& key, const JsonString& value) {
  if (key.Is("url")) {
    url_ = value;
  } else if (key.Is("detail")) {
    SetDetail(value);
  }
}

void ImagePart::SetDetail(const JsonString& value) {
  detail_ = ImageDetailOf(value.raw.size() <= kMostWordBytes ? value.Decoded() : "");
}

PromptImage ImagePart::Read() const {
  PromptImage image{detail_, std::nullopt};
  if (!url_) return image;
  image.size =
      url_->escaped ? ReadImageSizeOfUrl(url_->DecodedHead(kMostImageUrlBytes)) : ReadImageSizeOfUrl(url_->raw);
  return image;
}

}  // namespace holdfast::quota
