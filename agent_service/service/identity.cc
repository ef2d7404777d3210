#include "agent_service/service/identity.h"

#include <openssl/sha.h>

#include <utility>

#include "common/rpc/status.h"

namespace holdfast::agent {
namespace {

constexpr Duration kFresh = std::chrono::minutes(1);
constexpr Duration kUsable = std::chrono::minutes(10);
constexpr size_t kMostKnown = 10'000;

std::string Digest(const std::string& token) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

}  // namespace

void Identity::Resolve(const std::string& token, absl::AnyInvocable<void(absl::StatusOr<std::string>)> done) {
  const std::string key = Digest(token);
  if (const auto found = known_.find(key); found != known_.end() && loop_.Now() - found->second.at < kFresh) {
    return done(found->second.tenant);
  }
  quota_.WhoAmI(token, [this, key, done = std::move(done)](const grpc::Status& status,
                                                           const quota::v1::WhoAmIResponse& response) mutable {
    const BootTime now = loop_.Now();
    if (status.ok()) {
      known_.erase(key);
      if (response.is_service())
        return done(absl::PermissionDeniedError("this is the token of a service; sessions belong to tenants"));
      if (known_.size() >= kMostKnown)
        std::erase_if(known_, [&](const auto& entry) { return now - entry.second.at > kFresh; });
      known_[key] = {response.tenant(), now};
      return done(response.tenant());
    }
    const auto found = known_.find(key);
    if (IsBrokenLink(status)) {
      if (found != known_.end() && now - found->second.at < kUsable) return done(found->second.tenant);
      return done(absl::UnavailableError("quota_service, which knows the tenants, cannot be reached: " +
                                         status.error_message()));
    }
    if (found != known_.end()) known_.erase(found);
    done(FromGrpc(status));
  });
}

}  // namespace holdfast::agent
