#include "agent_service/store/page_token.h"

#include <bit>

#include "absl/strings/escaping.h"

namespace holdfast::agent {
namespace {

// Layout before base64: check value (8 bytes), updated_us (8), both with the low byte first, then the session_id.
constexpr size_t kNumberBytes = 8;
constexpr size_t kHeaderBytes = 2 * kNumberBytes;

void AppendNumber(std::string& out, uint64_t value) {
  for (size_t i = 0; i < kNumberBytes; ++i) out.push_back(std::bit_cast<char>(static_cast<uint8_t>(value >> (8 * i))));
}

uint64_t ReadNumber(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) value |= uint64_t{std::bit_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

// FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv/).
uint64_t Fold(uint64_t hash, std::string_view bytes) {
  for (char c : bytes) hash = (hash ^ std::bit_cast<uint8_t>(c)) * uint64_t{0x100000001b3};
  return hash;
}

uint64_t Check(std::string_view tenant, std::string_view payload) {
  uint64_t hash = Fold(uint64_t{0xcbf29ce484222325}, tenant);
  hash = Fold(hash, std::string_view("\0", 1));
  return Fold(hash, payload);
}

}  // namespace

std::string EncodePageToken(std::string_view tenant, const PagePosition& position) {
  std::string payload;
  AppendNumber(payload, static_cast<uint64_t>(position.updated_us));
  payload += position.session_id;
  std::string token;
  AppendNumber(token, Check(tenant, payload));
  token += payload;
  return absl::WebSafeBase64Escape(token);
}

absl::StatusOr<PagePosition> DecodePageToken(std::string_view tenant, std::string_view token) {
  const absl::Status invalid = absl::InvalidArgumentError(
      "page_token: is not one that an earlier page of this list returned; leave it out to begin again");
  std::string bytes;
  if (!absl::WebSafeBase64Unescape({token.data(), token.size()}, &bytes)) return invalid;
  if (bytes.size() <= kHeaderBytes) return invalid;
  const std::string_view view = bytes;
  const std::string_view payload = view.substr(kNumberBytes);
  if (ReadNumber(view) != Check(tenant, payload)) return invalid;
  return PagePosition{.updated_us = static_cast<int64_t>(ReadNumber(payload)),
                      .session_id = std::string(payload.substr(kNumberBytes))};
}

}  // namespace holdfast::agent
