#include "agent_service/session/session_state.h"

#include <algorithm>
#include <limits>

#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

constexpr size_t kTitleBytes = 80;

// A count that no answer can have, from a damaged log, ends at the largest or the smallest number.
int64_t Sum(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

void Add(const quota::v1::Usage& more, quota::v1::Usage* sum) {
  sum->set_input_tokens(Sum(sum->input_tokens(), more.input_tokens()));
  sum->set_cached_input_tokens(Sum(sum->cached_input_tokens(), more.cached_input_tokens()));
  sum->set_output_tokens(Sum(sum->output_tokens(), more.output_tokens()));
  sum->set_reasoning_tokens(Sum(sum->reasoning_tokens(), more.reasoning_tokens()));
}

std::string TitleOf(const v1::TurnStarted& started) {
  for (const quota::v1::Part& part : started.input()) {
    if (part.text().empty()) continue;
    const std::string line = part.text().substr(0, part.text().find('\n'));
    return std::string(TruncateUtf8(line, kTitleBytes));
  }
  return {};
}

}  // namespace

void SessionState::Apply(const v1::SessionEvent& event) {
  last_sequence_ = event.sequence();
  updated_ = event.time();
  switch (event.kind_case()) {
    case v1::SessionEvent::kSessionCreated:
      created_ = event.time();
      model_ = event.session_created().model();
      workspace_ = event.session_created().workspace();
      break;

    case v1::SessionEvent::kTurnStarted: {
      const v1::TurnStarted& started = event.turn_started();
      turn_ = TurnState();
      turn_->started = started;
      turn_->first_sequence = event.sequence();
      v1::SubmitTurnResponse response;
      response.set_turn_id(started.turn_id());
      response.set_sequence(event.sequence());
      turns_by_key_[started.client_key()] = response;
      quota::v1::Item item;
      item.mutable_message()->set_role(quota::v1::ROLE_USER);
      *item.mutable_message()->mutable_parts() = started.input();
      conversation_.push_back(std::move(item));
      if (title_.empty()) title_ = TitleOf(started);
      break;
    }

    case v1::SessionEvent::kModelCallStarted:
      if (!turn_) break;
      turn_->call = event.model_call_started();
      turn_->steps = event.model_call_started().step();
      turn_->answered = false;
      turn_->wait.reset();
      break;

    case v1::SessionEvent::kWaitNoted:
      if (!turn_) break;
      if (!turn_->wait) turn_->first_wait_time = event.time();
      turn_->wait = event.wait_noted();
      break;

    case v1::SessionEvent::kModelAnswered:
      if (turn_) Answer(event.model_answered());
      break;

    case v1::SessionEvent::kToolResultRecorded: {
      const quota::v1::ToolResult& result = event.tool_result_recorded().result();
      quota::v1::Item item;
      *item.mutable_tool_result() = result;
      conversation_.push_back(std::move(item));
      if (turn_) {
        std::erase_if(turn_->open_tools,
                      [&](const quota::v1::ToolCall& call) { return call.call_id() == result.call_id(); });
      }
      break;
    }

    case v1::SessionEvent::kTurnCompleted:
      EndTurn("not run: the turn was completed without it");
      break;
    case v1::SessionEvent::kTurnFailed:
      EndTurn("not run: the turn ended before this tool had a result");
      break;
    case v1::SessionEvent::KIND_NOT_SET:
      break;
  }
}

void SessionState::Answer(const v1::ModelAnswered& answered) {
  for (const quota::v1::Item& item : answered.items()) {
    conversation_.push_back(item);
    if (item.has_tool_call()) turn_->open_tools.push_back(item.tool_call());
  }
  turn_->answered = turn_->open_tools.empty();
  Add(answered.usage(), &turn_->usage);
  Add(answered.usage(), &usage_);
  turn_->waited_seconds += answered.waited_seconds();
  turn_->call.reset();
  turn_->wait.reset();
}

void SessionState::EndTurn(const std::string& why_tools_did_not_run) {
  if (!turn_) return;
  for (const quota::v1::ToolCall& call : turn_->open_tools) {
    quota::v1::Item item;
    item.mutable_tool_result()->set_call_id(call.call_id());
    item.mutable_tool_result()->set_output(why_tools_did_not_run);
    item.mutable_tool_result()->set_is_error(true);
    conversation_.push_back(std::move(item));
  }
  turn_.reset();
}

const v1::SubmitTurnResponse* SessionState::FindTurn(const std::string& client_key) const {
  const auto found = turns_by_key_.find(client_key);
  return found == turns_by_key_.end() ? nullptr : &found->second;
}

SessionState SessionState::Head() const {
  SessionState head;
  head.last_sequence_ = last_sequence_;
  head.model_ = model_;
  head.workspace_ = workspace_;
  head.title_ = title_;
  head.created_ = created_;
  head.updated_ = updated_;
  head.turn_ = turn_;
  head.usage_ = usage_;
  return head;
}

v1::Session SessionState::Summary() const {
  v1::Session session;
  session.set_title(title_);
  session.set_model(model_);
  session.set_workspace(workspace_);
  *session.mutable_created() = created_;
  *session.mutable_updated() = updated_;
  session.set_last_sequence(last_sequence_);
  *session.mutable_usage() = usage_;
  session.set_status(v1::SESSION_STATUS_IDLE);
  if (turn_) {
    session.set_turn_id(turn_->started.turn_id());
    session.set_status(turn_->open_tools.empty() ? v1::SESSION_STATUS_MODEL : v1::SESSION_STATUS_TOOLS);
  }
  return session;
}

}  // namespace holdfast::agent
