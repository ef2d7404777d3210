#include "clients/cli/commands/turn_view.h"

#include <fmt/format.h>
#include <grpcpp/support/status.h>

#include <algorithm>

#include "clients/cli/tools/registry.h"

namespace holdfast::cli {

using agent::v1::SessionEvent;
using agent::v1::WatchEvent;

std::string TextOf(const quota::v1::Message& message) {
  std::string text;
  for (const auto& part : message.parts()) {
    if (part.has_text()) text += part.text();
    if (part.has_refusal()) text += part.refusal();
  }
  return text;
}

std::vector<TurnChange> TurnView::Fold(const WatchEvent& event) {
  if (ended_) return {};
  switch (event.kind_case()) {
    case WatchEvent::kEvent:
      if (event.event().sequence() <= cursor_) return {};
      cursor_ = event.event().sequence();
      return FoldDurable(event.event());
    case WatchEvent::kDelta:
      return FoldDelta(event.delta());
    case WatchEvent::kRestarted:
      ForgetText();
      return {TextVoided{event.restarted().cause()}};
    case WatchEvent::kWait:
      return {WaitAnnounced{event.wait()}};
    case WatchEvent::kAdmitted:
      return {CallRuns{}};
    case WatchEvent::kCaughtUp:
      return FoldCaughtUp();
    case WatchEvent::kCursorExpired:
      return {StartOver(event.cursor_expired())};
    default:
      return {};
  }
}

LogWentBack TurnView::StartOver(const agent::v1::CursorExpired& expired) {
  const LogWentBack change{.seen = cursor_, .last = expired.session().last_sequence()};
  *this = TurnView(std::move(turn_id_), 0);
  sought_ = true;
  return change;
}

std::vector<TurnChange> TurnView::FoldCaughtUp() {
  caught_up_ = true;
  // If a call waits, it is said next.
  if (!sought_) return {WaitUnsure{}};
  return {Lost(
      "the session's log has nothing of this turn any more; look at the session with `holdfast sessions show`, then "
      "say it again")};
}

// One that is older than the turn is no trouble of the turn's.
std::vector<TurnChange> TurnView::FoldSalvaged(const agent::v1::SessionSalvaged& salvaged) {
  if (!started_) return {};
  return {Lost(
      fmt::format("the session's events {} to {} were lost with a damaged database, and with them what became of this "
                  "turn: its last commands may have run; look at what they would have changed, and at the session with "
                  "`holdfast sessions show`, then say what is still to be done",
                  cursor_, std::max(cursor_, salvaged.known_sequence())))};
}

std::vector<TurnChange> TurnView::OnTurnGone() {
  if (ended_) return {};
  return {Lost(
      "the session does not run this turn any more, and its log does not say how it ended: its database was put back, "
      "or salvaged; look at the session with `holdfast sessions show`, then say what is still to be done")};
}

TurnBroke TurnView::Lost(std::string message) {
  ended_ = true;
  TurnBroke broke;
  broke.failure.set_turn_id(turn_id_);
  broke.failure.set_code(grpc::StatusCode::DATA_LOSS);
  broke.failure.set_message(std::move(message));
  return broke;
}

std::vector<TurnChange> TurnView::FoldDurable(const SessionEvent& event) {
  switch (event.kind_case()) {
    case SessionEvent::kTurnStarted:
      if (event.turn_started().turn_id() != turn_id_) return {};
      started_ = true;
      sought_ = false;
      return {};
    case SessionEvent::kSessionSalvaged:
      return FoldSalvaged(event.session_salvaged());
    case SessionEvent::kModelCallStarted:
      if (event.model_call_started().turn_id() == turn_id_) ForgetText();
      return {};
    case SessionEvent::kModelAnswered:
      if (event.model_answered().turn_id() != turn_id_) return {};
      return FoldAnswer(event.model_answered());
    case SessionEvent::kToolResultRecorded: {
      const auto& recorded = event.tool_result_recorded();
      if (recorded.turn_id() != turn_id_) return {};
      std::erase_if(open_calls_, [&](const auto& call) { return call.call_id() == recorded.result().call_id(); });
      return {ResultRecorded{recorded.result()}};
    }
    case SessionEvent::kPlanUpdated:
      if (event.plan_updated().turn_id() != turn_id_) return {};
      return {ResultRecorded{event.plan_updated().result()}};
    case SessionEvent::kApprovalRequested:
      if (event.approval_requested().turn_id() != turn_id_) return {};
      questions_.push_back(event.approval_requested());
      return {ApprovalAsked{event.approval_requested()}};
    case SessionEvent::kApprovalDecided: {
      const auto& decided = event.approval_decided();
      if (decided.turn_id() != turn_id_) return {};
      std::erase_if(questions_, [&](const auto& asked) { return asked.approval_id() == decided.approval_id(); });
      return {ApprovalGiven{decided}};
    }
    case SessionEvent::kTurnCompleted:
      if (event.turn_completed().turn_id() != turn_id_) return {};
      ended_ = true;
      return {TurnDone{event.turn_completed().usage(), event.turn_completed().waited_seconds()}};
    case SessionEvent::kTurnFailed:
      if (event.turn_failed().turn_id() != turn_id_) return {};
      ended_ = true;
      return {TurnBroke{event.turn_failed()}};
    default:
      return {};
  }
}

std::vector<TurnChange> TurnView::FoldDelta(const quota::v1::Delta& delta) {
  const bool reasoning = delta.channel() == quota::v1::Delta::CHANNEL_REASONING_SUMMARY;
  if (!reasoning && delta.channel() != quota::v1::Delta::CHANNEL_TEXT) return {};
  const Channel channel{delta.item_id(), reasoning};
  std::vector<TurnChange> changes;
  if (!shown_.contains(channel)) {
    begun_.push_back(channel);
    changes.push_back(ItemBegun{delta.item_id(), reasoning});
  }
  std::string& shown = shown_[channel];
  const auto have = static_cast<int64_t>(shown.size());
  const auto end = delta.offset() + static_cast<int64_t>(delta.text().size());
  // After a gap (a stream that broke) only the completed item has the whole text.
  if (delta.offset() < 0 || delta.offset() > have || end <= have) return changes;
  std::string fresh = delta.text().substr(static_cast<size_t>(have - delta.offset()));
  shown += fresh;
  changes.push_back(TextGrown{delta.item_id(), reasoning, std::move(fresh)});
  return changes;
}

std::vector<TurnChange> TurnView::FoldAnswer(const agent::v1::ModelAnswered& answered) {
  const bool final = std::none_of(answered.items().begin(), answered.items().end(),
                                  [](const auto& item) { return item.has_tool_call(); });
  std::vector<TurnChange> changes;
  answer_.clear();
  for (int i = 0; i < answered.items_size(); ++i) {
    const quota::v1::Item& item = answered.items(i);
    ItemDone done{.id = IdFor(item, i), .item = item, .rest = std::nullopt, .final = final};
    if (item.has_message() && item.message().role() == quota::v1::ROLE_ASSISTANT) {
      const std::string text = TextOf(item.message());
      const std::string& shown = shown_[{done.id, false}];
      if (text.starts_with(shown)) done.rest = text.substr(shown.size());
      if (!answer_.empty() && !text.empty()) answer_ += '\n';
      answer_ += text;
    } else if (item.has_tool_call() && item.tool_call().name() != kUpdatePlanTool) {
      open_calls_.push_back(item.tool_call());
    }
    changes.push_back(std::move(done));
  }
  ForgetText();
  return changes;
}

// The id under which the item's deltas came. Providers that name no item have their deltas named by quota_service:
// those are matched by order.
std::string TurnView::IdFor(const quota::v1::Item& item, int index) {
  std::string named;
  if (item.has_message()) named = item.message().id();
  if (item.has_reasoning()) named = item.reasoning().id();
  if (item.has_tool_call()) return item.tool_call().call_id();
  const bool reasoning = item.has_reasoning();
  auto found = std::find(begun_.begin(), begun_.end(), Channel{named, reasoning});
  if (found == begun_.end() && named.empty()) {
    found = std::find_if(begun_.begin(), begun_.end(), [&](const Channel& c) { return c.second == reasoning; });
  }
  if (found != begun_.end()) {
    std::string id = found->first;
    begun_.erase(found);
    return id;
  }
  return named.empty() ? fmt::format("{}.{}", cursor_, index) : named;
}

std::optional<quota::v1::ToolCall> TurnView::OpenToolCall() const {
  if (ended_ || !caught_up_) return std::nullopt;
  const auto found = std::find_if(open_calls_.begin(), open_calls_.end(),
                                  [&](const auto& call) { return !taken_.contains(call.call_id()); });
  return found == open_calls_.end() ? std::nullopt : std::optional(*found);
}

std::optional<agent::v1::ApprovalRequested> TurnView::TakeQuestion() {
  if (ended_ || !caught_up_ || questions_.empty()) return std::nullopt;
  agent::v1::ApprovalRequested asked = std::move(questions_.front());
  questions_.erase(questions_.begin());
  return asked;
}

void TurnView::ForgetText() {
  begun_.clear();
  shown_.clear();
}

}  // namespace holdfast::cli
