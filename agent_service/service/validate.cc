#include "agent_service/service/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace holdfast::agent {
namespace {

constexpr size_t kMostId = 64;
constexpr size_t kMostKey = 128;
constexpr size_t kMostModel = 256;
constexpr size_t kMostPath = 4096;
constexpr int kMostSteps = 1000;
constexpr size_t kMostToolOutputBytes = 16 * 1024 * 1024;

absl::Status Bad(const std::string& message) { return absl::InvalidArgumentError(message); }

bool IsImageType(std::string_view text) {
  constexpr std::string_view kImage = "image/";
  return text.starts_with(kImage) && text.size() > kImage.size() && text.size() <= kMostId &&
         std::all_of(text.begin() + kImage.size(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '+' || c == '.'; });
}

// What is said stays in the conversation: an image that no provider takes would fail every later turn too.
absl::Status ValidateImage(const quota::v1::Image& image, const std::string& field) {
  if (image.source_case() == quota::v1::Image::SOURCE_NOT_SET) return Bad(field + ": set url or data");
  if (image.has_url() && !image.url().starts_with("https://") && !image.url().starts_with("http://"))
    return Bad(field + ".url: must be an http(s) URL; send the bytes in data instead");
  if (image.has_data() && !IsImageType(image.media_type()))
    return Bad(field + ".media_type: must say what data is, for example image/png");
  const std::string& detail = image.detail();
  if (!detail.empty() && detail != "low" && detail != "high" && detail != "auto")
    return Bad(field + ".detail: must be low, high or auto, or absent");
  return absl::OkStatus();
}

absl::Status ValidateInput(const quota::v1::Part& part, const std::string& field) {
  if (part.kind_case() == quota::v1::Part::KIND_NOT_SET) return Bad(field + ": is empty; set text or image");
  if (part.has_refusal()) return Bad(field + ".refusal: only a model refuses; send it as text");
  return part.has_image() ? ValidateImage(part.image(), field + ".image") : absl::OkStatus();
}

}  // namespace

absl::Status ValidateSessionId(const std::string& session_id) {
  const bool plain = std::all_of(session_id.begin(), session_id.end(),
                                 [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  if (session_id.empty() || session_id.size() > kMostId || !plain) {
    return Bad(fmt::format("session_id: must be 1 to {} characters of [A-Za-z0-9_-]", kMostId));
  }
  return absl::OkStatus();
}

absl::Status ValidatePageSize(int page_size) {
  if (page_size < 0 || page_size > 1000) return Bad("page_size: must be from 1 to 1000, or 0 for the default");
  return absl::OkStatus();
}

absl::Status ValidateCursor(int64_t after_sequence) {
  if (after_sequence < 0) return Bad("after_sequence: must not be negative; 0 is the start");
  return absl::OkStatus();
}

absl::Status Validate(const v1::CreateSessionRequest& request) {
  if (request.client_key().size() > kMostKey) return Bad(fmt::format("client_key: must be at most {} bytes", kMostKey));
  if (request.model().size() > kMostModel) return Bad(fmt::format("model: must be at most {} bytes", kMostModel));
  if (request.workspace().size() > kMostPath) return Bad(fmt::format("workspace: must be at most {} bytes", kMostPath));
  return absl::OkStatus();
}

absl::Status Validate(const v1::SubmitTurnRequest& request) {
  if (request.client_key().empty() || request.client_key().size() > kMostKey) {
    return Bad(fmt::format("client_key: must be 1 to {} bytes", kMostKey));
  }
  if (request.input().empty()) return Bad("input: at least one part is required");
  for (int i = 0; i < request.input_size(); ++i) {
    if (absl::Status status = ValidateInput(request.input(i), fmt::format("input[{}]", i)); !status.ok()) return status;
  }
  if (request.model().size() > kMostModel) return Bad(fmt::format("model: must be at most {} bytes", kMostModel));
  if (request.has_max_wait() && (request.max_wait().seconds() < 0 || request.max_wait().nanos() < 0)) {
    return Bad("max_wait: must not be negative");
  }
  if (request.max_output_tokens() < 0) return Bad("max_output_tokens: must not be negative");
  if (request.max_steps() < 0 || request.max_steps() > kMostSteps)
    return Bad(fmt::format("max_steps: must be from 1 to {}, or 0 for the default", kMostSteps));
  return absl::OkStatus();
}

absl::Status Validate(const v1::SubmitToolResultRequest& request) {
  if (request.call_id().empty() || request.call_id().size() > 256) return Bad("call_id: must be 1 to 256 bytes");
  if (request.output().size() > kMostToolOutputBytes) {
    return Bad(fmt::format("output: must be at most {} bytes; cut it in the middle", kMostToolOutputBytes));
  }
  return absl::OkStatus();
}

absl::Status Validate(const v1::CancelTurnRequest& request) {
  if (request.client_key().size() > kMostKey) return Bad(fmt::format("client_key: must be at most {} bytes", kMostKey));
  return absl::OkStatus();
}

}  // namespace holdfast::agent
