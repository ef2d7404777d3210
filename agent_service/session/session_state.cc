#include "agent_service/session/session_state.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <unordered_set>

#include "agent_service/session/said_content.h"
#include "agent_service/session/timestamp.h"
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

void AddUsage(const quota::v1::Usage& more, quota::v1::Usage* sum) {
  sum->set_input_tokens(Sum(sum->input_tokens(), more.input_tokens()));
  sum->set_cached_input_tokens(Sum(sum->cached_input_tokens(), more.cached_input_tokens()));
  sum->set_output_tokens(Sum(sum->output_tokens(), more.output_tokens()));
  sum->set_reasoning_tokens(Sum(sum->reasoning_tokens(), more.reasoning_tokens()));
}

void ForgetWaits(TurnState* turn) {
  turn->wait.reset();
  turn->noted_seconds = 0;
}

quota::v1::Item ErrorResult(const std::string& call_id, const std::string& why) {
  quota::v1::Item item;
  item.mutable_tool_result()->set_call_id(call_id);
  item.mutable_tool_result()->set_output(why);
  item.mutable_tool_result()->set_is_error(true);
  return item;
}

// In order. A result is of the calls of its id before it.
std::vector<std::string> CallsWithoutResult(const std::vector<quota::v1::Item>& items) {
  std::unordered_set<std::string> results;
  std::vector<std::string> calls;
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (item->has_tool_result()) results.insert(item->tool_result().call_id());
    if (item->has_tool_call() && !results.contains(item->tool_call().call_id()))
      calls.push_back(item->tool_call().call_id());
  }
  std::reverse(calls.begin(), calls.end());
  return calls;
}

std::string TitleOf(const v1::TurnStarted& started) {
  for (const quota::v1::Part& part : started.input()) {
    if (part.text().empty()) continue;
    const std::string line = part.text().substr(0, part.text().find('\n'));
    return std::string(TruncateUtf8(line, kTitleBytes));
  }
  return {};
}

// For the model. Whether a client had begun to run the call is not known: results are taken from who has no lease, too.
std::string NoResult(const std::string& what) {
  return what + " before this tool had a result: it may have run; look before you run it again";
}

}  // namespace

bool IsCutOff(const TurnState& turn) {
  return turn.wait && turn.wait->wait().reason() == quota::v1::WAIT_REASON_QUOTA_SERVICE;
}

double NotedWait(const TurnState& turn, WallTime now) {
  if (!turn.wait) return turn.noted_seconds;
  const WallTime end = IsCutOff(turn) ? now : std::min(now, FromTimestamp(turn.wait->wait().retry_at()));
  return turn.noted_seconds + std::max(0.0, ToSeconds(Duration(end - FromTimestamp(turn.wait_time))));
}

RestoreWork::Turn RestoreTurn(const SessionState& state) {
  if (state.turn() == nullptr) return {};
  return {true, static_cast<uint32_t>(state.turn()->open_tools.size())};
}

