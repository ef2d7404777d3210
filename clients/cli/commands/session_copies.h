#pragma once

#include "clients/cli/commands/agent_client.h"
#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"

namespace holdfast::cli {

// Says what went wrong, if anything, and returns the exit code.
int Report(const Context& context, const AgentClient& client, const grpc::Status& status);

// fork, snapshot, restore, export, import. Returns an exit code.
int RunCopies(const Context& context, AgentClient& client, const SessionsCommand& command);

}  // namespace holdfast::cli
