#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "quota_service/estimate/prompt_images.h"
#include "quota_service/estimate/text_profile.h"

namespace holdfast::quota {

// Which API a request speaks.
enum class Api {
  kResponses,  // POST /v1/responses
  kChat,       // POST /v1/chat/completions
  kOther,      // anything else: only what every API has is read
};

// A member of the body's outermost object, and where its value stands.
template <typename T>
struct BodyField {
  T value{};
  size_t begin = 0;
  size_t end = 0;
};

// Bytes of the body, from `begin` to before `end`.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
};

// What the front door reads of a request's body. Absent: not there, or null.
struct ScannedRequest {
  std::optional<BodyField<std::string>> model;
  bool stream = false;
  std::optional<BodyField<int64_t>> max_output_tokens;      // Responses
  std::optional<BodyField<int64_t>> max_completion_tokens;  // chat
  std::optional<BodyField<int64_t>> max_tokens;             // chat, older
  std::string prompt_cache_key;
  std::string user;
  std::string previous_response_id;
  bool store = true;  // Responses: the answer may be gone on from
  // What CountPromptCharacters counts of the same conversation; input of custom tool calls counts as arguments do.
  int64_t prompt_characters = 0;
  PromptImages images;  // of the same conversation
  // Where the images' URLs stand that are long, as inline images are: bytes of the body that are no text. In order,
  // apart from each other.
  std::vector<ByteRange> not_text;

  // The largest that is set; 0: none.
  int64_t output_cap() const;
};

// Reads a request's body in one pass, without building it. INVALID_ARGUMENT names what is wrong: no JSON object, a
// field that is read and has another type, or one that is there twice, so that the upstream could read another value
// than we did.
absl::StatusOr<ScannedRequest> ScanRequest(Api api, std::string_view body);

// The text of a body that ScanRequest has read, with the JSON around it and without what is no text.
TextProfile ProfileBodyText(std::string_view body, const ScannedRequest& scanned);

// What stands from `begin` to `end` is replaced.
struct Splice {
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

// `splices` are in order and do not overlap. Everything else stays as it is, byte for byte.
std::string ApplySplices(std::string_view body, const std::vector<Splice>& splices);

// `text`, valid UTF-8, as a JSON string with its quotes.
std::string JsonQuoted(std::string_view text);

}  // namespace holdfast::quota
