#pragma once

#include <boost/json/fwd.hpp>
#include <optional>

#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// Reads a `usage` object of either dialect. Absent where it is no object, or tells neither input nor output. Counts
// that no call could have (below zero, above 10^12) are taken as not told.
std::optional<TokenUsage> ReadUsage(const boost::json::value* usage);

}  // namespace holdfast::quota
