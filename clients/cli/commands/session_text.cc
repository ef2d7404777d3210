#include "clients/cli/commands/session_text.h"

#include <fmt/format.h>

#include "clients/cli/commands/tool_line.h"
#include "clients/cli/commands/turn_view.h"
#include "clients/cli/terminal/json_lines.h"
#include "clients/cli/terminal/sanitize.h"
#include "clients/cli/terminal/wait_line.h"

namespace holdfast::cli {
namespace {

using agent::v1::Session;
using agent::v1::SessionEvent;

constexpr size_t kMaxTitle = 60;
constexpr size_t kMaxResult = 200;

std::string_view StatusName(agent::v1::SessionStatus status) {
  switch (status) {
    case agent::v1::SESSION_STATUS_IDLE:
      return "idle";
    case agent::v1::SESSION_STATUS_MODEL:
      return "model";
    case agent::v1::SESSION_STATUS_TOOLS:
      return "tools";
    default:
      return "unknown";
  }
}

std::string DescribeItem(const quota::v1::Item& item) {
  if (item.has_message()) return fmt::format("agent: {}", TextOf(item.message()));
  if (item.has_tool_call()) return fmt::format("tool {}", ToolLine(item.tool_call()));
  return {};
}

std::string DescribeAnswer(const agent::v1::ModelAnswered& answered) {
  std::string text;
  for (const auto& item : answered.items()) {
    const std::string line = DescribeItem(item);
    if (!line.empty() && !text.empty()) text += '\n';
    text += line;
  }
  return text;
}

std::string DescribeInput(const agent::v1::TurnStarted& turn) {
  quota::v1::Message said;
  *said.mutable_parts() = turn.input();
  return fmt::format("you: {}", TextOf(said));
}

std::string PlanText(const agent::v1::Plan& plan) {
  std::string text;
  for (const agent::v1::PlanStep& step : plan.steps()) {
    const char* mark = step.status() == "completed" ? "x" : step.status() == "in_progress" ? ">" : " ";
    text += fmt::format("{}  [{}] {}", text.empty() ? "plan\n" : "\n", mark, step.step());
  }
  return text;
}

}  // namespace

std::string SessionLine(const Session& session) {
  return fmt::format("{}  {}  {:<5}  {}  {}", session.session_id(), TimeText(session.updated()),
                     StatusName(session.status()), session.model(), SanitizeLine(session.title(), kMaxTitle));
}

std::string DescribeSession(const Session& session) {
  return fmt::format(
      "session    {}\ntitle      {}\nmodel      {}\nworkspace  {}\ncreated    {}\nlast used  {}\nstate      {}\n"
      "tokens     {} input ({} cached), {} output ({} reasoning)",
      session.session_id(), SanitizeLine(session.title(), kMaxTitle), session.model(), session.workspace(),
      TimeText(session.created()), TimeText(session.updated()), StatusName(session.status()),
      session.usage().input_tokens(), session.usage().cached_input_tokens(), session.usage().output_tokens(),
      session.usage().reasoning_tokens());
}

std::string DescribeEvent(const SessionEvent& event) {
  switch (event.kind_case()) {
    case SessionEvent::kTurnStarted:
      return DescribeInput(event.turn_started());
    case SessionEvent::kWaitNoted:
      if (!event.wait_noted().has_wait()) return "quota_service answers again";
      return WaitLine(event.wait_noted().wait(), event.wait_noted().wait().seconds());
    case SessionEvent::kModelAnswered:
      return DescribeAnswer(event.model_answered());
    case SessionEvent::kToolResultRecorded: {
      const auto& result = event.tool_result_recorded().result();
      return fmt::format("  {}{}", result.is_error() ? "failed: " : "", SanitizeLine(result.output(), kMaxResult));
    }
    case SessionEvent::kApprovalDecided:
      return "  " + ApprovalLine(event.approval_decided());
    case SessionEvent::kToolLeaseGranted: {
      const auto& place = event.tool_lease_granted().place();
      return fmt::format("  tools run in {} on {} (lease {})", place.workspace(),
                         place.host_name().empty() ? place.host() : place.host_name(),
                         event.tool_lease_granted().generation());
    }
    case SessionEvent::kTurnFailed:
      return fmt::format("the turn failed: {}", event.turn_failed().message());
    case SessionEvent::kSnapshotTaken:
      return fmt::format("snapshot {} of event {}", event.snapshot_taken().name(),
                         event.snapshot_taken().at_sequence());
    case SessionEvent::kSessionRestored:
      return fmt::format("restored to event {}; what came after it is left", event.session_restored().to_sequence());
    case SessionEvent::kSessionForked:
      return fmt::format("forked from session {} at event {}", event.session_forked().from_session_id(),
                         event.session_forked().at_sequence());
    case SessionEvent::kSessionImported:
      return fmt::format("imported; it was session {}", event.session_imported().from_session_id());
    case SessionEvent::kSessionSalvaged:
      return fmt::format("events up to {} were lost with a damaged database",
                         event.session_salvaged().known_sequence());
    case SessionEvent::kContextCompacted:
      return fmt::format("context compacted: about {} tokens instead of {}", event.context_compacted().tokens_after(),
                         event.context_compacted().tokens_before());
    case SessionEvent::kCompactionFailed:
      return fmt::format("the context was not compacted: {}", event.compaction_failed().message());
    case SessionEvent::kPlanUpdated:
      return PlanText(event.plan_updated().plan());
    default:
      return {};
  }
}

std::string NumberedEvent(const SessionEvent& event) {
  constexpr std::string_view kMargin = "        ";
  const std::string text = DescribeEvent(event);
  if (text.empty()) return {};
  std::string numbered = fmt::format("{:>6}  ", event.sequence());
  for (const char c : text) {
    numbered += c;
    if (c == '\n') numbered += kMargin;
  }
  return numbered;
}

boost::json::object SessionJson(const Session& session) {
  return {{"session_id", session.session_id()},
          {"title", session.title()},
          {"model", session.model()},
          {"workspace", session.workspace()},
          {"created", TimeText(session.created())},
          {"updated", TimeText(session.updated())},
          {"last_sequence", session.last_sequence()},
          {"status", JsonText(StatusName(session.status()))},
          {"turn_id", session.turn_id()},
          {"usage", UsageJson(session.usage())}};
}

}  // namespace holdfast::cli
