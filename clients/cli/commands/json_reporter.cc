#include "clients/cli/commands/json_reporter.h"

#include <boost/json/array.hpp>
#include <utility>

#include "clients/cli/commands/exit_code.h"
#include "clients/cli/commands/tool_line.h"
#include "clients/cli/terminal/json_lines.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

json::object ErrorJson(int code, const std::string& message) {
  return {{"code", JsonText(StatusCodeName(code))}, {"message", message}};
}

json::object ItemJson(const std::string& id, const quota::v1::Item& item) {
  json::object object{{"id", id}};
  if (item.has_message()) {
    object["type"] = "assistant_message";
    object["text"] = TextOf(item.message());
  } else if (item.has_reasoning()) {
    json::array summary;
    for (const std::string& text : item.reasoning().summary()) summary.emplace_back(text);
    object["type"] = "reasoning";
    object["summary"] = std::move(summary);
  } else if (item.has_tool_call()) {
    object["type"] = "tool_call";
    object["call_id"] = item.tool_call().call_id();
    object["name"] = item.tool_call().name();
    object["arguments"] = item.tool_call().arguments();
  } else {
    object["type"] = "unknown";
  }
  return object;
}

}  // namespace

void JsonReporter::Write(std::string_view type, json::object fields) {
  json::object object{{"type", JsonText(type)}};
  for (auto& field : fields) object.emplace(field.key(), std::move(field.value()));
  WriteJsonLine(screen_, object);
}

void JsonReporter::OnSession(const std::string& session_id) {
  has_session_ = true;
  Write("thread.started", {{"thread_id", session_id}});
}

void JsonReporter::OnTurnStarted(const std::string& turn_id) { Write("turn.started", {{"turn_id", turn_id}}); }

void JsonReporter::OnChange(const TurnChange& change) {
  std::visit([this](const auto& c) { Show(c); }, change);
}

void JsonReporter::OnToolStarted(const quota::v1::ToolCall& call) {
  Write("item.started", {{"item", json::object{{"id", call.call_id() + ".result"},
                                               {"type", "tool_result"},
                                               {"call_id", call.call_id()},
                                               {"name", call.name()}}}});
}

void JsonReporter::OnTrouble(int code, const std::string& message) {
  Write("turn.failed", {{"error", ErrorJson(code, message)}, {"retry_after_seconds", nullptr}});
}

void JsonReporter::OnLinkLost(const std::string& reason) { screen_.Err(LinkLostLine(reason, has_session_)); }

void JsonReporter::OnLinkBack() { screen_.Err("agent_service is back"); }

void JsonReporter::Show(const ItemBegun& change) {
  wait_.Clear();
  Write("item.started",
        {{"item", json::object{{"id", change.id}, {"type", change.reasoning ? "reasoning" : "assistant_message"}}}});
}

void JsonReporter::Show(const WaitAnnounced& change) {
  if (wait_.Note(change.wait, BootClock::now())) WriteJsonLine(screen_, WaitJson(change.wait));
}

void JsonReporter::Show(const LogWentBack& change) {
  wait_.Clear();
  screen_.Err(LogWentBackLine(change));
}

void JsonReporter::Show(const ItemDone& change) {
  wait_.Clear();
  Write("item.completed", {{"item", ItemJson(change.id, change.item)}});
}

void JsonReporter::Show(const ResultRecorded& change) {
  Write("item.completed", {{"item", json::object{{"id", change.result.call_id() + ".result"},
                                                 {"type", "tool_result"},
                                                 {"call_id", change.result.call_id()},
                                                 {"output", change.result.output()},
                                                 {"is_error", change.result.is_error()}}}});
}

void JsonReporter::Show(const ApprovalAsked& change) {
  Write("approval.requested", {{"approval_id", change.asked.approval_id()},
                               {"call_id", change.asked.call_id()},
                               {"question", change.asked.question()}});
}

void JsonReporter::Show(const ApprovalGiven& change) {
  Write("approval.decided", {{"approval_id", change.decided.approval_id()},
                             {"answer", JsonText(ApprovalWord(change.decided.answer()))},
                             {"reason", change.decided.reason()},
                             {"by", change.decided.by()}});
}

void JsonReporter::Show(const TurnDone& change) {
  Write("turn.completed", {{"usage", UsageJson(change.usage)}, {"waited_seconds", change.waited_seconds}});
}

void JsonReporter::Show(const TurnBroke& change) {
  json::object fields{{"error", ErrorJson(change.failure.code(), change.failure.message())},
                      {"retry_after_seconds", nullptr},
                      {"usage", UsageJson(change.failure.usage())}};
  if (change.failure.retry_after_seconds() > 0) fields["retry_after_seconds"] = change.failure.retry_after_seconds();
  Write("turn.failed", std::move(fields));
}

}  // namespace holdfast::cli
