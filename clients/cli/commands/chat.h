#pragma once

#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"

namespace holdfast::cli {

// Line by line: every line is a turn, or a command that begins with a slash. Ctrl-C in a turn cancels it and keeps the
// session; at the prompt it leaves. A turn that runs in the session already is followed first. Returns an exit
// code: that of the last turn.
int RunChat(const Context& context, const ChatCommand& command);

}  // namespace holdfast::cli
