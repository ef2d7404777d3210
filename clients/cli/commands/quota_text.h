#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "common/base/clock.h"
#include "holdfast/quota/v1/quota.pb.h"

namespace holdfast::cli {

// What GetHeadroom's answer comes to for somebody who is ready to wait for a while.
struct HeadroomAnswer {
  int exit_code = 1;   // 0 fits, 75 must wait longer, 76 never fits, 1 the server gave no verdict
  double seconds = 0;  // until it fits, rounded up to milliseconds; 0 where it fits now or never
};

HeadroomAnswer Judge(const quota::v1::GetHeadroomResponse& response, Duration max_wait);

// {fits, verdict, seconds, largest_admissible, limits_known, limits: [{dimension, limit, window_seconds, remaining,
// source}], wait} `largest_admissible` is null where unknown, `wait` where there is none.
boost::json::object HeadroomJson(const quota::v1::GetHeadroomResponse& response, const HeadroomAnswer& answer);
// A line for people.
std::string HeadroomText(const quota::v1::GetHeadroomResponse& response, const HeadroomAnswer& answer, int64_t tokens);

boost::json::object StatusJson(const quota::v1::WatchStatusResponse& status);
// Lines for people, each ended.
std::string StatusText(const quota::v1::WatchStatusResponse& status);

}  // namespace holdfast::cli
