#include "quota_service/call/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/duration_text.h"
#include "quota_service/provider/profile.h"
#include "quota_service/retry/retry_policy.h"

namespace holdfast::quota {
namespace {

// A ledger tells a newcomer at once, which is within 250 ms and a way there and back.
constexpr Duration kFirstWord = std::chrono::seconds(1);

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

CallFailure::Kind KindOf(FailureClass cls) {
  switch (cls) {
    case FailureClass::kTooLarge:
    case FailureClass::kContextOverflow:
      return CallFailure::Kind::kNeverFits;
    case FailureClass::kQuotaExhausted:
      return CallFailure::Kind::kQuotaExhausted;
    case FailureClass::kAuthentication:
      return CallFailure::Kind::kUpstreamAuth;
    case FailureClass::kInvalidRequest:
      return CallFailure::Kind::kInvalidRequest;
    case FailureClass::kNoStream:
    case FailureClass::kUnusable:
      return CallFailure::Kind::kUnusableAnswer;
    case FailureClass::kRateLimited:
    case FailureClass::kOverloaded:
    case FailureClass::kTransport:
      break;
  }
  return CallFailure::Kind::kBrokenOff;
}

// Whether a failed attempt counts at the provider's gate, which charges on arrival. Given back is what had no
// connection, or lost it before the whole request had gone out, and what the provider charges to nobody.
Settlement SettlementOf(const AttemptResult& result, const Account& account) {
  const bool stays = StaysCharged(ProfileOf(account.profile), result.failure->cls);
  return result.arrived && stays ? Settlement::kCharged : Settlement::kNotSent;
}

}  // namespace

const char* CallFailureName(CallFailure::Kind kind) {
  switch (kind) {
    case CallFailure::Kind::kWaitTooLong:
      return "wait_too_long";
    case CallFailure::Kind::kQueueFull:
      return "queue_full";
    case CallFailure::Kind::kBudgetGone:
      return "budget_gone";
    case CallFailure::Kind::kNeverFits:
      return "never_fits";
    case CallFailure::Kind::kQuotaExhausted:
      return "quota_exhausted";
    case CallFailure::Kind::kUpstreamAuth:
      return "upstream_auth";
    case CallFailure::Kind::kInvalidRequest:
      return "invalid_request";
    case CallFailure::Kind::kUnusableAnswer:
      return "unusable_answer";
    case CallFailure::Kind::kBrokenOff:
      return "broken_off";
    case CallFailure::Kind::kCancelled:
      return "cancelled";
  }
  return "";
}

std::string BudgetScope(const std::string& tenant) { return "tenant:" + tenant; }

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
  budget_ = services_.budgets.Enter({envelope_.tenant, Session(), envelope_.charge, envelope_.bytes}, this);
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
    backoff_->ArmAt(wait_began_, [this] { AskGate(); });
    return;
  }
  Enqueue();
  BeginWait(State::kQueued);
}

void Call::OnBudgetWaiting(const WaitEstimate& estimate) {
  last_estimate_ = estimate;
  last_estimate_end_ = services_.loop.Now() + estimate.wait;
  // `least`: what calls under way have reserved and do not need comes back earlier than the reset.
  if (out_of_patience_ || WaitedSoFar() + estimate.least > envelope_.max_wait) {
    FailBudgetGone(estimate);
  } else {
    Notify(WaitNotice::Reason::kBudget, estimate);
  }
}

void Call::OnBudgetRejected(const BudgetRejection& rejection) {
  CallFailure failure;
  failure.kind = rejection.never_fits ? CallFailure::Kind::kNeverFits : CallFailure::Kind::kQueueFull;
  failure.message = rejection.message;
  failure.budget = BudgetScope(envelope_.tenant);
  if (rejection.never_fits) {
    failure.largest = rejection.limit;
  } else {
    failure.retry_after = rejection.retry_after;
  }
  FinishFailed(std::move(failure));
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
  ticket_ =
      services_.ledger.Enqueue({.group = envelope_.route.group,
                                .tenant = envelope_.tenant,
                                .session = Session(),
                                .need = envelope_.appraisal ? envelope_.appraisal->need() : Need(envelope_.charge),
                                .bytes = envelope_.bytes,
                                .background = envelope_.background},
                               this);
}

void Call::BeginWait(State state) {
  waited_ = WaitedSoFar();
  wait_began_ = services_.loop.Now();
  state_ = state;
  out_of_patience_ = false;
  last_estimate_.reset();
  told_probe_ = {};
  patience_->ArmAt(wait_began_ + std::max(Duration::zero(), WaitLeft()), [this] { OnPatienceEnded(); });
}

