#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "quota_service/estimate/image_size.h"

namespace holdfast::quota {

enum class ImageDetail { kDefault, kLow, kHigh };

// "low", "high"; everything else is the default.
ImageDetail ImageDetailOf(std::string_view detail);

// How a model turns an image into tokens.
struct ImageRule {
  enum class Kind {
    // Low detail: `base`. High detail: fitted into 2,048 x 2,048, the short side brought down to 768; `base`, and
    // `unit`
    // for each tile of 512 x 512 that it takes.
    kTiles,
    // Patches of 32 x 32, scaled down to at most `most` of them, times `scale`. Detail makes no difference.
    kPatches,
    // Pixels / `unit`, fitted into 1,568 x 1,568, at most `most`.
    kArea,
  };
  Kind kind = Kind::kTiles;
  int64_t base = 0;
  int64_t unit = 0;
  int64_t most = 0;
  double scale = 1;
};

// Of a model as its upstream names it. The most specific prefix counts; a model that nobody knows is taken to be like
// GPT-4o.
const ImageRule& FindImageRule(std::string_view upstream_model);

struct ImageTokens {
  int64_t expected = 0;
  int64_t most = 0;
  int64_t least = 0;
};

// No size: not known; expected is then an image of 1,024 x 1,024, at most what the rule allows, at least what the
// smallest takes. The default detail is left to the provider, which is expected to choose the high one, and may choose
// the low one.
ImageTokens TokensOfImage(const ImageRule& rule, ImageDetail detail, std::optional<ImageSize> size);

}  // namespace holdfast::quota
