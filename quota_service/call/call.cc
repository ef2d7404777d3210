#include "quota_service/call/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "quota_service/call/call_failure.h"

namespace holdfast::quota {
namespace {

// A ledger tells a newcomer at once, which is within 250 ms and a way there and back.
constexpr Duration kFirstWord = std::chrono::seconds(1);

}  // namespace

Call::Call(CallServices services, Envelope envelope, Exchange* exchange)
    : services_(std::move(services)),
      envelope_(std::move(envelope)),
      exchange_(exchange),
      gate_(services_.gates.Of(envelope_.route.account->name)),
      patience_(services_.loop.NewTimer()),
      backoff_(services_.loop.NewTimer()),
      renewal_(services_.loop.NewTimer()) {
  if (envelope_.appraisal) TakeCap();
}

Call::~Call() {
  // One that has finished has left, and may outlive the gates in a task of the loop.
  if (finished()) return;
  LeaveLedger();
  gate_.Leave(gate_id_);
}

void Call::Start() {
  started_ = services_.loop.Now();
  gate_id_ = gate_.Enter(this);
  budget_ = services_.budgets.Enter({.tenant = envelope_.tenant,
                                     .session = Session(),
                                     .tokens = envelope_.charge,
                                     .bytes = envelope_.bytes,
                                     .guessed = envelope_.guessed},
                                    this);
  if (budget_->reserved()) {
    OnBudgetReserved();
  } else {
    BeginWait(State::kAwaitingBudget);
    // A refused key is no matter of budgets.
    if (gate_.Refuses(envelope_.route.model) != nullptr) backoff_->ArmAt(started_, [this] { OnGateMoved(0); });
  }
}

void Call::OnBudgetReserved() {
  if (gate_.holds() || gate_.Refuses(envelope_.route.model) != nullptr) {
    BeginWait(State::kHeld);
    // Whoever starts a call does not expect it to end meanwhile.
    backoff_->ArmAt(waits_.began(), [this] { AskGate(); });
    return;
  }
  Enqueue();
  BeginWait(State::kQueued);
}

void Call::OnBudgetWaiting(const WaitEstimate& estimate) {
  const BootTime now = services_.loop.Now();
  waits_.Hear(estimate, now);
  // `least`: what calls under way have reserved and do not need comes back earlier than the reset.
  if (out_of_patience_ || waits_.Total(now) + estimate.least > envelope_.max_wait) {
    FinishFailed(BudgetGone(estimate, envelope_));
  } else {
    Notify(WaitNotice::Reason::kBudget, estimate);
  }
}

void Call::OnBudgetRejected(const BudgetRejection& rejection) {
  FinishFailed(BudgetRefused(rejection, envelope_.tenant));
}

void Call::AskGate() {
  const auto verdict = gate_.TryPass(gate_id_, envelope_.route.model);
  Obey(verdict, verdict.kind == AccountGate::Verdict::Kind::kHold ? gate_.AddHeld() : 0);
}

bool Call::OnGateMoved(int ahead) {
  if (state_ == State::kHeld) {
    Obey(gate_.TryPass(gate_id_, envelope_.route.model), ahead);
    return state_ == State::kHeld;
  }
  const bool waits = state_ == State::kAwaitingBudget || state_ == State::kQueued;
  const Outage* outage = waits ? gate_.Refuses(envelope_.route.model) : nullptr;
  if (outage != nullptr) FailRefused(*outage);
  return false;
}

void Call::Obey(const AccountGate::Verdict& verdict, int ahead) {
  switch (verdict.kind) {
    case AccountGate::Verdict::Kind::kRefused:
      FailRefused(*verdict.outage);
      return;
    case AccountGate::Verdict::Kind::kGo:
      backoff_->Disarm();
      if (ticket_ != 0) {
        Launch();
      } else {
        Enqueue();
        BeginWait(State::kQueued);
      }
      return;
    case AccountGate::Verdict::Kind::kHold:
      break;
  }
  if (told_probe_ == verdict.until) return;
  told_probe_ = verdict.until;
  WaitEstimate estimate;
  estimate.wait = std::max(Duration::zero(), verdict.until - services_.loop.Now());
  estimate.requested = envelope_.charge;
  estimate.position = ahead + 1;
  Notify(WaitNotice::Reason::kBackoff, estimate);
}

void Call::Enqueue() {
  ticket_ = services_.ledger.Enqueue(
      {.group = envelope_.route.group,
       .tenant = envelope_.tenant,
       .session = Session(),
       .need = envelope_.appraisal ? envelope_.appraisal->need() : Need(envelope_.charge, envelope_.guessed),
       .bytes = envelope_.bytes,
       .background = envelope_.background},
      this);
}

void Call::BeginWait(State state) {
  waits_.Begin(services_.loop.Now());
  state_ = state;
  out_of_patience_ = false;
  told_probe_ = {};
  patience_->ArmAt(waits_.began() + std::max(Duration::zero(), WaitLeft()), [this] { OnPatienceEnded(); });
}

void Call::OnPatienceEnded() {
  const auto estimate = waits_.Left(services_.loop.Now());
  if (state_ == State::kHeld) {
    // The upstream may have come back since the last probe.
    const auto verdict = gate_.TryPassAtLast(gate_id_, envelope_.route.model);
    if (verdict.kind == AccountGate::Verdict::Kind::kHold) {
      FailWaitTooLong(std::max(Duration::zero(), verdict.until - services_.loop.Now()));
    } else {
      Obey(verdict, 0);
    }
  } else if (estimate && state_ == State::kAwaitingBudget) {
    FinishFailed(BudgetGone(*estimate, envelope_));
  } else if (estimate) {
    FailWaitTooLong(estimate->wait);
  } else if (out_of_patience_) {
    FailWaitTooLong(std::nullopt);
  } else {
    // The ledger's first word is on its way: a grant, or how long it would have been, which the caller is owed.
    out_of_patience_ = true;
    patience_->ArmAt(services_.loop.Now() + kFirstWord, [this] { OnPatienceEnded(); });
  }
}

void Call::OnWaiting(const WaitEstimate& estimate) {
  const BootTime now = services_.loop.Now();
  waits_.Hear(estimate, now);
  // Telling the truth early beats keeping the caller until its patience ends. What is only being learnt is not known
  // well enough.
  const bool known = estimate.reason != WaitEstimate::Reason::kLearning;
  if (out_of_patience_ || (known && waits_.Total(now) + estimate.wait > envelope_.max_wait)) {
    FailWaitTooLong(estimate.wait);
    return;
  }
  WaitNotice::Reason reason = WaitNotice::Reason::kRateLimit;
  if (estimate.reason == WaitEstimate::Reason::kLearning) reason = WaitNotice::Reason::kLearning;
  if (estimate.reason == WaitEstimate::Reason::kPaused) reason = WaitNotice::Reason::kUpstreamRefused;
  Notify(reason, estimate);
}

void Call::Notify(WaitNotice::Reason reason, const WaitEstimate& estimate) {
  const BootTime now = services_.loop.Now();
  if (reason == WaitNotice::Reason::kRateLimit) waits_.Announce(estimate.wait, now);
  WaitNotice notice;
  notice.reason = reason;
  notice.scope = reason == WaitNotice::Reason::kBudget ? BudgetScope(envelope_.tenant) : envelope_.route.group;
  notice.estimate = estimate;
  notice.ends = now + estimate.wait;
  notice.retry_at = services_.loop.WallNow() + std::chrono::duration_cast<WallTime::duration>(estimate.wait);
  notice.attempts = attempts_;
  if (last_failure_) {
    notice.detail = last_failure_->message;
  } else if (state_ == State::kHeld) {
    notice.detail =
        fmt::format("upstream {} fails for all calls; one at a time asks it", envelope_.route.account->name);
  }
  services_.observer.OnWaitAnnounced(envelope_, estimate.wait);
  exchange_->OnWaiting(notice);
}

void Call::OnRejected(const Rejection& rejection) {
  ticket_ = 0;
  if (auto failure = QueueRefused(rejection)) {
    FinishFailed(*std::move(failure));
    return;
  }
  // The ledger is away; what it knows comes back with it.
  UpstreamFailure away;
  away.cls = FailureClass::kTransport;
  away.message = std::string(rejection.status.message());
  Retry(away, {});
}

void Call::OnGranted() {
  settlement_ = Settlement::kNotSent;
  const auto verdict = gate_.TryPass(gate_id_, envelope_.route.model);
  if (verdict.kind != AccountGate::Verdict::Kind::kHold) {
    Obey(verdict, 0);
    return;
  }
  BeginWait(State::kHeld);
  Renew();
  Obey(verdict, gate_.AddHeld());
}

void Call::FailRefused(const Outage& outage) {
  FinishFailed(AccountRefused(outage, *envelope_.route.account, services_.loop.Now(), services_.loop.WallNow()));
}

void Call::FailWaitTooLong(std::optional<Duration> to_go) {
  FinishFailed(WaitedTooLong({.waited = waits_.Total(services_.loop.Now()),
                              .to_go = to_go,
                              .estimate = waits_.heard(),
                              .held = state_ == State::kHeld,
                              .failure = last_failure_},
                             envelope_));
}

void Call::Cancel(std::string why) {
  if (finished()) return;
  // What an answer has cost that is given up before its end, nobody will tell.
  if (std::exchange(under_way_, false)) budget_->Spend(envelope_.charge);
  FinishFailed(Cancelled(std::move(why)));
}

void Call::FinishFailed(CallFailure failure) {
  CallOutcome outcome;
  if (cut_answer_ && failure.kind != CallFailure::Kind::kCancelled) {
    outcome = std::move(*cut_answer_);
  } else {
    outcome.failure = std::move(failure);
  }
  Finish(std::move(outcome));
}

void Call::LeaveLedger() {
  if (ticket_ == 0) return;
  // A grant ends with what became of its request, a place in the queue without a trace: each call is about one of them
  // and ignored by the other.
  std::optional<Tokens> settled;
  if (used_ && envelope_.appraisal) settled = envelope_.appraisal->Settled(*used_);
  services_.ledger.Settle(ticket_, settlement_, settled);
  services_.ledger.Cancel(std::exchange(ticket_, 0));
}

void Call::Finish(CallOutcome outcome) {
  if (finished()) return;
  const BootTime now = services_.loop.Now();
  waits_.End(now);
  state_ = State::kFinished;
  patience_->Disarm();
  backoff_->Disarm();
  renewal_->Disarm();
  LeaveLedger();
  budget_.reset();
  gate_.Leave(gate_id_);
  if (outcome.failure && attempt_) attempt_->Abandon();
  outcome.waited = waits_.Total(now);
  outcome.attempts = attempts_;
  services_.observer.OnFinished(envelope_, outcome, now - started_);
  exchange_->OnFinished(outcome);
}

}  // namespace holdfast::quota
