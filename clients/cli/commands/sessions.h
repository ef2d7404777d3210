#pragma once

#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"

namespace holdfast::cli {

// With --json: `list` prints a session object a line; `show` prints {"type":"session", …}, then
// {"type":"event","event":{…}} for every event, which is the proto3 JSON form of SessionEvent with the field names of
// the .proto. Returns an exit code.
int RunSessions(const Context& context, const SessionsCommand& command);

}  // namespace holdfast::cli
