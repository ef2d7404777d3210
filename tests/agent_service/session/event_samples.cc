#include "tests/agent_service/session/event_samples.h"

#include <chrono>
#include <utility>

#include "agent_service/session/timestamp.h"

namespace holdfast::agent {

quota::v1::Item Said(const std::string& text) {
  quota::v1::Item item;
  item.mutable_message()->set_role(quota::v1::ROLE_ASSISTANT);
  item.mutable_message()->add_parts()->set_text(text);
  return item;
}

quota::v1::Item Asked(const std::string& call_id, const std::string& name) {
  quota::v1::Item item;
  item.mutable_tool_call()->set_call_id(call_id);
  item.mutable_tool_call()->set_name(name);
  item.mutable_tool_call()->set_arguments("{}");
  return item;
}

v1::SessionEvent CreatedEvent(const std::string& model, const std::string& workspace) {
  v1::SessionEvent event;
  event.mutable_session_created()->set_model(model);
  event.mutable_session_created()->set_workspace(workspace);
  return event;
}

v1::SessionEvent TurnEvent(const std::string& client_key, const std::string& text, const std::string& turn_id) {
  v1::SessionEvent event;
  v1::TurnStarted* started = event.mutable_turn_started();
  started->set_turn_id(turn_id);
  started->set_client_key(client_key);
  started->add_input()->set_text(text);
  started->set_model("o4-mini");
  started->mutable_max_wait()->set_seconds(900);
  started->set_max_steps(100);
  return event;
}

v1::SessionEvent CallEvent(int step) {
  v1::SessionEvent event;
  event.mutable_model_call_started()->set_turn_id("t1");
  event.mutable_model_call_started()->set_step(step);
  event.mutable_model_call_started()->set_call_id("s/t1/" + std::to_string(step));
  return event;
}

v1::SessionEvent WaitEvent(int64_t now, int64_t seconds) {
  v1::SessionEvent event;
  event.mutable_wait_noted()->set_turn_id("t1");
  event.mutable_wait_noted()->mutable_wait()->set_seconds(static_cast<double>(seconds));
  SetTimestamp(LogTime(now + seconds), event.mutable_wait_noted()->mutable_wait()->mutable_retry_at());
  return event;
}

v1::SessionEvent AnswerEvent(const std::vector<quota::v1::Item>& items, int64_t input_tokens, int64_t output_tokens,
                             double waited_seconds) {
  v1::SessionEvent event;
  v1::ModelAnswered* answered = event.mutable_model_answered();
  answered->set_turn_id("t1");
  for (const quota::v1::Item& item : items) *answered->add_items() = item;
  answered->mutable_usage()->set_input_tokens(input_tokens);
  answered->mutable_usage()->set_cached_input_tokens(input_tokens / 2);
  answered->mutable_usage()->set_output_tokens(output_tokens);
  answered->mutable_usage()->set_reasoning_tokens(output_tokens / 2);
  answered->set_waited_seconds(waited_seconds);
  return event;
}

v1::SessionEvent ResultEvent(const std::string& call_id, const std::string& output) {
  v1::SessionEvent event;
  event.mutable_tool_result_recorded()->set_turn_id("t1");
  event.mutable_tool_result_recorded()->mutable_result()->set_call_id(call_id);
  event.mutable_tool_result_recorded()->mutable_result()->set_output(output);
  return event;
}

v1::SessionEvent CompletedEvent() {
  v1::SessionEvent event;
  event.mutable_turn_completed()->set_turn_id("t1");
  return event;
}

v1::SessionEvent FailedEvent() {
  v1::SessionEvent event;
  event.mutable_turn_failed()->set_turn_id("t1");
  event.mutable_turn_failed()->set_code(1);
  return event;
}

v1::SessionEvent FutureEvent() {
  v1::SessionEvent event;
  event.GetReflection()->MutableUnknownFields(&event)->AddLengthDelimited(999, "from a later version");
  return event;
}

std::vector<v1::SessionEvent> Numbered(std::vector<v1::SessionEvent> events) {
  int64_t sequence = 0;
  for (v1::SessionEvent& event : events) {
    event.set_sequence(++sequence);
    SetTimestamp(LogTime(sequence), event.mutable_time());
  }
  return events;
}

WallTime LogTime(int64_t second) { return WallTime(std::chrono::seconds(1'750'000'000 + second)); }

SessionState Fold(const std::vector<v1::SessionEvent>& numbered) {
  SessionState state;
  for (const v1::SessionEvent& event : numbered) state.Apply(event);
  return state;
}

std::string Fingerprint(const SessionState& state) {
  std::string text = state.Summary().DebugString() + "--\n";
  for (const quota::v1::Item& item : state.conversation()) text += item.DebugString() + "-\n";
  for (int key = 0; key < 10; ++key) {
    if (const v1::SubmitTurnResponse* turn = state.FindTurn("k" + std::to_string(key))) text += turn->DebugString();
  }
  if (const TurnState* turn = state.turn()) {
    text += turn->started.DebugString() + std::to_string(turn->first_sequence) + "/" + std::to_string(turn->steps) +
            (turn->answered ? " answered " : " ") + std::to_string(turn->waited_seconds) + turn->usage.DebugString();
    if (turn->call) text += turn->call->DebugString();
    if (turn->wait)
      text += turn->wait->DebugString() + turn->wait_time.DebugString() + std::to_string(turn->noted_seconds);
    for (const quota::v1::ToolCall& call : turn->open_tools) text += call.DebugString();
  }
  return text;
}

}  // namespace holdfast::agent