void SessionState::Apply(const v1::SessionEvent& event) {
  const RestoreWork::Turn turn_before = RestoreTurn(*this);
  last_sequence_ = event.sequence();
  updated_ = event.time();
  lease_.Apply(event);
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
      newest_turn_ = started;
      newest_turn_.clear_input();
      newest_turn_.clear_tools();
      compaction_.reset();
      compaction_due_ = false;
      if (!head_) {
        KeyedTurn& keyed = turns_by_key_[started.client_key()];
        keyed.response.set_turn_id(started.turn_id());
        keyed.response.set_sequence(event.sequence());
        keyed.content = ContentOf(started);
      }
      quota::v1::Item item;
      item.mutable_message()->set_role(quota::v1::ROLE_USER);
      *item.mutable_message()->mutable_parts() = started.input();
      Say(std::move(item));
      if (title_.empty()) title_ = TitleOf(started);
      break;
    }

    case v1::SessionEvent::kModelCallStarted:
      compaction_.reset();
      compaction_due_ = false;
      if (!turn_) break;
      turn_->call = event.model_call_started();
      turn_->steps = event.model_call_started().step();
      turn_->answered = false;
      ForgetWaits(&*turn_);
      break;

    case v1::SessionEvent::kWaitNoted:
      if (!turn_) break;
      turn_->noted_seconds = NotedWait(*turn_, FromTimestamp(event.time()));
      turn_->wait.reset();
      if (!event.wait_noted().has_wait()) break;
      turn_->wait_time = event.time();
      turn_->wait = event.wait_noted();
      break;

    case v1::SessionEvent::kModelAnswered:
      if (turn_) Answer(event.model_answered());
      break;

    case v1::SessionEvent::kToolResultRecorded: {
      const quota::v1::ToolResult& result = event.tool_result_recorded().result();
      const std::string& key = event.tool_result_recorded().client_key();
      if (turn_ && !key.empty()) turn_->results_by_call[result.call_id()] = {key, ContentOf(result)};
      Result(result);
      break;
    }

    case v1::SessionEvent::kTurnCompleted:
      EndTurn("not run: the turn was completed without it");
      break;
    case v1::SessionEvent::kTurnFailed:
      EndTurn(NoResult("the turn ended"));
      break;
    case v1::SessionEvent::kSnapshotTaken:
      snapshots_[event.snapshot_taken().name()] = event.snapshot_taken().at_sequence();
      turns_since_snapshot_ = 0;
      break;
    case v1::SessionEvent::kSessionRestored:
      Restore(event);
      break;
    case v1::SessionEvent::kSessionForked:
      created_ = event.time();
      EndTurn(NoResult("the session was forked"));
      break;
    case v1::SessionEvent::kSessionImported:
      created_ = event.time();
      EndTurn(NoResult("the session was imported"));
      break;
    case v1::SessionEvent::kSessionSalvaged:
      EndTurn("its result was lost with a damaged database: it may have run; look before you run it again");
      break;
    case v1::SessionEvent::kCompactionCallStarted:
      compaction_ = event.compaction_call_started();
      if (!turn_) break;
      // It was not to fit: it begins anew, with what the context is then.
      turn_->call.reset();
      ForgetWaits(&*turn_);
      break;
    case v1::SessionEvent::kContextCompacted:
      Compact(event.context_compacted());
      break;
    case v1::SessionEvent::kCompactionFailed:
      compaction_.reset();
      compaction_due_ = false;
      AddUsage(event.compaction_failed().usage(), &usage_);
      if (!turn_) break;
      turn_->compaction_failed = true;
      ForgetWaits(&*turn_);
      turn_->waited_seconds += event.compaction_failed().waited_seconds();
      break;
    case v1::SessionEvent::kPlanUpdated:
      if (event.plan_updated().has_plan()) plan_ = event.plan_updated().plan();
      Result(event.plan_updated().result());
      break;
    // They change who may act, not what was said.
    case v1::SessionEvent::kToolLeaseGranted:
    case v1::SessionEvent::kToolLeaseReleased:
    case v1::SessionEvent::kApprovalRequested:
    case v1::SessionEvent::kApprovalDecided:
    case v1::SessionEvent::KIND_NOT_SET:
      break;
  }
  if (head_) return;
  marks_.push_back({event.sequence(), history_.position(), view_});
  restore_work_.Apply(event, turn_before, RestoreTurn(*this));
}

void SessionState::Compact(const v1::ContextCompacted& compacted) {
  compaction_.reset();
  compaction_due_ = compacted.more();
  AddUsage(compacted.usage(), &usage_);
  if (turn_) {
    turn_->call.reset();
    ForgetWaits(&*turn_);
    turn_->waited_seconds += compacted.waited_seconds();
    AddUsage(compacted.usage(), &turn_->usage);
  }
  if (head_) return;
  const auto within = [](int64_t item, size_t most) {
    return item <= 0 ? 0 : std::min(static_cast<size_t>(item), most);
  };
  ContextView view;
  view.covered = within(compacted.through_item(), history_.items().size());
  if (compacted.has_ledger()) view.ledger = compacted.ledger();
  if (compacted.pinned_item() > 0 && within(compacted.pinned_item(), view.covered) > 0)
    view.pinned = within(compacted.pinned_item(), view.covered) - 1;
  view.cut = within(compacted.cut_through_item(), history_.items().size());
  view.tool_output_bytes = within(compacted.tool_output_bytes(), std::numeric_limits<uint32_t>::max());
  if (compacted.tokens_per_character() > 0)
    tokens_per_character_ = std::clamp(compacted.tokens_per_character(), 0.05, 2.0);
  views_.push_back(std::move(view));
  view_ = views_.size() - 1;
  measured_.reset();
}

void SessionState::Result(const quota::v1::ToolResult& result) {
  quota::v1::Item item;
  *item.mutable_tool_result() = result;
  Say(std::move(item));
  if (!turn_) return;
  std::erase_if(turn_->open_tools, [&](const quota::v1::ToolCall& call) { return call.call_id() == result.call_id(); });
}

void SessionState::Say(quota::v1::Item item) {
  if (!head_) history_.Push(std::move(item));
}

