#include "clients/cli/commands/instructions.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "clients/cli/commands/instructions_text.h"
#include "common/base/utf8.h"

namespace holdfast::cli {
namespace {

std::string_view ApprovalRule(std::string_view approval) {
  if (approval == "read-only") {
    return "Read-only: you may look at everything; changes and commands with effects are refused. Describe what you "
           "would change.";
  }
  if (approval == "auto-edit") {
    return "Auto-edit: changes to files in the workspace are made at once; commands that are not known to be safe are "
           "shown to the "
           "user first, who may refuse.";
  }
  if (approval == "full")
    return "Full: every tool call runs at once. Nobody checks before it happens, so check yourself.";
  return "Ask: changes and commands that are not known to be safe are shown to the user first, who may refuse.";
}

std::string ReadUpTo(int fd, size_t max_bytes) {
  std::string text(max_bytes, '\0');
  size_t size = 0;
  while (size < max_bytes) {
    const ssize_t n = read(fd, text.data() + size, max_bytes - size);
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  text.resize(size);
  return text;
}

// PRETTY_NAME of os-release(5); empty where there is none.
std::string Distribution() {
  constexpr std::string_view kKey = "PRETTY_NAME=";
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kKey)) continue;
    std::string value = line.substr(kKey.size());
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

}  // namespace

std::string BuildInstructions(std::string_view approval, const std::optional<std::string>& workspace_rules,
                              std::string_view workspace, std::string_view system) {
  std::string text = kInstructionsText;
  text += fmt::format("\n# Approval\n\n{}\n", ApprovalRule(approval));
  if (workspace_rules) {
    text += fmt::format("\n# Rules of this workspace (its AGENTS.md)\n\n{}\n", *workspace_rules);
  }
  text +=
      fmt::format("\n<environment>\nworking directory: {}\noperating system: {}\n</environment>\n", workspace, system);
  return RepairUtf8(text);
}

std::optional<std::string> ReadWorkspaceRules(const std::string& workspace) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::canonical(workspace, error);
  if (error) return std::nullopt;
  const std::filesystem::path path = std::filesystem::canonical(root / "AGENTS.md", error);
  if (error) return std::nullopt;
  const std::filesystem::path inside = path.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") return std::nullopt;

  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  struct stat status {};
  std::optional<std::string> rules;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    const std::string repaired = RepairUtf8(ReadUpTo(fd, kMaxWorkspaceRules));
    rules = std::string(TruncateUtf8(repaired, kMaxWorkspaceRules));
  }
  close(fd);
  return rules;
}

std::string DescribeSystem() {
  utsname name{};
  std::string kernel = "unknown";
  if (uname(&name) == 0) kernel = fmt::format("{} {}", name.sysname, name.machine);
  const std::string distribution = Distribution();
  return distribution.empty() ? kernel : fmt::format("{}, {}", distribution, kernel);
}

}  // namespace holdfast::cli
