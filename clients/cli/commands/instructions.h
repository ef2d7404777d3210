#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cli {

// The most of a workspace's AGENTS.md that goes to the model, in bytes.
inline constexpr size_t kMaxWorkspaceRules = 64 * 1024;

// The rules for a turn: role and tool rules (prompts/instructions.md), what `approval` (read-only, ask, auto-edit,
// full) means, the workspace's own rules, and where the agent is. The same arguments give the same bytes, so that
// requests stay cacheable: no date, no counters.
std::string BuildInstructions(std::string_view approval, const std::optional<std::string>& workspace_rules,
                              std::string_view workspace, std::string_view system);

// AGENTS.md in the root of `workspace` as valid UTF-8, cut to kMaxWorkspaceRules. Absent where there is none, or where
// it is not a regular file inside the workspace: a link that leads out could carry a secret to the model.
std::optional<std::string> ReadWorkspaceRules(const std::string& workspace);

// The operating system in one line, for example "Debian GNU/Linux 12 (bookworm), Linux x86_64".
std::string DescribeSystem();

}  // namespace holdfast::cli
