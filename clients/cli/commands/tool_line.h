#pragma once

#include <string>
#include <string_view>

#include "clients/cli/commands/turn_view.h"
#include "holdfast/agent/v1/agent.pb.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// A tool call in a line for people, for example "shell: make test" or "apply_patch: a.cc, b.cc". Not sanitised.
std::string ToolLine(const quota::v1::ToolCall& call);

// "once", "session" or "deny".
std::string ApprovalWord(agent::v1::ApprovalAnswer answer);
// Who answered what, for people. Not sanitised.
std::string ApprovalLine(const agent::v1::ApprovalDecided& decided);

// What people read while agent_service is out of reach, or says `reason` for not going on.
std::string LinkLostLine(const std::string& reason, bool has_session);
std::string LogWentBackLine(const LogWentBack& change);

}  // namespace holdfast::cli
