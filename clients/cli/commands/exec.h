#pragma once

#include <string>

#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"

namespace holdfast::cli {

// One turn; the final answer alone on standard output. Returns an exit code.
int RunExec(const Context& context, const ExecCommand& command);

}  // namespace holdfast::cli
