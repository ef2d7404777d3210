#include "clients/cli/commands/exec.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "clients/cli/commands/conversation.h"
#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/json_reporter.h"
#include "clients/cli/commands/text_reporter.h"
#include "clients/cli/terminal/line_editor.h"
#include "clients/cli/tools/unique_fd.h"

namespace holdfast::cli {
namespace {

// Far above any model's window, far below the largest message.
constexpr size_t kMaxPromptBytes = 16 * 1024 * 1024;

absl::StatusOr<std::string> ReadStandardInput(const Interrupts& interrupts) {
  std::string text;
  char buffer[65536];
  for (;;) {
    if (!AwaitInput(STDIN_FILENO, interrupts)) return absl::CancelledError("interrupted");
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return absl::InvalidArgumentError(fmt::format("standard input cannot be read: {}", std::strerror(errno)));
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxPromptBytes) {
      return absl::InvalidArgumentError(
          fmt::format("the prompt has more than {} bytes; put the material into files and name them", kMaxPromptBytes));
    }
  }
}

// Opened before the turn, so that an answer is not lost to a wrong path; emptied only when the answer is there.
absl::StatusOr<UniqueFd> OpenOutput(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  if (!fd) return absl::InvalidArgumentError(fmt::format("-o {}: {}", path, std::strerror(errno)));
  return fd;
}

bool WriteOutput(int fd, std::string_view text) {
  if (ftruncate(fd, 0) != 0 && errno != EINVAL) return false;  // EINVAL: not a file, a pipe for example
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void SayHowToResume(TurnReporter& reporter, const TurnResult& result, const std::string& session_id) {
  if (session_id.empty()) return;
  if (result.end == TurnResult::End::kInterrupted) {
    reporter.Note(fmt::format("resume with: holdfast exec --session {} \"…\"", session_id));
  } else if (result.end == TurnResult::End::kLost) {
    reporter.Note(fmt::format("the turn may go on; resume with: holdfast chat --session {}", session_id));
  }
}

// Whoever read standard output and left knows; a full disk does not.
int OutputLost(TurnReporter& reporter, const Screen& screen, const std::string& session_id) {
  if (screen.out_error() != EPIPE)
    reporter.Note(fmt::format("the session keeps the answer; holdfast sessions show {} prints it", session_id));
  return kExitFailed;
}

}  // namespace

int RunExec(const Context& context, const ExecCommand& command) {
  Screen& screen = context.screen;
  std::string prompt = command.prompt;
  if (prompt == "-") {
    absl::StatusOr<std::string> input = ReadStandardInput(context.interrupts);
    if (!input.ok()) {
      screen.Err(std::string(input.status().message()));
      return absl::IsCancelled(input.status()) ? kExitInterrupted : kExitUsage;
    }
    prompt = *std::move(input);
  }
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    screen.Err("the prompt is empty; give it as an argument, or as - on standard input");
    return kExitUsage;
  }
  UniqueFd output;
  if (!command.output_file.empty()) {
    absl::StatusOr<UniqueFd> opened = OpenOutput(command.output_file);
    if (!opened.ok()) {
      screen.Err(std::string(opened.status().message()));
      return kExitUsage;
    }
    output = *std::move(opened);
  }

  std::unique_ptr<TurnReporter> reporter;
  if (command.json) {
    reporter = std::make_unique<JsonReporter>(screen);
  } else {
    reporter = std::make_unique<TextReporter>(screen, TextReporter::Answer::kLater);
  }
  AgentClient client(context.services, context.interrupts);
  Conversation conversation(client, *reporter, screen, context.interrupts, command.turn);
  if (const int code = conversation.Open(); code != kExitDone) return code;
  const TurnResult result = conversation.Say(prompt);
  screen.ClearStatus();
  if (screen.out_failed()) return OutputLost(*reporter, screen, conversation.session_id());
  SayHowToResume(*reporter, result, conversation.session_id());
  if (result.exit_code != kExitDone) return result.exit_code;

  if (!command.json) screen.Out(result.answer + "\n");
  if (output && !WriteOutput(output.get(), result.answer + "\n")) {
    screen.Err(fmt::format("-o {}: {}", command.output_file, std::strerror(errno)));
    return kExitFailed;
  }
  return screen.out_failed() ? OutputLost(*reporter, screen, conversation.session_id()) : kExitDone;
}

}  // namespace holdfast::cli
