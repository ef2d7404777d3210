#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "quota_service/config/config.h"

namespace holdfast::quota {

struct Caller {
  std::string tenant;  // of a service: empty
  bool is_service = false;
  bool sees_all = false;  // a service, or anybody where there are no tenants

  // What is a tenant's own: its sessions, its budget.
  bool MaySee(const std::string& whose) const { return sees_all || tenant == whose; }
};

// Tokens to callers. Without tenants and services configured everybody is tenant "default".
class Authenticator {
 public:
  explicit Authenticator(const QuotaConfig& config);

  // UNAUTHENTICATED: the token is missing or nobody's. Takes the same time for every wrong token of a length.
  absl::StatusOr<Caller> Authenticate(const std::string& token) const;
  // The tenant that a request is for: the caller's own, or, for a service, the one it names.
  // PERMISSION_DENIED: another tenant than one's own. INVALID_ARGUMENT: a service that names none. NOT_FOUND: no such
  // tenant.
  absl::StatusOr<std::string> TenantFor(const std::string& token, const std::string& named) const;

 private:
  struct Known {
    std::string token;
    Caller caller;
  };
  std::vector<Known> known_;
};

}  // namespace holdfast::quota
