#pragma once

#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"

namespace holdfast::cli {

// Copies and restored sessions: the id, or the number of the event, on standard output; a file that is written is whole
// or not there. With --json: `list` prints a session object a line; `show` prints {"type":"session", …}, then
// {"type":"event","event":{…}} for every event, which is the proto3 JSON form of SessionEvent with the field names of
// the .proto. Returns an exit code.
int RunSessions(const Context& context, const SessionsCommand& command);

}  // namespace holdfast::cli
