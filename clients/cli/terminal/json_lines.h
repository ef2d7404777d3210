#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "clients/cli/terminal/screen.h"
#include "google/protobuf/timestamp.pb.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// `object` as one line on standard output.
void WriteJsonLine(Screen& screen, const boost::json::object& object);

boost::json::object UsageJson(const quota::v1::Usage& usage);

// `type` is "wait"; seconds count from the moment of writing, `retry_at` is RFC 3339 or null.
boost::json::object WaitJson(const quota::v1::Wait& wait);

// RFC 3339, UTC; empty for a time that is not set or not valid.
std::string TimeText(const google::protobuf::Timestamp& time);

// boost::json takes no std::string_view here and there; one place to convert.
boost::json::string JsonText(std::string_view text);

}  // namespace holdfast::cli
