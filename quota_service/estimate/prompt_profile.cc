#include "quota_service/estimate/prompt_profile.h"

#include "common/prompt/prompt_characters.h"
#include "quota_service/estimate/image_size.h"
#include "quota_service/estimate/image_tokens.h"

namespace holdfast::quota {
namespace {

PromptImages ImagesOf(const v1::GenerateRequest& request) {
  PromptImages images;
  for (const v1::Item& item : request.items()) {
    for (const v1::Part& part : item.message().parts()) {
      if (!part.has_image()) continue;
      const v1::Image& image = part.image();
      images.Add({ImageDetailOf(image.detail()),
                  image.has_data() && images.has_room() ? ReadImageSize(image.data()) : std::nullopt});
    }
  }
  return images;
}

}  // namespace

void PromptProfile::AddImages(const PromptImages& images, std::string_view upstream_model) {
  const ImageTokens tokens = images.TokensBy(FindImageRule(upstream_model));
  shape.images += tokens.expected;
  shape.images_most += tokens.most;
  shape.images_guessed += tokens.expected - tokens.least;
}

PromptProfile ProfilePrompt(const v1::GenerateRequest& request, std::string_view upstream_model) {
  TextProfile text;
  ForEachPromptText(request, [&](const std::string& part) { text.Add(ProfileText(part)); });
  PromptProfile profile;
  profile.characters = text.characters;
  for (const v1::Tool& tool : request.tools()) {
    for (const std::string* part : {&tool.name(), &tool.description(), &tool.parameters()})
      text.Add(ProfileText(*part));
  }
  profile.shape = ShapeOf(text, request.items_size() + request.tools_size());
  profile.AddImages(ImagesOf(request), upstream_model);
  return profile;
}

}  // namespace holdfast::quota