void Call::OnPatienceEnded() {
  if (state_ == State::kHeld) {
    // The upstream may have come back since the last probe.
    const auto verdict = gate_.TryPassAtLast(gate_id_, envelope_.route.model);
    if (verdict.kind == AccountGate::Verdict::Kind::kHold) {
      FailWaitTooLong(std::max(Duration::zero(), verdict.until - services_.loop.Now()));
    } else {
      Obey(verdict, 0);
    }
  } else if (last_estimate_ && state_ == State::kAwaitingBudget) {
    last_estimate_->wait = std::max(Duration::zero(), last_estimate_end_ - services_.loop.Now());
    FailBudgetGone(*last_estimate_);
  } else if (last_estimate_) {
    FailWaitTooLong(std::max(Duration::zero(), last_estimate_end_ - services_.loop.Now()));
  } else if (out_of_patience_) {
    FailWaitTooLong(std::nullopt);
  } else {
    // The ledger's first word is on its way: a grant, or how long it would have been, which the caller is owed.
    out_of_patience_ = true;
    patience_->ArmAt(services_.loop.Now() + kFirstWord, [this] { OnPatienceEnded(); });
  }
}

Duration Call::WaitedSoFar() const { return waiting() ? waited_ + (services_.loop.Now() - wait_began_) : waited_; }

void Call::OnWaiting(const WaitEstimate& estimate) {
  last_estimate_ = estimate;
  last_estimate_end_ = services_.loop.Now() + estimate.wait;
  // Telling the truth early beats keeping the caller until its patience ends. What is only being learnt is not known
  // well enough.
  const bool known = estimate.reason != WaitEstimate::Reason::kLearning;
  if (out_of_patience_ || (known && WaitedSoFar() + estimate.wait > envelope_.max_wait)) {
    FailWaitTooLong(estimate.wait);
    return;
  }
  WaitNotice::Reason reason = WaitNotice::Reason::kRateLimit;
  if (estimate.reason == WaitEstimate::Reason::kLearning) reason = WaitNotice::Reason::kLearning;
  if (estimate.reason == WaitEstimate::Reason::kPaused) reason = WaitNotice::Reason::kUpstreamRefused;
  Notify(reason, estimate);
}

void Call::Notify(WaitNotice::Reason reason, const WaitEstimate& estimate) {
  if (!first_announced_ && reason == WaitNotice::Reason::kRateLimit) first_announced_ = WaitedSoFar() + estimate.wait;
  WaitNotice notice;
  notice.reason = reason;
  notice.scope = reason == WaitNotice::Reason::kBudget ? BudgetScope(envelope_.tenant) : envelope_.route.group;
  notice.estimate = estimate;
  notice.ends = services_.loop.Now() + estimate.wait;
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
  CallFailure failure;
  failure.message = Words(rejection.status);
  switch (rejection.status.code()) {
    case absl::StatusCode::kFailedPrecondition:
      failure.kind = CallFailure::Kind::kNeverFits;
      failure.largest = rejection.largest;
      FinishFailed(std::move(failure));
      return;
    case absl::StatusCode::kResourceExhausted:
      failure.kind = CallFailure::Kind::kQueueFull;
      failure.retry_after = rejection.retry_after;
      FinishFailed(std::move(failure));
      return;
    default:
      break;
  }
  // The ledger is away; what it knows comes back with it.
  UpstreamFailure away;
  away.cls = FailureClass::kTransport;
  away.message = std::move(failure.message);
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

void Call::Launch() {
  waited_ = WaitedSoFar();
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
    CallFailure failure;
    failure.kind = CallFailure::Kind::kInvalidRequest;
    failure.message = Words(body.status());
    FinishFailed(std::move(failure));
    return;
  }
  const Account& account = *envelope_.route.account;
  UpstreamRequest request;
  request.url = account.base_url + body->path;
  request.method = body->method;
  request.headers = {{"accept", body->accept}, {kHopHeader, "1"}};
  if (!body->content_type.empty()) request.headers.emplace_back("content-type", body->content_type);
  request.headers.insert(request.headers.end(), body->headers.begin(), body->headers.end());
  if (!account.api_key.empty()) request.headers.emplace_back("authorization", "Bearer " + account.api_key);
  request.body = std::move(body->bytes);
  request.connect_timeout = account.connect_timeout;

  ++attempts_;
  sent_at_ = services_.loop.Now();
  if (attempts_ == 1) Budget().Deposit(sent_at_);
  std::optional<double> error;
  if (first_announced_) error = ToSeconds(waited_ - *std::exchange(first_announced_, std::nullopt));
  services_.observer.OnAdmitted(envelope_, waited_, error);
  exchange_->OnAdmitted(envelope_.route, attempts_, waited_);
  if (finished()) return;
  settlement_ = Settlement::kCharged;
  used_.reset();
  under_way_ = true;
  Attempt::Listener* listener = this;
  attempt_ = std::make_unique<Attempt>(services_.loop, services_.upstream, account, account.run_timeout - ran_,
                                       std::move(request), exchange_->NewTap(envelope_.route), listener);
  Renew();
}

void Call::Renew() {
  services_.ledger.Renew(ticket_);
  renewal_->ArmAt(services_.loop.Now() + Ledger::kGrantLifetime / 3, [this] { Renew(); });
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
}

