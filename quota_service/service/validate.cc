#include "quota_service/service/validate.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cctype>

namespace holdfast::quota {
namespace {

constexpr size_t kMostName = 256;
constexpr size_t kMostEffort = 64;
constexpr int64_t kMostOutputTokens = 1'000'000'000;
constexpr int64_t kMostTokens = 1'000'000'000'000;
constexpr int64_t kMostWaitSeconds = 366 * 86'400;

absl::Status Bad(const std::string& message) { return absl::InvalidArgumentError(message); }

bool All(const std::string& text, bool (*allowed)(char)) { return std::all_of(text.begin(), text.end(), allowed); }

bool InCallId(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("._:/@#-").find(c) != std::string_view::npos;
}
bool InToolName(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }
bool Printable(char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; }

}  // namespace

absl::Status ValidateCallId(const std::string& call_id) {
  if (call_id.empty() || call_id.size() > kMostName || !All(call_id, InCallId)) {
    return Bad("call_id: must be 1 to 256 characters of [A-Za-z0-9._:/@#-]");
  }
  return absl::OkStatus();
}

absl::Status ValidateModelName(const std::string& model) {
  if (model.empty()) return Bad("model: is required");
  if (model.size() > kMostName || !All(model, Printable))
    return Bad("model: must be at most 256 bytes without white space");
  return absl::OkStatus();
}

absl::Status ValidateTokens(int64_t tokens) {
  if (tokens < 0 || tokens > kMostTokens) return Bad(fmt::format("tokens: must be from 0 to {}", kMostTokens));
  return absl::OkStatus();
}

absl::Status ValidateGenerate(const v1::GenerateRequest& request) {
  if (absl::Status status = ValidateCallId(request.call_id()); !status.ok()) return status;
  if (absl::Status status = ValidateModelName(request.model()); !status.ok()) return status;
  if (request.after_event() < 0) return Bad("after_event: must not be negative; 0 is the start");
  if (request.after_incarnation().size() > kMostName)
    return Bad("after_incarnation: must be at most 256 bytes; send it as the last event had it");
  if (request.session_id().size() > kMostName)
    return Bad("session_id: must be at most 256 bytes; leave it out to have the call_id instead");
  if (request.items().empty()) return Bad("items: at least one is required");
  if (request.max_output_tokens() < 0 || request.max_output_tokens() > kMostOutputTokens) {
    return Bad(fmt::format("max_output_tokens: must be from 0 (the provider's default) to {}", kMostOutputTokens));
  }
  if (request.has_max_wait()) {
    const auto& wait = request.max_wait();
    if (wait.seconds() < 0 || wait.seconds() > kMostWaitSeconds || wait.nanos() < 0 || wait.nanos() > 999'999'999)
      return Bad("max_wait: must not be negative, nor longer than 366 days; 0 must fit now");
  }
  if (request.reasoning_effort().size() > kMostEffort)
    return Bad(fmt::format("reasoning_effort: must be at most {} bytes, for example medium", kMostEffort));
  for (int i = 0; i < request.tools_size(); ++i) {
    const std::string& name = request.tools(i).name();
    if (name.empty() || name.size() > 64 || !All(name, InToolName)) {
      return Bad(fmt::format("tools[{}].name: must be 1 to 64 characters of [A-Za-z0-9_-]", i));
    }
  }
  return absl::OkStatus();
}

std::string RequestDigest(const v1::GenerateRequest& request) {
  v1::GenerateRequest identity = request;
  identity.clear_call_id();
  identity.clear_tenant();
  identity.clear_after_event();
  identity.clear_after_incarnation();
  identity.clear_max_wait();
  identity.clear_background();
  // No map fields: one process serializes equal messages to equal bytes, and only one process compares.
  const std::string bytes = identity.SerializeAsString();
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace holdfast::quota
