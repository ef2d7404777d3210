#include "agent_service/service/stranded_sessions.h"

#include <fmt/format.h>

#include <utility>

namespace holdfast::agent {
namespace {

// As quota_service calls everybody while no tenants are configured.
constexpr char kDefaultTenant[] = "default";
constexpr int kMostCounted = 1000;
constexpr Duration kPause = std::chrono::seconds(5);

}  // namespace

StrandedSessions::StrandedSessions(Loop& loop, Store& store, Identity& identity,
                                   std::function<void(const std::string&)> tell)
    : loop_(loop), store_(store), identity_(identity), tell_(std::move(tell)), again_(loop.NewTimer()) {}

void StrandedSessions::Look() {
  store_.ListSessions(kDefaultTenant, kMostCounted, "", [this](absl::StatusOr<SessionPage> page) {
    if (stopped_ || !page.ok() || page->sessions.empty()) return;
    count_ = fmt::format("{}{}", page->next_page_token.empty() ? "" : "more than ", page->sessions.size());
    Ask();
  });
}

void StrandedSessions::Stop() {
  stopped_ = true;
  again_->Disarm();
}

void StrandedSessions::Ask() {
  // Who has no token is that tenant, or nobody.
  identity_.Resolve("", [this](const absl::StatusOr<std::string>& tenant) {
    if (stopped_ || tenant.ok()) return;
    if (absl::IsUnavailable(tenant.status())) {
      again_->ArmAt(loop_.Now() + kPause, [this] { Ask(); });
    } else if (absl::IsUnauthenticated(tenant.status())) {
      tell_(
          fmt::format("sessions of tenant \"{}\", from before tenants were configured: {}; only the token of a tenant "
                      "of that name shows them (docs/sessions.md)",
                      kDefaultTenant, count_));
    }
  });
}

}  // namespace holdfast::agent