void SessionState::Restore(const v1::SessionEvent& event) {
  const v1::SessionRestored& restored = event.session_restored();
  v1::RestoreSessionResponse response;
  response.set_sequence(event.sequence());
  response.set_restored_to(restored.to_sequence());
  response.set_left_at(event.sequence() - 1);
  if (!restored.client_key().empty()) restores_by_key_[restored.client_key()] = response;
  turn_.reset();
  compaction_.reset();
  compaction_due_ = false;
  if (head_) return;
  const Mark* mark = MarkAt(restored.to_sequence());
  history_.Restore(mark == nullptr ? History::Position() : mark->position);
  view_ = mark == nullptr ? 0 : mark->view;
  measured_.reset();
  for (const std::string& call_id : CallsWithoutResult(history_.items()))
    Say(ErrorResult(call_id, NoResult("the session was restored to")));
}

const SessionState::Mark* SessionState::MarkAt(int64_t sequence) const {
  const auto after = std::upper_bound(marks_.begin(), marks_.end(), sequence,
                                      [](int64_t asked, const Mark& mark) { return asked < mark.sequence; });
  return after == marks_.begin() ? nullptr : &*std::prev(after);
}

const v1::RestoreSessionResponse* SessionState::FindRestore(const std::string& client_key) const {
  const auto found = restores_by_key_.find(client_key);
  return found == restores_by_key_.end() ? nullptr : &found->second;
}

std::optional<int64_t> SessionState::FindSnapshot(const std::string& name) const {
  const auto found = snapshots_.find(name);
  if (found == snapshots_.end()) return std::nullopt;
  return found->second;
}

bool SessionState::IsPresent(int64_t sequence) const {
  const Mark* mark = MarkAt(sequence);
  const History::Position present = history_.position();
  return mark != nullptr && mark->position.branch == present.branch && mark->position.size == present.size;
}

void SessionState::Measure(const quota::v1::Usage& usage) {
  if (head_ || usage.input_tokens() <= 0 || usage.output_tokens() < 0 || usage.reasoning_tokens() < 0) return;
  // Reasoning is paid for, and not sent again.
  const int64_t said = std::max<int64_t>(0, usage.output_tokens() - usage.reasoning_tokens());
  measured_ = MeasuredContext{Sum(usage.input_tokens(), said), history_.items().size()};
}

void SessionState::Answer(const v1::ModelAnswered& answered) {
  for (const quota::v1::Item& item : answered.items()) {
    Say(item);
    if (!item.has_tool_call()) continue;
    turn_->open_tools.push_back(item.tool_call());
    if (!head_) tool_call_ids_.insert(item.tool_call().call_id());
  }
  Measure(answered.usage());
  turn_->answered = turn_->open_tools.empty();
  AddUsage(answered.usage(), &turn_->usage);
  AddUsage(answered.usage(), &usage_);
  turn_->waited_seconds += answered.waited_seconds();
  turn_->call.reset();
  ForgetWaits(&*turn_);
}

void SessionState::EndTurn(const std::string& why_tools_did_not_run) {
  // Also one between turns: a copy that went on with it would make the original's call.
  compaction_.reset();
  compaction_due_ = false;
  if (!turn_) return;
  for (const quota::v1::ToolCall& call : turn_->open_tools) {
    Say(ErrorResult(call.call_id(), why_tools_did_not_run));
  }
  turn_.reset();
  ++turns_since_snapshot_;
}

const v1::SubmitTurnResponse* SessionState::FindTurn(const std::string& client_key) const {
  const auto found = turns_by_key_.find(client_key);
  return found == turns_by_key_.end() ? nullptr : &found->second.response;
}

bool SessionState::TurnSaid(const std::string& client_key, size_t content) const {
  const auto found = turns_by_key_.find(client_key);
  return found != turns_by_key_.end() && found->second.content == content;
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
  head.turns_since_snapshot_ = turns_since_snapshot_;
  head.compaction_ = compaction_;
  head.compaction_due_ = compaction_due_;
  head.plan_ = plan_;
  head.head_ = true;
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
  if (plan_.steps_size() > 0) *session.mutable_plan() = plan_;
  session.set_status(v1::SESSION_STATUS_IDLE);
  if (turn_) {
    session.set_turn_id(turn_->started.turn_id());
    session.set_status(turn_->open_tools.empty() ? v1::SESSION_STATUS_MODEL : v1::SESSION_STATUS_TOOLS);
  }
  return session;
}

}  // namespace holdfast::agent
