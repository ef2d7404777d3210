#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::cli {

// For lists: id, time of last use, state, model, title.
std::string SessionLine(const agent::v1::Session& session);
// Several lines, a field each.
std::string DescribeSession(const agent::v1::Session& session);
// What an event tells people, possibly several lines; empty for what they need not see.
std::string DescribeEvent(const agent::v1::SessionEvent& event);
// The same behind the event's number, which is what `fork --at` and `restore --at` take.
std::string NumberedEvent(const agent::v1::SessionEvent& event);

boost::json::object SessionJson(const agent::v1::Session& session);

}  // namespace holdfast::cli