void Call::Retry(const UpstreamFailure& failure, const AttemptResult& result) {
  const Duration waited = WaitedSoFar();
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
    FailRunTooLong(overran ? last_failure_ : failure);
    return;
  }
  last_failure_ = failure;
  if (decision.kind == RetryKind::kStop) {
    if (decision.stop == StopReason::kWaitExhausted) {
      FailWaitTooLong(decision.after);
    } else {
      Stop(failure);
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
  backoff_->ArmAt(wait_began_ + wait, [this] { OnBackedOff(); });
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

void Call::Stop(const UpstreamFailure& upstream) {
  CallFailure failure;
  failure.kind = KindOf(upstream.cls);
  const bool key = failure.kind == CallFailure::Kind::kUpstreamAuth;
  failure.message =
      fmt::format("upstream {}{}: {}", envelope_.route.account->name,
                  key ? " refuses the key that quota_service has for it; check it" : "", upstream.message);
  failure.retry_after = upstream.hint.retry_after;
  failure.upstream = upstream;
  if (failure.kind == CallFailure::Kind::kNeverFits && upstream.hint.limit) failure.largest = *upstream.hint.limit;
  FinishFailed(std::move(failure));
}

void Call::FailRefused(const Outage& outage) {
  const BootTime now = services_.loop.Now();
  CallFailure failure;
  failure.kind = KindOf(outage.cls);
  failure.message = fmt::format("upstream {} {}", envelope_.route.account->name,
                                DescribeOutage(outage, now, services_.loop.WallNow()));
  if (outage.reset) failure.retry_after = std::max(Duration::zero(), *outage.reset - now);
  FinishFailed(std::move(failure));
}

void Call::FailRunTooLong(const std::optional<UpstreamFailure>& broken) {
  const Account& account = *envelope_.route.account;
  CallFailure failure;
  failure.kind = CallFailure::Kind::kUnusableAnswer;
  failure.message = fmt::format("upstream {}: no whole answer within {}, the run_timeout of a call; attempts: {}",
                                account.name, FormatDuration(account.run_timeout), attempts_);
  if (broken) failure.message += "; the last to break: " + broken->message;
  FinishFailed(std::move(failure));
}

void Call::FailWaitTooLong(std::optional<Duration> retry_after) {
  CallFailure failure;
  failure.kind = CallFailure::Kind::kWaitTooLong;
  failure.retry_after = retry_after;
  if (last_estimate_ && last_estimate_->reason == WaitEstimate::Reason::kLimit) failure.wait = last_estimate_;
  failure.message = fmt::format("the wait is longer than the {} allowed ({} waited{})",
                                FormatDuration(envelope_.max_wait), FormatDuration(WaitedSoFar()),
                                retry_after ? fmt::format(", {} to go", FormatDuration(*retry_after)) : std::string());
  if (state_ == State::kHeld) {
    failure.message += fmt::format("; upstream {} fails for all, and is asked by one call at a time until it answers",
                                   envelope_.route.account->name);
  }
  if (last_failure_) {
    failure.message += "; last answer of the upstream: " + last_failure_->message;
    if (!failure.wait && last_failure_->cls != FailureClass::kRateLimited) failure.upstream = last_failure_;
  }
  FinishFailed(std::move(failure));
}

void Call::FailBudgetGone(const WaitEstimate& estimate) {
  CallFailure failure;
  failure.kind = CallFailure::Kind::kBudgetGone;
  failure.retry_after = estimate.wait;
  failure.wait = estimate;
  failure.budget = BudgetScope(envelope_.tenant);
  failure.message = fmt::format(
      "the budget of tenant {} has no room: {} tokens a day (UTC), {} spent or reserved by calls under way, {} needed; "
      "it is whole again in {}, longer than the {} allowed",
      envelope_.tenant, estimate.limit, estimate.used, estimate.requested, FormatDuration(estimate.wait),
      FormatDuration(envelope_.max_wait));
  FinishFailed(std::move(failure));
}

void Call::Cancel(std::string why) {
  if (finished()) return;
  // What an answer has cost that is given up before its end, nobody will tell.
  if (std::exchange(under_way_, false)) budget_->Spend(envelope_.charge);
  CallFailure failure;
  failure.kind = CallFailure::Kind::kCancelled;
  failure.message = std::move(why);
  FinishFailed(std::move(failure));
}

void Call::SetPaused(bool paused) {
  if (under_way_) attempt_->SetPaused(paused);
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
  waited_ = WaitedSoFar();
  state_ = State::kFinished;
  patience_->Disarm();
  backoff_->Disarm();
  renewal_->Disarm();
  LeaveLedger();
  budget_.reset();
  gate_.Leave(gate_id_);
  if (outcome.failure && attempt_) attempt_->Abandon();
  outcome.waited = waited_;
  outcome.attempts = attempts_;
  services_.observer.OnFinished(envelope_, outcome, services_.loop.Now() - started_);
  exchange_->OnFinished(outcome);
}

}  // namespace holdfast::quota
