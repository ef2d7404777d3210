#pragma once

#include "clients/cli/commands/command_line.h"
#include "clients/cli/commands/context.h"

namespace holdfast::cli {

// Both return an exit code.
int RunQuotaStatus(const Context& context, const QuotaStatusCommand& command);
// 0 fits now, or within `max_wait`; 75 must wait, and the seconds go to standard output; 76 never fits.
int RunQuotaCheck(const Context& context, const QuotaCheckCommand& command);

}  // namespace holdfast::cli
