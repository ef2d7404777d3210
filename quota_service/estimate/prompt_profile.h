#pragma once

#include <cstdint>
#include <string_view>

#include "holdfast/quota/v1/quota.pb.h"
#include "quota_service/estimate/prompt_images.h"
#include "quota_service/estimate/request_shape.h"

namespace holdfast::quota {

// A token that was counted otherwise than by its text stands for so many characters.
inline constexpr int64_t kCharactersOfToken = 4;

// What one pass over a request finds.
struct PromptProfile {
  int64_t characters = 0;   // as CountPromptCharacters has them
  RequestShape shape = {};  // of all that the model reads: the tools' declarations too, and images by their rule

  // What is charged where a gate goes by characters: images cost their tokens.
  int64_t charged_characters() const { return characters + kCharactersOfToken * shape.images; }
  // What of these may turn out not to be: images whose size or detail is not known may be small.
  int64_t guessed_characters() const { return kCharactersOfToken * shape.images_guessed; }
  void AddImages(const PromptImages& images, std::string_view upstream_model);
};

// `upstream_model` decides how images are counted. The request's text is valid UTF-8, as in every proto that was
// parsed.
PromptProfile ProfilePrompt(const v1::GenerateRequest& request, std::string_view upstream_model);

}  // namespace holdfast::quota
