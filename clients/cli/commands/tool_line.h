#pragma once

#include <string>
#include <string_view>

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// A tool call in a line for people, for example "shell: make test" or "apply_patch: a.cc, b.cc". Not sanitised.
std::string ToolLine(const quota::v1::ToolCall& call);

// What people read while agent_service is out of reach, or says `reason` for not going on.
std::string LinkLostLine(const std::string& reason, bool has_session);

}  // namespace holdfast::cli
