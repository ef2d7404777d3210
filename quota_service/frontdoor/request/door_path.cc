#include "quota_service/frontdoor/request/door_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace holdfast::quota {
namespace {

constexpr std::string_view kPrefix = "/v1/";

// Others take what they need and leave nothing behind that a second tenant could find.
constexpr std::string_view kStateless[] = {
    "responses", "chat",   "completions", "embeddings", "moderations", "audio",
    "images",    "models", "rerank",      "tokenize",   "detokenize",  "score",
};

std::string_view FirstSegment(std::string_view path) {
  path.remove_prefix(std::min(path.size(), kPrefix.size()));
  return path.substr(0, path.find('/'));
}

}  // namespace

absl::Status CheckDoorPath(std::string_view path) {
  if (!path.starts_with(kPrefix) || path.size() == kPrefix.size()) {
    return absl::NotFoundError(
        "known here: /v1/responses, /v1/chat/completions, /v1/models, and what else the "
        "upstream has under /v1/");
  }
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("/._~:@!$&()*+,;=-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!std::ranges::all_of(path, plain)) {
    return absl::InvalidArgumentError("the path must be written without escapes and unusual characters");
  }
  for (std::string_view rest = path.substr(1);;) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") {
      return absl::InvalidArgumentError("the path must have no empty segment, and none of \".\" or \"..\"");
    }
    if (slash == std::string_view::npos) return absl::OkStatus();
    rest.remove_prefix(slash + 1);
  }
}

Api ApiOf(std::string_view path) {
  if (path == "/v1/responses") return Api::kResponses;
  return path == "/v1/chat/completions" ? Api::kChat : Api::kOther;
}

std::string_view ResponseIdOf(std::string_view path) {
  constexpr std::string_view kResponses = "/v1/responses/";
  if (!path.starts_with(kResponses)) return {};
  path.remove_prefix(kResponses.size());
  return path.substr(0, path.find('/'));
}

bool IsSharedState(std::string_view path) {
  // Stored chat completions are listed and read under the path that makes them.
  if (path.starts_with("/v1/chat/completions/")) return true;
  return std::ranges::find(kStateless, FirstSegment(path)) == std::end(kStateless);
}

}  // namespace holdfast::quota
