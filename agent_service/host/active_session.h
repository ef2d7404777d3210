#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent_service/host/known_models.h"
#include "agent_service/host/model_call.h"
#include "agent_service/host/store_refusal.h"
#include "agent_service/host/watcher.h"
#include "agent_service/session/session_state.h"
#include "agent_service/store/store.h"
#include "common/base/loop.h"

namespace holdfast::agent {

// Told of what happens in sessions; metrics and readiness. On the loop.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // The store keeps a session from going on (true), or does so no longer (false).
  virtual void OnStalled(bool /*stalled*/) {}
  // How the store has answered a write of any session, where that tells of the store itself: it takes writes, or does
  // not.
  virtual void OnStoreTakes(bool /*takes*/) {}
  // "completed", or the name of a status code in lower case.
  virtual void OnTurnEnded(const std::string& /*outcome*/) {}

  // The outcome of a write.
  void OnWritten(const absl::Status& status) {
    if (status.ok() || IsStoresOwn(status)) OnStoreTakes(status.ok());
  }
};

struct SessionServices {
  Loop& loop;
  Store& store;
  QuotaClient& quota;
  SessionObserver& observer;
  Duration default_max_wait = std::chrono::minutes(15);
  Duration default_attended_max_wait = std::chrono::hours(1);
  // Every so many turns a snapshot is taken; 0: none.
  int snapshot_every_turns = 4;
  // After a turn a context that fills more than this part of its room is compacted, in a turn one that would not fit;
  // until no more than `compaction_target` is used. 0: never.
  double compact_after_turn = 0.7;
  double compaction_target = 0.5;
};

// A session in memory: its folded state, its one writer, its model call and its watchers. Everything that changes it
// goes through one queue and is committed before it counts. On the loop.
class ActiveSession final : public std::enable_shared_from_this<ActiveSession>, private ModelCall::Owner {
 public:
  template <typename T>
  using Reply = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  // `models` outlives the session.
  ActiveSession(SessionServices services, KnownModels& models, std::string tenant, std::string session_id);
  ~ActiveSession() override;

  // In place of Load, for one that has just been made: its log is what `state` is the fold of.
  void Begin(SessionState state) { state_ = std::move(state); }
  // A holder that is not heard of for so long may lose its lease. It renews several times meanwhile. Short, so that
  // others may go on soon; a holder that comes back later has its lease all the same, unless somebody took it.
  static constexpr Duration kLeaseTime = std::chrono::seconds(2);

  // Reads the log. Afterwards, once, takes up a turn that runs. `lease_anew`: whoever holds the lease has had no
  // occasion to be heard of. Else it has expired: a lease that is held keeps its session in memory.
  void Load(bool lease_anew, absl::AnyInvocable<void(absl::Status)> done);

  // active_session_commands.cc
  void SubmitTurn(v1::SubmitTurnRequest request, Reply<v1::SubmitTurnResponse> reply);
  void SubmitToolResult(v1::SubmitToolResultRequest request, Reply<v1::SubmitToolResultResponse> reply);
  void CancelTurn(v1::CancelTurnRequest request, Reply<v1::CancelTurnResponse> reply);
  void Snapshot(v1::SnapshotSessionRequest request, Reply<v1::SnapshotSessionResponse> reply);
  void Restore(v1::RestoreSessionRequest request, Reply<v1::RestoreSessionResponse> reply);
  // active_session_lease.cc
  void AcquireLease(v1::AcquireLeaseRequest request, Reply<v1::Lease> reply);
  void RenewLease(v1::RenewLeaseRequest request, Reply<v1::Lease> reply);
  void ReleaseLease(v1::ReleaseLeaseRequest request, Reply<v1::ReleaseLeaseResponse> reply);
  void RequestApproval(v1::RequestApprovalRequest request, Reply<v1::Approval> reply);
  void DecideApproval(v1::DecideApprovalRequest request, Reply<v1::Approval> reply);
  // `accept_snapshot`: a cursor beyond the log is answered with the session as it is, and watching begins there.
  void Watch(ServerStream<v1::WatchEvent>* stream, int64_t after_sequence, bool accept_snapshot = false);
  // The process goes away, or the session does: watchers end with `status`, nothing more is written.
  // What is asked from now on is refused with it too.
  void Close(const grpc::Status& status);
  bool closed() const { return closed_; }
  // Ends the model call that runs, at quota_service too.
  void AbandonCall();

  // Nobody watches, nobody holds the lease, and nothing runs, or a turn that waits for a client: it need not be kept,
  // the log knows all of it.
  bool idle() const;

 private:
  // With what closed the session, where it is closed before the task's turn comes; else OK.
  using Task = absl::AnyInvocable<void(const absl::Status& open)>;
  struct Queued {
    Task task;
    bool command = false;
  };

