// The half of Call that sends: its attempts, what is learnt of their ends, and the pauses between them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "quota_service/call/call.h"
#include "quota_service/call/call_failure.h"
#include "quota_service/call/upstream_request.h"
#include "quota_service/provider/profile.h"
#include "quota_service/retry/retry_policy.h"

namespace holdfast::quota {
namespace {

// Whether a failed attempt counts at the provider's gate, which charges on arrival. Given back is what had no
// connection, or lost it before the whole request had gone out, and what the provider charges to nobody.
Settlement SettlementOf(const AttemptResult& result, const Account& account) {
  const bool stays = StaysCharged(ProfileOf(account.profile), result.failure->cls);
  return result.arrived && stays ? Settlement::kCharged : Settlement::kNotSent;
}

}  // namespace

void Call::Launch() {
  waits_.End(services_.loop.Now());
  patience_->Disarm();
  state_ = State::kSending;
  Send();
}

void Call::Send() {
  if (cut_answer_) {
    UpstreamFailure cut;
    cut.message = fmt::format("the answer reached an output cap that its caller had not asked for; asked again with {}",
                              envelope_.route.output_cap);
    services_.observer.OnAttemptFailed(envelope_, cut, cut_answer_->usage);
    cut_answer_.reset();
    exchange_->OnRestarted(cut.message);
    if (finished()) return;
  }
  auto body = exchange_->BuildBody(envelope_.route);
  if (!body.ok()) {
    FinishFailed(InvalidRequest(body.status()));
    return;
  }
  ++attempts_;
  sent_at_ = services_.loop.Now();
  if (attempts_ == 1) Budget().Deposit(sent_at_);
  const Duration waited = waits_.Total(sent_at_);
  services_.observer.OnAdmitted(envelope_, waited, waits_.TakeForecastError(sent_at_));
  exchange_->OnAdmitted(envelope_.route, attempts_, waited);
  if (finished()) return;
  settlement_ = Settlement::kCharged;
  used_.reset();
  under_way_ = true;
  const Account& account = *envelope_.route.account;
  Attempt::Listener* listener = this;
  attempt_ =
      std::make_unique<Attempt>(services_.loop, services_.upstream, account, account.run_timeout - ran_,
                                RequestTo(account, *std::move(body)), exchange_->NewTap(envelope_.route), listener);
  Renew();
}

void Call::Renew() {
  services_.ledger.Renew(ticket_);
  renewal_->ArmAt(services_.loop.Now() + Ledger::kGrantLifetime / 3, [this] { Renew(); });
}

void Call::SetPaused(bool paused) {
  if (under_way_) attempt_->SetPaused(paused);
}

void Call::OnAttemptHeaders(int http_status, const RateLimitHeaders& headers) {
  services_.observer.OnResponse(envelope_, http_status);
  services_.ledger.Calibrate(ticket_, headers);
  gate_.OnHeaders(gate_id_, envelope_.route.model, http_status);
}

void Call::OnAttemptFirstOutput() {
  services_.observer.OnFirstOutput(envelope_, services_.loop.Now() - sent_at_);
  gate_.OnAnswered(gate_id_);
}

void Call::OnAttemptEnded(AttemptResult result) {
  under_way_ = false;
  used_ = result.usage;
  if (result.usage) {
    budget_->Spend(result.usage->input + result.usage->output);
  } else if (!result.failure) {
    budget_->Spend(envelope_.charge);
  }
  if (!result.failure) {
    gate_.OnAnswered(gate_id_);
    OnAnswered(result);
    return;
  }
  // This runs inside the attempt, which must not be destroyed before it returns to its caller: it ends itself and is
  // replaced later.
  const UpstreamFailure failure = *result.failure;
  settlement_ = SettlementOf(result, *envelope_.route.account);
  ran_ += result.ran;
  if (!result.answered) services_.observer.OnResponse(envelope_, 0);
  services_.observer.OnAttemptFailed(envelope_, failure, result.usage);
  gate_.OnFailed(gate_id_, envelope_.route.model, failure);
  Retry(failure, result);
}

void Call::OnAnswered(const AttemptResult& result) {
  Appraisal* appraisal = envelope_.appraisal.get();
  if (appraisal != nullptr && result.usage) appraisal->Learn(*result.usage, result.cut);
  CallOutcome outcome;
  outcome.usage = result.usage;
  ran_ += result.ran;
  const bool may_go_on = exchange_->can_restart() && ran_ < envelope_.route.account->run_timeout;
  if (!result.cut || appraisal == nullptr || !may_go_on || !appraisal->Raise(result.usage)) {
    Finish(std::move(outcome));
    return;
  }
  // A larger request, so with a turn of its own. What there is of an answer is kept until then: it is better than none.
  cut_answer_ = std::move(outcome);
  renewal_->Disarm();
  LeaveLedger();
  settlement_ = Settlement::kNotSent;
  TakeCap();
  Enqueue();
  BeginWait(State::kQueued);
}

void Call::TakeCap() {
  envelope_.route.output_cap = envelope_.appraisal->output_cap();
  envelope_.charge = envelope_.appraisal->charge();
  envelope_.guessed = envelope_.appraisal->guessed();
}

void Call::Retry(const UpstreamFailure& failure, const AttemptResult& result) {
  const Duration waited = waits_.Total(services_.loop.Now());
  if (!last_failure_ || last_failure_->cls != failure.cls) failures_of_class_ = 0;
  const RetryDecision decision = BackoffOrStop({.failure = failure,
                                                .attempt = failures_++,
                                                .of_class = failures_of_class_++,
                                                .output_passed = result.output,
                                                .can_restart = exchange_->can_restart(),
                                                .waited = waited,
                                                .max_wait = envelope_.max_wait},
                                               services_.backoff, services_.random);
  const bool refused = failure.cls == FailureClass::kRateLimited;
  const bool again = refused && last_failure_ && last_failure_->cls == FailureClass::kRateLimited;
  // What the upstream says of its limits counts also where this call does not go on.
  if (refused) Refuse(failure.hint, again);
  const bool overran = failure.cls == FailureClass::kUnusable;
  if (ran_ >= envelope_.route.account->run_timeout && (overran || decision.kind != RetryKind::kStop)) {
    FinishFailed(RanTooLong(*envelope_.route.account, attempts_, overran ? last_failure_ : failure));
    return;
  }
  last_failure_ = failure;
  if (decision.kind == RetryKind::kStop) {
    if (decision.stop == StopReason::kWaitExhausted) {
      FailWaitTooLong(decision.after);
    } else {
      FinishFailed(UpstreamFailed(failure, *envelope_.route.account));
    }
    return;
  }
  if (result.output) exchange_->OnRestarted(failure.message);
  if (finished()) return;
  if (decision.kind == RetryKind::kHold) {
    BeginWait(State::kQueued);
    return;
  }
  const Duration wait = std::max(decision.after, UntilBudget());
  if (wait > envelope_.max_wait - waited) {
    FailWaitTooLong(wait);
  } else {
    BackOff(wait);
  }
}

void Call::Refuse(ServerHint hint, bool again) {
  // A server that names a moment and refuses again when it has come is believed less and less.
  if (again && hint.retry_after) {
    hint.retry_after = std::max(*hint.retry_after, FullJitter(services_.backoff, failures_ - 2, services_.random));
  }
  renewal_->Disarm();
  services_.ledger.Refuse(ticket_, hint);
}

Duration Call::UntilBudget() {
  // Only what was sent upstream is sent there again.
  return ticket_ == 0 ? Duration::zero() : Budget().UntilAvailable(services_.loop.Now());
}

void Call::BackOff(Duration wait) {
  BeginWait(State::kBackingOff);
  // The pause may use all patience up; what fits at its end is still sent.
  patience_->Disarm();
  backoff_->ArmAt(waits_.began() + wait, [this] { OnBackedOff(); });
  WaitEstimate estimate;
  estimate.wait = estimate.least = estimate.most = wait;
  estimate.requested = envelope_.charge;
  estimate.position = 1;
  Notify(WaitNotice::Reason::kBackoff, estimate);
}

void Call::OnBackedOff() {
  if (ticket_ != 0 && !Budget().TryWithdraw(services_.loop.Now())) {
    // Others were faster. Jitter, so that not all of those who lost come back at once.
    const Duration least = UntilBudget();
    const Duration left = WaitLeft();
    if (least > left) {
      FailWaitTooLong(least);
    } else {
      BackOff(std::min(least + FullJitter(services_.backoff, failures_, services_.random), left));
    }
    return;
  }
  renewal_->Disarm();
  BeginWait(State::kQueued);
  if (ticket_ != 0) {
    services_.ledger.Requeue(ticket_, settlement_);
  } else {
    Enqueue();
  }
}

}  // namespace holdfast::quota
