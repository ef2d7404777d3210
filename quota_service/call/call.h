#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/loop.h"
#include "quota_service/budget/budget_gate.h"
#include "quota_service/call/account_gate.h"
#include "quota_service/call/attempt.h"
#include "quota_service/call/envelope.h"
#include "quota_service/call/exchange.h"
#include "quota_service/call/observer.h"
#include "quota_service/call/wait_record.h"
#include "quota_service/ledger/ledger.h"
#include "quota_service/retry/backoff.h"
#include "quota_service/retry/retry_budget.h"
#include "quota_service/upstream/upstream_client.h"

namespace holdfast::quota {

// What every call shares. All of it outlives the calls.
struct CallServices {
  Loop& loop;
  BudgetGate& budgets;
  Ledger& ledger;
  UpstreamClient& upstream;
  RetryBudgets& retry_budgets;
  AccountGates& gates;
  BackoffPolicy backoff;
  Uniform random;
  CallObserver& observer;
};

// The state machine of one model call: wait for its tenant's budget, then for a grant, send, listen, and begin again
// where that can help.
//
//   awaiting its budget
//     ▼ reserved, until the call ends
//   queued ──granted──▶ sending ──done──▶ finished
//     ▲                   │ cut at an output cap of ours: queued again with a larger one
//     ├───────────────────┤
//     │                   │ refused: back to the front of the queue, the client sees a wait
//     └───────────────────┤
//   backing off ◀─────────┘ overloaded or broken: backoff, then the front of the queue
//
// While it backs off it keeps its grant, and with it its place before those who came later. Before the queue, and again
// before sending, stands the gate of the account: it holds calls while the upstream fails for all, and ends those for
// which its key is refused.
//
// It knows neither JSON nor proto, nor whether anybody reads. On the loop. call.cc has what waits and what ends it,
// call_attempts.cc what is sent.
class Call final : private BudgetClient, private LedgerClient, private Attempt::Listener, private AccountGate::Caller {
 public:
  // `exchange` outlives the call.
  Call(CallServices services, Envelope envelope, Exchange* exchange);
  ~Call() override;

  void Start();
  // Ends it as cancelled; a call that has finished stays as it is. Also from inside the exchange's methods and its
  // tap's.
  void Cancel(std::string why);
  // Its caller takes no more for now: what answers is not read on. Only what is under way; also from inside the tap.
  void SetPaused(bool paused);

  const Envelope& envelope() const { return envelope_; }
  // For its budget, in the queue, held before or behind it, or backing off.
  bool waiting() const { return state_ != State::kNew && state_ != State::kSending && state_ != State::kFinished; }
  bool finished() const { return state_ == State::kFinished; }

 private:
  enum class State { kNew, kAwaitingBudget, kHeld, kQueued, kBackingOff, kSending, kFinished };

  void OnBudgetReserved() override;
  void OnBudgetWaiting(const WaitEstimate& estimate) override;
  void OnBudgetRejected(const BudgetRejection& rejection) override;

  void OnGranted() override;
  void OnWaiting(const WaitEstimate& estimate) override;
  void OnRejected(const Rejection& rejection) override;

  void OnAttemptHeaders(int http_status, const RateLimitHeaders& headers) override;
  void OnAttemptFirstOutput() override;
  void OnAttemptEnded(AttemptResult result) override;

  bool OnGateMoved(int ahead) override;

  const std::string& Session() const { return envelope_.session.empty() ? envelope_.call_id : envelope_.session; }
  void AskGate();
  // As the gate says; `ahead`: callers that are held before this one.
  void Obey(const AccountGate::Verdict& verdict, int ahead);
  void Enqueue();
  // What was waited so far is added up; from now on it waits as `state` says.
  void BeginWait(State state);
  void OnPatienceEnded();
  Duration WaitLeft() const { return envelope_.max_wait - waits_.Total(services_.loop.Now()); }
  // It has a grant, and the gate lets it go.
  void Launch();
  void Send();
  void OnAnswered(const AttemptResult& result);
  // As the appraisal has them now.
  void TakeCap();
  void Retry(const UpstreamFailure& failure, const AttemptResult& result);
  void Refuse(ServerHint hint, bool again);
  RetryBudget& Budget() { return services_.retry_budgets.Of(envelope_.route.account->name); }
  // Until the retry budget has room for this call.
  Duration UntilBudget();
  // `wait` is at most what is left of max_wait.
  void BackOff(Duration wait);
  void OnBackedOff();
  void FailRefused(const Outage& outage);
  // `to_go`: what is left of the wait, where that is known.
  void FailWaitTooLong(std::optional<Duration> to_go);
  void Notify(WaitNotice::Reason reason, const WaitEstimate& estimate);
  void Renew();
  void LeaveLedger();
  void Finish(CallOutcome outcome);
  void FinishFailed(CallFailure failure);

  CallServices services_;
  Envelope envelope_;
  Exchange* exchange_;
  AccountGate& gate_;
  AccountGate::CallId gate_id_ = 0;
  State state_ = State::kNew;
  std::unique_ptr<BudgetPlace> budget_;  // from the start to the end
  Ledger::Ticket ticket_ = 0;
  Settlement settlement_ = Settlement::kNotSent;  // of the grant that it has, if it ended now
  std::optional<TokenUsage> used_;                // by the latest attempt, where the upstream told
  std::optional<CallOutcome> cut_answer_;         // at our own output cap; the call goes on to a whole one
  std::unique_ptr<Attempt> attempt_;
  bool under_way_ = false;  // attempt_ has not ended

  BootTime started_{};
  WaitRecord waits_;  // running while waiting()
  BootTime sent_at_{};
  int attempts_ = 0;
  int failures_ = 0;
  int failures_of_class_ = 0;  // in a row, of the last one's class
  Duration ran_{};             // all attempts
  std::optional<UpstreamFailure> last_failure_;
  bool out_of_patience_ = false;  // and waits only for the first word of the ledger
  BootTime told_probe_{};         // while held: until when, as its caller was told

  std::unique_ptr<Loop::Timer> patience_;  // until max_wait is used up
  std::unique_ptr<Loop::Timer> backoff_;
  std::unique_ptr<Loop::Timer> renewal_;
};

}  // namespace holdfast::quota
