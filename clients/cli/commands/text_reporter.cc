#include "clients/cli/commands/text_reporter.h"

#include <fmt/format.h>

#include "clients/cli/commands/tool_line.h"
#include "clients/cli/terminal/wait_line.h"
#include "common/base/duration_text.h"

namespace holdfast::cli {
namespace {

constexpr size_t kMaxLine = 300;

std::string UsageLine(const TurnDone& done) {
  std::string line = fmt::format("done · {} input", done.usage.input_tokens());
  if (done.usage.cached_input_tokens() > 0) line += fmt::format(" ({} cached)", done.usage.cached_input_tokens());
  line += fmt::format(" + {} output tokens", done.usage.output_tokens());
  if (done.waited_seconds > 0) line += fmt::format(" · waited {}", FormatDuration(FromSeconds(done.waited_seconds)));
  return line;
}

}  // namespace

void TextReporter::OnSession(const std::string& session_id) {
  has_session_ = true;
  screen_.ErrDim("session " + session_id);
}

void TextReporter::OnTurnStarted(const std::string&) {
  started_ = BootClock::now();
  wait_.Clear();
  streaming_ = false;
}

void TextReporter::OnChange(const TurnChange& change) {
  std::visit([this](const auto& c) { Show(c); }, change);
}

void TextReporter::OnToolStarted(const quota::v1::ToolCall& call) {
  screen_.ErrDim(SanitizeLine(ToolLine(call), kMaxLine));
}

void TextReporter::OnTrouble(int, const std::string& message) {
  wait_.Clear();
  screen_.Err(message);
}

void TextReporter::OnLinkLost(const std::string& reason) {
  link_lost_ = true;
  link_reason_ = reason;
  // A line at the bottom may be too short for the server's words.
  if (!screen_.has_terminal() || !reason.empty()) screen_.Err(LinkLostLine(reason, has_session_));
  OnIdle();
}

void TextReporter::OnLinkBack() {
  link_lost_ = false;
  screen_.ErrDim("agent_service is back");
}

void TextReporter::OnIdle() {
  if (!screen_.has_terminal()) return;
  const BootTime now = BootClock::now();
  if (link_lost_) {
    screen_.Status(LinkLostLine(link_reason_, has_session_));
  } else if (wait_.waiting()) {
    screen_.Status(WaitLine(wait_.wait(), wait_.SecondsLeft(now)));
  } else if (!streaming_) {
    const int64_t seconds = std::chrono::floor<std::chrono::seconds>(now - started_).count();
    screen_.Status(fmt::format("working · {}m{:02}s · Ctrl-C interrupts", seconds / 60, seconds % 60));
  }
}

void TextReporter::Show(const ItemBegun& change) {
  wait_.Clear();
  if (answer_ == Answer::kStream && !change.reasoning) screen_.EndOutLine();
}

void TextReporter::Show(const TextGrown& change) {
  wait_.Clear();
  if (answer_ != Answer::kStream || change.reasoning) return;
  streaming_ = true;
  screen_.Out(change.text);
}

void TextReporter::Show(const TextVoided& change) {
  wait_.Clear();
  screen_.EndOutLine();
  streaming_ = false;
  screen_.ErrDim(change.cause.empty() ? "the answer broke off · it starts again"
                                      : fmt::format("the answer broke off ({}) · it starts again", change.cause));
}

void TextReporter::Show(const WaitAnnounced& change) {
  const BootTime now = BootClock::now();
  const bool news = wait_.Note(change.wait, now);
  if (news && !screen_.has_terminal()) screen_.Err(WaitLine(change.wait, wait_.SecondsLeft(now)));
  OnIdle();
}

void TextReporter::Show(const WaitUnsure&) { wait_.Doubt(); }

void TextReporter::Show(const CallRuns&) { wait_.Clear(); }

void TextReporter::Show(const LogWentBack& change) {
  wait_.Clear();
  screen_.EndOutLine();
  streaming_ = false;
  screen_.Err(LogWentBackLine(change));
}

void TextReporter::Show(const ItemDone& change) {
  wait_.Clear();
  if (change.item.has_reasoning()) {
    for (const std::string& summary : change.item.reasoning().summary()) screen_.ErrDim(summary);
    return;
  }
  if (!change.item.has_message()) return;
  const std::string text = TextOf(change.item.message());
  if (answer_ == Answer::kStream) {
    if (!change.rest) screen_.EndOutLine();
    screen_.Out(change.rest ? *change.rest : text);
    screen_.EndOutLine();
    streaming_ = false;
  } else if (!change.final && !text.empty()) {
    screen_.Err(text);
  }
}

void TextReporter::Show(const ResultRecorded& change) {
  if (!change.result.is_error()) return;
  screen_.ErrDim("  failed: " + SanitizeLine(change.result.output(), kMaxLine));
}

// Whoever asks, or may answer, shows the question itself.
void TextReporter::Show(const ApprovalAsked&) { wait_.Clear(); }

void TextReporter::Show(const ApprovalGiven& change) {
  screen_.ErrDim(SanitizeLine(ApprovalLine(change.decided), kMaxLine));
}

void TextReporter::Show(const TurnDone& change) {
  wait_.Clear();
  screen_.ErrDim(UsageLine(change));
}

void TextReporter::Show(const TurnBroke& change) {
  wait_.Clear();
  screen_.EndOutLine();
  streaming_ = false;
  screen_.Err("the turn failed: " + change.failure.message());
  if (change.failure.retry_after_seconds() > 0) {
    screen_.Err(fmt::format("it could work in {:.3f} seconds; a longer --max-wait waits that long",
                            change.failure.retry_after_seconds()));
  }
}

}  // namespace holdfast::cli
