#pragma once

#include "quota_service/call/exchange.h"
#include "quota_service/upstream/account.h"
#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// A request as it goes to `account`: with its URL and key, and our mark, by which we know it should it come back. Pure.
UpstreamRequest RequestTo(const Account& account, RequestBody body);

}  // namespace holdfast::quota
