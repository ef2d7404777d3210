#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace holdfast::agent {

// Where a page of ListSessions ended: the next one begins after this session in the list's order (updated downwards,
// then session_id upwards).
struct PagePosition {
  int64_t updated_us = 0;
  std::string session_id;
};

// Opaque, safe in a URL, of one tenant. The check value guards against damage and mix-ups; it is no secret and guards
// nothing else, since the tenant is always asked for apart from the token.
std::string EncodePageToken(std::string_view tenant, const PagePosition& position);

// INVALID_ARGUMENT for anything that EncodePageToken did not make for this tenant.
absl::StatusOr<PagePosition> DecodePageToken(std::string_view tenant, std::string_view token);

}  // namespace holdfast::agent
