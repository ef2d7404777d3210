#include "quota_service/estimate/prompt_images.h"

#include <algorithm>
#include <cctype>

namespace holdfast::quota {
namespace {

constexpr std::string_view kScheme = "data:";
constexpr std::string_view kEncoding = ";base64";
constexpr size_t kMostHeader = 256;  // a media type and its parameters

// `lower` is in lower case.
bool IsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](unsigned char a, char b) { return std::tolower(a) == b; });
}

}  // namespace

std::optional<ImageSize> ReadImageSizeOfUrl(std::string_view url) {
  if (!IsIgnoringCase(url.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const size_t comma = url.substr(0, kMostHeader).find(',');
  if (comma == std::string_view::npos || comma < kScheme.size() + kEncoding.size()) return std::nullopt;
  if (!IsIgnoringCase(url.substr(comma - kEncoding.size(), kEncoding.size()), kEncoding)) return std::nullopt;
  return ReadBase64ImageSize(url.substr(comma + 1));
}

void PromptImages::Add(const PromptImage& image) {
  if (has_room()) {
    known_.push_back(image);
  } else {
    ++others_;
  }
}

ImageTokens PromptImages::TokensBy(const ImageRule& rule) const {
  const ImageTokens other = TokensOfImage(rule, ImageDetail::kDefault, std::nullopt);
  ImageTokens sum{others_ * other.expected, others_ * other.most, others_ * other.least};
  for (const PromptImage& image : known_) {
    const ImageTokens tokens = TokensOfImage(rule, image.detail, image.size);
    sum.expected += tokens.expected;
    sum.most += tokens.most;
    sum.least += tokens.least;
  }
  return sum;
}

}  // namespace holdfast::quota
