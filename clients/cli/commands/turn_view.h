#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "holdfast/agent/v1/agent.pb.h"
#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::cli {

// What an event of a turn means to whoever shows it.

// An item that is not complete yet appears for the first time.
struct ItemBegun {
  std::string id;
  bool reasoning = false;
};
// The next piece of its text; what was given out before is not repeated.
struct TextGrown {
  std::string id;
  bool reasoning = false;
  std::string text;
};
// Everything since the last completed item is void: the attempt broke and starts again.
struct TextVoided {
  std::string cause;
};
struct WaitAnnounced {
  quota::v1::Wait wait;
};
// What was announced may be over; if it is not, it is announced again.
struct WaitUnsure {};
struct CallRuns {};
// The session's log ends before what was seen of it: its database was put back, or salvaged. All of it is void, and
// what there is of the turn is told from its beginning.
struct LogWentBack {
  int64_t seen = 0;  // sequences
  int64_t last = 0;
};
struct ItemDone {
  std::string id;
  quota::v1::Item item;
  // Of a message: the text that TextGrown has not given out. Absent where what it gave out is not how the message
  // begins.
  std::optional<std::string> rest;
  // The model call asks for no tool: this is its last word in the turn.
  bool final = false;
};
struct ResultRecorded {
  quota::v1::ToolResult result;
};
// Somebody is asked whether a tool call may run, and somebody said so.
struct ApprovalAsked {
  agent::v1::ApprovalRequested asked;
};
struct ApprovalGiven {
  agent::v1::ApprovalDecided decided;
};
struct TurnDone {
  quota::v1::Usage usage;
  double waited_seconds = 0;
};
struct TurnBroke {
  agent::v1::TurnFailed failure;
};

using TurnChange = std::variant<ItemBegun, TextGrown, TextVoided, WaitAnnounced, WaitUnsure, CallRuns, LogWentBack,
                                ItemDone, ResultRecorded, ApprovalAsked, ApprovalGiven, TurnDone, TurnBroke>;

// The text parts of a message, joined; a refusal's words count as text.
std::string TextOf(const quota::v1::Message& message);

// One turn, as folded from the events of its session. Pure; survives any number of broken streams.
class TurnView {
 public:
  // `after_sequence` is where watching begins: before the turn's first event.
  TurnView(std::string turn_id, int64_t after_sequence) : turn_id_(std::move(turn_id)), cursor_(after_sequence) {}

  // Durable events that were seen before, and those of other turns, change nothing. After LogWentBack the stream is to
  // be opened again, from the cursor.
  std::vector<TurnChange> Fold(const agent::v1::WatchEvent& event);
  // What a new stream replays may answer calls that seem open now: none is offered until it has caught up.
  void OnStreamBroken() { caught_up_ = false; }
  // The session has no event after the cursor and does not run this turn, and no event said how it ended.
  std::vector<TurnChange> OnTurnGone();

  // The last durable sequence that was seen: where the next stream continues.
  int64_t cursor() const { return cursor_; }
  const std::string& turn_id() const { return turn_id_; }
  bool ended() const { return ended_; }
  // Of the last model answer: its messages' text.
  const std::string& answer() const { return answer_; }
  // The first tool call that waits for a result and was not taken yet.
  std::optional<quota::v1::ToolCall> OpenToolCall() const;
  // Keeps it from being offered again.
  void TakeToolCall(const std::string& call_id) { taken_.insert(call_id); }
  // It is not ours after all.
  void PutBack(const std::string& call_id) { taken_.erase(call_id); }
  // The first question that nobody has answered and that was not taken yet.
  std::optional<agent::v1::ApprovalRequested> TakeQuestion();

 private:
  using Channel = std::pair<std::string, bool>;  // item id, is it reasoning

  LogWentBack StartOver(const agent::v1::CursorExpired& expired);
  std::vector<TurnChange> FoldCaughtUp();
  std::vector<TurnChange> FoldDurable(const agent::v1::SessionEvent& event);
  std::vector<TurnChange> FoldDelta(const quota::v1::Delta& delta);
  std::vector<TurnChange> FoldSalvaged(const agent::v1::SessionSalvaged& salvaged);
  std::vector<TurnChange> FoldAnswer(const agent::v1::ModelAnswered& answered);
  TurnBroke Lost(std::string message);
  std::string IdFor(const quota::v1::Item& item, int index);
  void ForgetText();

  std::string turn_id_;
  int64_t cursor_;
  bool caught_up_ = false;
  bool started_ = false;  // the turn's beginning was seen
  bool ended_ = false;
  bool sought_ = false;  // the log went back, and the turn's beginning was not seen since
  std::string answer_;
  std::vector<quota::v1::ToolCall> open_calls_;
  std::set<std::string> taken_;
  std::vector<agent::v1::ApprovalRequested> questions_;  // not answered, not taken

  std::vector<Channel> begun_;            // in order of their first delta
  std::map<Channel, std::string> shown_;  // what TextGrown gave out
};

}  // namespace holdfast::cli