  struct Loading;
  void ReadPage(std::shared_ptr<Loading> loading);
  // What was asked for has come, or failed.
  void LoadOn(const std::shared_ptr<Loading>& loading, absl::Status status);
  // Tasks run one after the other, each with the state that the commits before it left.
  void Enqueue(Task task);
  // A client's: refused while the session is stalled, for the client to send again, rather than left to its deadline.
  void EnqueueCommand(Task task);
  void Drive();
  // With the snapshot that is due after it, and the model call that it leads to at once.
  void Commit(v1::SessionEvent event, absl::AnyInvocable<void(absl::Status)> done);
  void Committed(const v1::SessionEvent& event);
  // For what nobody waits for: tried again until the store takes it. Meanwhile the session is stalled.
  void CommitOwn(v1::SessionEvent event);
  // Watchers and commands are refused with the store's reason until Unstall.
  void Stall(const absl::Status& reason);
  void Unstall();
  void Broadcast(const v1::WatchEvent& event);

  // active_session_calls.cc
  void Next();
  // The call that begins with `event`, after which the session is `after`, in the same commit: where enough is known of
  // the model to be sure that the context fits.
  std::optional<v1::ModelCallStarted> CallAtOnce(const v1::SessionEvent& event, const SessionState& after);
  void PrepareCall(v1::ModelCallStarted call);
  void StartCall(const v1::ModelCallStarted& call);
  // Begins to compact the context of a session without a turn, or goes on with it, where it is to be done.
  void ConsiderCompaction();
  // False: nothing is to be done, or can be.
  bool Compact(const quota::v1::GetModelResponse& model, double begin_at);
  void StartCompaction();
  // The call that runs compacts the context.
  bool IsCompacting() const;
  void EndCompaction(v1::SessionEvent event);
  // For a call that was begun on an answer of some seconds ago and can never fit: by a new answer the context may be
  // compacted. Otherwise the turn ends with `failed`.
  void CompactInstead(const std::string& call_id, v1::SessionEvent failed);
  void FailTurn(const grpc::Status& status);
  // The running turn waits for this call's answer.
  bool Awaits(const std::string& call_id) const;
  void LetCallGo();
  // Watchers are told; `note`: and the log.
  void TellWait(const quota::v1::Wait& wait, bool note);
  // Into the log, of the present call. Absent: what was noted last is over.
  void NoteWait(const std::optional<quota::v1::Wait>& wait);
  // What the log has of the present call's waits, for one that is about to be made.
  void TakeUpNotes(const TurnState* turn);

  // The holder has not been heard of for kLeaseTime.
  bool LeaseExpired() const { return services_.loop.Now() >= lease_end_; }
  void ExtendLease();
  // The holder is there. In a turn that named no place, its own is the one from here on.
  void KeepLease(Reply<v1::Lease> reply);
  v1::Lease LeaseNow() const;
  // ABORTED where the lease is not of this generation, or nobody's.
  absl::Status CheckLease(int64_t generation) const;
  // The same for a tool's result, which may come without a lease where nobody holds one.
  absl::Status CheckResultLease(int64_t generation) const;

  void OnCallWaiting(const quota::v1::Wait& wait) override;
  void OnCallCutOff(const quota::v1::Wait& wait) override;
  void OnCallRuns() override;
  void OnCallAdmitted(const quota::v1::Admitted& admitted) override;
  void OnCallDelta(const quota::v1::Delta& delta) override;
  void OnCallRestarted(const quota::v1::Restarted& restarted) override;
  void OnCallAnswered(std::vector<quota::v1::Item> items, const quota::v1::Completed& completed) override;
  void OnCallFailed(const grpc::Status& status) override;

  SessionServices services_;
  KnownModels& models_;
  std::string tenant_;
  std::string session_id_;
  SessionState state_;
  std::deque<Queued> tasks_;
  bool committing_ = false;
  bool preparing_ = false;
  std::optional<std::pair<std::string, quota::v1::GetModelResponse>> known_model_;  // of the newest call
  bool closed_ = false;
  grpc::Status close_status_;
  std::unique_ptr<ModelCall> call_;
  std::string at_once_;                  // the newest call that CallAtOnce gave
  std::optional<quota::v1::Wait> wait_;  // as last told, while the call waits
  BootTime wait_end_{};
  std::optional<BootTime> logged_wait_end_;  // of the present call, as the log has it
  bool outage_logged_ = false;               // the newest note of the present call, and it has not ended since
  std::optional<BootTime> outage_noted_;     // the newest such note of the present call
  std::unique_ptr<Loop::Timer> commit_retry_;
  std::optional<grpc::Status> stalled_;  // why
  bool stall_told_ = false;              // to the observer: others may be stalled for the same reason
  std::vector<std::shared_ptr<Watcher>> watchers_;
  BootTime lease_end_{};
};

}  // namespace holdfast::agent
