#pragma once

#include <map>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent_service/quota_client/quota_client.h"
#include "common/base/loop.h"

namespace holdfast::agent {

// Tokens to tenants, as quota_service resolves them. Answers are remembered for a minute, and used for ten while
// quota_service is away. Only digests of tokens are kept. On the loop.
class Identity {
 public:
  Identity(Loop& loop, QuotaClient& quota) : loop_(loop), quota_(quota) {}

  // UNAUTHENTICATED, PERMISSION_DENIED (a service's token), UNAVAILABLE.
  void Resolve(const std::string& token, absl::AnyInvocable<void(absl::StatusOr<std::string>)> done);

 private:
  struct Known {
    std::string tenant;
    BootTime at;
  };

  Loop& loop_;
  QuotaClient& quota_;
  std::map<std::string, Known> known_;  // by digest
};

}  // namespace holdfast::agent
