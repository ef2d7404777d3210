#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quota_service/admission/limit_group.h"
#include "quota_service/budget/budget_gate.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

// Of the caller's headers those that go on to the upstream. Never a credential, a cookie, or what frames the message.
HttpHeaders HeadersForUpstream(const HttpHeaders& headers);

// Of the upstream's headers those that come back to the caller, without what would give `secret` away.
HttpHeaders HeadersForClient(const HttpHeaders& headers, const std::string& secret);

// x-ratelimit-{limit,remaining,reset}-{requests,tokens} of our own: of each dimension the limit that has least room,
// the tenant's budget of the day among those of tokens. `reset`: until all of it is there again, if nothing else is
// sent.
HttpHeaders QuotaHeaders(const std::vector<LimitGroup::Level>& levels,
                         const std::optional<BudgetStanding>& budget = std::nullopt);

}  // namespace holdfast::quota
