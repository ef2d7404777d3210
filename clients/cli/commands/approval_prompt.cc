#include "clients/cli/commands/approval_prompt.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cctype>
#include <memory>

#include "clients/cli/terminal/line_editor.h"
#include "clients/cli/terminal/tty.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

ApprovalAnswer Deny(std::string reason) { return {.kind = ApprovalAnswer::Kind::kDeny, .reason = std::move(reason)}; }

std::optional<ApprovalAnswer> AskOn(int fd, Screen& screen, Interrupts& interrupts, const std::string& question,
                                    const std::function<bool()>& stop) {
  screen.Err(question);
  for (;;) {
    screen.Ask("[y]es, once · [a]lways in this session · [n]o, with a reason if you like: ");
    std::string line;
    const LineReader::Result result = ReadPlainLine(fd, interrupts, &line, stop);
    if (result == LineReader::Result::kInterrupted && !interrupts.pending()) return std::nullopt;
    if (result == LineReader::Result::kInterrupted) return Deny("interrupted");
    if (result == LineReader::Result::kEnd) return Deny("nobody answers any more");
    if (std::optional<ApprovalAnswer> answer = ParseApprovalAnswer(line)) return *std::move(answer);
  }
}

}  // namespace

std::optional<ApprovalAnswer> ParseApprovalAnswer(std::string_view line) {
  line = Trim(line);
  const size_t end = line.find_first_of(" \t,:");
  const std::string_view word = line.substr(0, end);
  const std::string_view rest = end == std::string_view::npos ? std::string_view() : Trim(line.substr(end + 1));
  if (word == "n" || word == "no") return Deny(std::string(rest));
  if (!rest.empty()) return std::nullopt;
  if (word == "y" || word == "yes") return ApprovalAnswer{.kind = ApprovalAnswer::Kind::kOnce, .reason = {}};
  if (word == "a" || word == "always") return ApprovalAnswer{.kind = ApprovalAnswer::Kind::kForSession, .reason = {}};
  return std::nullopt;
}

std::string QuestionText(const ApprovalQuestion& question) {
  if (!question.warning.empty()) {
    ApprovalQuestion bare = question;
    bare.warning.clear();
    return question.warning + "\n" + QuestionText(bare);
  }
  if (question.effect == Effect::kPatch) {
    return fmt::format("The agent wants to change {}:\n{}", fmt::join(question.files, ", "), question.diff);
  }
  if (question.effect == Effect::kCommand) {
    return fmt::format("The agent wants to run, in {}:\n  {}", question.folder, question.command);
  }
  return fmt::format("The agent wants to use {}.", question.tool);
}

ApprovalPrompt MakeApprovalPrompt(Screen& screen, Interrupts& interrupts) {
  if (!screen.has_terminal()) return nullptr;
  auto terminal = std::make_shared<UniqueFd>();
  int fd = STDIN_FILENO;
  if (!IsTerminal(fd)) {
    *terminal = UniqueFd(open("/dev/tty", O_RDONLY | O_CLOEXEC));
    if (!*terminal) return nullptr;
    fd = terminal->get();
  }
  return [terminal, fd, &screen, &interrupts](const std::string& question, const std::function<bool()>& stop) {
    return AskOn(fd, screen, interrupts, question, stop);
  };
}

}  // namespace holdfast::cli
