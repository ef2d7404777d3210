#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent_service/session/history.h"
#include "agent_service/session/restore_work.h"
#include "agent_service/session/tool_lease.h"
#include "common/base/clock.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// A result that may be sent again.
struct KeyedResult {
  std::string client_key;
  size_t content = 0;  // ContentOf
};

// The turn that runs.
struct TurnState {
  v1::TurnStarted started;
  int64_t first_sequence = 0;
  int steps = 0;                                       // model calls begun
  std::optional<v1::ModelCallStarted> call;            // begun and not answered
  std::optional<v1::WaitNoted> wait;                   // the newest of `call`
  google::protobuf::Timestamp wait_time;               // of its note; meaningful with `wait`
  double noted_seconds = 0;                            // of the waits of `call` before it
  std::vector<quota::v1::ToolCall> open_tools;         // asked for by the last answer, without a result, in order
  std::map<std::string, KeyedResult> results_by_call;  // those that have a client key, by call id
  bool compaction_failed = false;                      // none is tried again in this turn
  bool answered = false;                               // the last call was answered, and the answer asked for no tools
  quota::v1::Usage usage;
  double waited_seconds = 0;  // by answered calls
};

// The newest note of the present call is that quota_service cannot be reached. Nobody knew then when that would end.
bool IsCutOff(const TurnState& turn);

// Seconds that the present call has waited by `now`, as the log tells it: each wait from its note until the end that it
// names, or until the next note; without quota_service until the next note, whatever end was named. What comes after
// that is the call running.
double NotedWait(const TurnState& turn, WallTime now);

// What of the conversation the model sees: the ledger for the items before `covered`, the pinned one of these, and the
// rest, of which the results of tools before `cut` are shortened. Without compactions: everything.
struct ContextView {
  size_t covered = 0;
  std::optional<v1::Ledger> ledger;
  std::optional<size_t> pinned;  // below covered
  size_t cut = 0;
  size_t tool_output_bytes = 0;  // of results before `cut`
};

// The newest answer's own count of the context that it was given, and its own.
struct MeasuredContext {
  int64_t tokens = 0;
  size_t items = 0;  // of the conversation, up to and with the answer
};

// A session as its log tells it: the fold of all events, nothing else. Pure; applying the same events gives the same
// state.
class SessionState {
 public:
  // In order of sequence. An event of an unknown kind changes only the sequence and the time.
  void Apply(const v1::SessionEvent& event);

  int64_t last_sequence() const { return last_sequence_; }
  const std::string& model() const { return model_; }
  const std::string& workspace() const { return workspace_; }
  // Everything said so far, as the model is to read it. A tool call whose turn ended without a result has one that says
  // so.
  const std::vector<quota::v1::Item>& conversation() const { return history_.items(); }
  // Some tool call of the log has this id, in the conversation or in what was left by restoring.
  bool HasToolCall(const std::string& call_id) const { return tool_call_ids_.contains(call_id); }
  // Null when idle.
  const TurnState* turn() const { return turn_ ? &*turn_ : nullptr; }
  const ToolLease& lease() const { return lease_; }
  // The first event of the turn that this client key started, and its id. Null: none did.
  const v1::SubmitTurnResponse* FindTurn(const std::string& client_key) const;
  // The turn that this client key started was of this content (ContentOf). False where it started none.
  bool TurnSaid(const std::string& client_key, size_t content) const;
  const ContextView& view() const { return views_[view_]; }
  // Absent: nothing was measured since the context was last changed otherwise than by growing.
  const std::optional<MeasuredContext>& measured() const { return measured_; }
  // As it was learnt before the newest compaction. 1/4 before that.
  double tokens_per_character() const { return tokens_per_character_; }
  // The call that compacts the context. Null: none runs.
  const v1::CompactionCallStarted* compaction() const { return compaction_ ? &*compaction_ : nullptr; }
  // A compaction was not done when its last piece was.
  bool compaction_due() const { return compaction_due_; }
  // The newest turn, without what was said in it and without tools. Empty: there was none.
  const v1::TurnStarted& newest_turn() const { return newest_turn_; }
  const v1::Plan& plan() const { return plan_; }
  // What this client key restored. Null: nothing.
  const v1::RestoreSessionResponse* FindRestore(const std::string& client_key) const;
  // The event that the newest snapshot of this name is of.
  std::optional<int64_t> FindSnapshot(const std::string& name) const;
  // The conversation right after this event is the present one.
  bool IsPresent(int64_t sequence) const;
  // What its restorings have copied so far.
  const RestoreWork& restore_work() const { return restore_work_; }
  int turns_since_snapshot() const { return turns_since_snapshot_; }
  // A copy without the conversation and the keys of old turns: enough to know how events change the summary.
  SessionState Head() const;
  // As lists show it; `session_id` is the caller's to set.
  v1::Session Summary() const;

 private:
  void EndTurn(const std::string& why_tools_did_not_run);
  void Answer(const v1::ModelAnswered& answered);
  void Say(quota::v1::Item item);
  void Result(const quota::v1::ToolResult& result);
  void Compact(const v1::ContextCompacted& compacted);
  void Measure(const quota::v1::Usage& usage);
  void Restore(const v1::SessionEvent& event);
  // What the conversation was like after the events so far.
  struct Mark {
    int64_t sequence = 0;
    History::Position position;
    size_t view = 0;
  };
  const Mark* MarkAt(int64_t sequence) const;

  int64_t last_sequence_ = 0;
  std::string model_;
  std::string workspace_;
  std::string title_;
  google::protobuf::Timestamp created_;
  google::protobuf::Timestamp updated_;
  History history_;
  RestoreWork restore_work_;
  std::vector<Mark> marks_;                                       // one after each event
  std::vector<ContextView> views_ = std::vector<ContextView>(1);  // all that ever were
  size_t view_ = 0;
  std::optional<v1::CompactionCallStarted> compaction_;
  bool compaction_due_ = false;
  v1::TurnStarted newest_turn_;
  v1::Plan plan_;
  std::optional<MeasuredContext> measured_;
  double tokens_per_character_ = 0.25;
  std::set<std::string> tool_call_ids_;
  std::optional<TurnState> turn_;
  ToolLease lease_;
  struct KeyedTurn {
    v1::SubmitTurnResponse response;
    size_t content = 0;
  };
  std::map<std::string, KeyedTurn> turns_by_key_;
  std::map<std::string, v1::RestoreSessionResponse> restores_by_key_;
  std::map<std::string, int64_t> snapshots_;
  int turns_since_snapshot_ = 0;
  bool head_ = false;  // a copy without the conversation
  quota::v1::Usage usage_;
};

// The turn that runs, for RestoreWork.
RestoreWork::Turn RestoreTurn(const SessionState& state);

}  // namespace holdfast::agent
