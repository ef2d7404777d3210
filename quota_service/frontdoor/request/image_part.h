#pragma once

#include <optional>

#include "quota_service/estimate/prompt_images.h"
#include "quota_service/frontdoor/request/json_scanner.h"

namespace holdfast::quota {

// One part of a message or of a tool's result, as far as it may be an image:
//   {"type": "image_url", "image_url": {"url": …, "detail": …}}                 chat completions
//   {"type": "input_image", "image_url" or "file_id": …, "detail": …}          Responses
//   {"type": "computer_screenshot", "image_url" or "file_id": …}               Responses, of a tool
// Members come in any order; of one that is there twice the last one counts. Strings are views into the body.
class ImagePart {
 public:
  // A string of the part itself, and of the object that its `image_url` is.
  void OnMember(const JsonString& key, const JsonString& value);
  void OnUrlMember(const JsonString& key, const JsonString& value);

  // Once the part has ended.
  bool is_image() const { return is_image_; }
  // With its size where that can be told: reads the URL.
  PromptImage Read() const;
  // Null: it names none.
  const JsonString* url() const { return url_ ? &*url_ : nullptr; }

 private:
  void SetDetail(const JsonString& value);

  bool is_image_ = false;
  ImageDetail detail_ = ImageDetail::kDefault;
  std::optional<JsonString> url_;
};

}  // namespace holdfast::quota
