#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <boost/json/array.hpp>
#include <cstdint>
#include <string>

#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::cli {

using Waiters = google::protobuf::RepeatedPtrField<quota::v1::WaiterStatus>;

// A table of who waits, each line indented and ended; empty where nobody does. `visible`: how many there are, of whom
// these are the first.
std::string WaitersText(const Waiters& waiters, int64_t visible);

// [{tenant, session, position, seconds, least_seconds, most_seconds, requested, waited_seconds, reason}]
boost::json::array WaitersJson(const Waiters& waiters);

}  // namespace holdfast::cli
