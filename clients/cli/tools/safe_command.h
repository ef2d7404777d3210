#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clients/cli/tools/spawn.h"
#include "clients/cli/tools/tool_request.h"

namespace holdfast::cli {

// The words of a command line that is one simple command: plain words and quotes, nothing that a shell would expand,
// redirect or chain. Nothing for any other one.
std::optional<std::vector<std::string>> SimpleWords(std::string_view command);

// The command is known to read only, and names nothing outside of the workspace: it may run without asking. Strict;
// where in doubt it is not. Looks at the text alone: what links inside the workspace lead to is not seen.
bool IsKnownSafe(const ShellArguments& arguments);

// Variables that a known-safe command runs with: git shall not execute what the workspace's own configuration names (a
// file system monitor, a bare repository that was planted). `inherited_count` is GIT_CONFIG_COUNT of this process.
std::vector<EnvironmentEntry> KnownSafeEnvironment(const char* inherited_count);

}  // namespace holdfast::cli
