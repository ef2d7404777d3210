#include "quota_service/estimate/prompt_profile.h"

#include "common/prompt/prompt_characters.h"
#include "quota_service/estimate/image_tokens.h"

namespace holdfast::quota {
namespace {

void AddImages(const v1::GenerateRequest& request, const ImageRule& rule, RequestShape* shape) {
  for (const v1::Item& item : request.items()) {
    for (const v1::Part& part : item.message().parts()) {
      if (!part.has_image()) continue;
      const v1::Image& image = part.image();
      const auto size = image.has_data() ? ReadImageSize(image.data()) : std::nullopt;
      const ImageTokens tokens = TokensOfImage(rule, ImageDetailOf(image.detail()), size);
      shape->images += tokens.expected;
      shape->images_most += tokens.most;
    }
  }
}

}  // namespace

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
  AddImages(request, FindImageRule(upstream_model), &profile.shape);
  return profile;
}

}  // namespace holdfast::quota
