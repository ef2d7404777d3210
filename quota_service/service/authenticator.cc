#include "quota_service/service/authenticator.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>

namespace holdfast::quota {
namespace {

constexpr char kDefaultTenant[] = "default";

bool Same(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

Authenticator::Authenticator(const QuotaConfig& config) {
  for (const TenantConfig& tenant : config.tenants) known_.push_back({tenant.token, {tenant.name, false, false}});
  for (const ServiceConfig& service : config.services) known_.push_back({service.token, {"", true, true}});
}

absl::StatusOr<Caller> Authenticator::Authenticate(const std::string& token) const {
  if (known_.empty()) return Caller{kDefaultTenant, false, true};
  if (token.empty())
    return absl::UnauthenticatedError(
        "a token is required: `authorization: Bearer <token>` (HOLDFAST_TOKEN for the CLI, OPENAI_API_KEY for clients "
        "of "
        "the HTTP API)");
  const Known* match = nullptr;
  for (const Known& known : known_) {
    if (Same(known.token, token)) match = &known;
  }
  if (match == nullptr) return absl::UnauthenticatedError("the token is not one of a tenant or service");
  return match->caller;
}

absl::StatusOr<std::string> Authenticator::TenantFor(const std::string& token, const std::string& named) const {
  const auto caller = Authenticate(token);
  if (!caller.ok()) return caller.status();
  if (!caller->is_service) {
    if (!named.empty() && named != caller->tenant)
      return absl::PermissionDeniedError("tenant: only a service may name another tenant");
    return caller->tenant;
  }
  if (named.empty()) return absl::InvalidArgumentError("tenant: a service must name the tenant it calls for");
  const bool exists = std::any_of(known_.begin(), known_.end(), [&](const Known& known) {
    return !known.caller.is_service && known.caller.tenant == named;
  });
  if (!exists) return absl::NotFoundError(fmt::format("tenant: there is no tenant \"{}\"", named));
  return named;
}

}  // namespace holdfast::quota
