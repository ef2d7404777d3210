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
constexpr char kAutomatic[] = "auto.";
constexpr int kMostSteps = 1000;
constexpr size_t kMostEffort = 64;
constexpr size_t kMostToolOutputBytes = 16 * 1024 * 1024;
// What a turn brings is read back in one message, which gRPC bounds.
constexpr size_t kMostTurnBytes = 16 * 1024 * 1024;
constexpr int64_t kMostOutputTokens = 1'000'000'000;
constexpr int64_t kMostWaitSeconds = 366 * 86'400;

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
  if (part.has_text() && part.text().empty()) return Bad(field + ".text: is empty; say something, or leave it out");
  if (part.has_refusal()) return Bad(field + ".refusal: only a model refuses; send it as text");
  return part.has_image() ? ValidateImage(part.image(), field + ".image") : absl::OkStatus();
}

// As quota_service has it: a model that it would refuse is refused before it is in the log.
absl::Status ValidateModel(const std::string& model) {
  const bool plain = std::all_of(model.begin(), model.end(), [](unsigned char c) { return c > 0x20 && c != 0x7F; });
  if (model.size() > kMostModel || !plain)
    return Bad(fmt::format("model: must be at most {} bytes without white space", kMostModel));
  return absl::OkStatus();
}

absl::Status ValidateSnapshotName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; });
  if (name.empty() || name.size() > kMostId || !plain)
    return Bad(fmt::format("name: must be 1 to {} characters of [A-Za-z0-9._-]", kMostId));
  return absl::OkStatus();
}

absl::Status ValidateToolName(const std::string& name, int index) {
  const bool plain =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  if (name.empty() || name.size() > kMostId || !plain)
    return Bad(fmt::format("tools[{}].name: must be 1 to {} characters of [A-Za-z0-9_-]", index, kMostId));
  return absl::OkStatus();
}

absl::Status ValidateWait(const google::protobuf::Duration& wait) {
  const bool whole = wait.nanos() >= 0 && wait.nanos() <= 999'999'999;
  if (wait.seconds() < 0 || wait.seconds() > kMostWaitSeconds || !whole)
    return Bad("max_wait: must not be negative, nor longer than 366 days; 0 must fit now");
  return absl::OkStatus();
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

absl::Status ValidateClientKey(const std::string& client_key) {
  if (client_key.size() > kMostKey) return Bad(fmt::format("client_key: must be at most {} bytes", kMostKey));
  return absl::OkStatus();
}

absl::Status Validate(const v1::CreateSessionRequest& request) {
  if (absl::Status status = ValidateClientKey(request.client_key()); !status.ok()) return status;
  if (absl::Status status = ValidateModel(request.model()); !status.ok()) return status;
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
  for (int i = 0; i < request.tools_size(); ++i) {
    if (absl::Status status = ValidateToolName(request.tools(i).name(), i); !status.ok()) return status;
  }
  if (request.ByteSizeLong() > kMostTurnBytes) {
    return Bad(fmt::format("input: must be at most {} bytes with instructions and tools; put the material into files",
                           kMostTurnBytes));
  }
  if (absl::Status status = ValidateModel(request.model()); !status.ok()) return status;
  if (request.has_max_wait()) {
    if (absl::Status status = ValidateWait(request.max_wait()); !status.ok()) return status;
  }
  if (request.max_output_tokens() < 0 || request.max_output_tokens() > kMostOutputTokens) {
    return Bad(fmt::format("max_output_tokens: must be from 0 (the provider's default) to {}", kMostOutputTokens));
  }
  if (request.reasoning_effort().size() > kMostEffort)
    return Bad(fmt::format("reasoning_effort: must be at most {} bytes, for example medium", kMostEffort));
  if (request.max_steps() < 0 || request.max_steps() > kMostSteps)
    return Bad(fmt::format("max_steps: must be from 1 to {}, or 0 for the default", kMostSteps));
  if (request.has_place()) {
    if (absl::Status status = Validate(request.place()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Validate(const v1::SubmitToolResultRequest& request) {
  if (request.call_id().empty() || request.call_id().size() > 256) return Bad("call_id: must be 1 to 256 bytes");
  if (request.output().size() > kMostToolOutputBytes) {
    return Bad(fmt::format("output: must be at most {} bytes; cut it in the middle", kMostToolOutputBytes));
  }
  if (request.lease_generation() < 0)
    return Bad("lease_generation: must not be negative; 0 is a result without a lease");
  if (request.client_key().size() > kMostKey) return Bad(fmt::format("client_key: must be at most {} bytes", kMostKey));
  return absl::OkStatus();
}

absl::Status Validate(const v1::CancelTurnRequest& request) {
  if (request.client_key().size() > kMostKey) return Bad(fmt::format("client_key: must be at most {} bytes", kMostKey));
  if (request.turn_id().size() > kMostKey)
    return Bad(fmt::format("turn_id: must be at most {} bytes; leave it out to cancel whichever runs", kMostKey));
  return absl::OkStatus();
}

absl::Status Validate(const v1::SnapshotSessionRequest& request) {
  if (absl::Status status = ValidateSnapshotName(request.name()); !status.ok()) return status;
  if (request.name().starts_with(kAutomatic))
    return Bad(fmt::format("name: must not begin with {}, as automatic snapshots do", kAutomatic));
  return absl::OkStatus();
}

absl::Status Validate(const v1::RestoreSessionRequest& request) {
  if (absl::Status status = ValidateClientKey(request.client_key()); !status.ok()) return status;
  switch (request.target_case()) {
    case v1::RestoreSessionRequest::kName:
      return ValidateSnapshotName(request.name());
    case v1::RestoreSessionRequest::kSequence:
      if (request.sequence() < 1) return Bad("sequence: must be at least 1, the first event");
      return absl::OkStatus();
    case v1::RestoreSessionRequest::TARGET_NOT_SET:
      break;
  }
  return Bad("name: set the name of a snapshot, or sequence");
}

absl::Status Validate(const v1::ForkSessionRequest& request) {
  if (request.at_sequence() < 0) return Bad("at_sequence: must be at least 1, or 0 for the newest event");
  return ValidateClientKey(request.client_key());
}

}  // namespace holdfast::agent
