#include "quota_service/call/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/duration_text.h"
#include "quota_service/retry/retry_policy.h"

namespace holdfast::quota {
namespace {

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
    case FailureClass::kRateLimited:
    case FailureClass::kOverloaded:
    case FailureClass::kTransport:
      break;
  }
  return CallFailure::Kind::kBrokenOff;
}

// Whether a failed attempt counts at the provider's gate. Only what certainly never arrived is given back.
Settlement SettlementOf(const AttemptResult& result) {
  return result.answered || result.output ? Settlement::kCharged : Settlement::kNotSent;
}

}  // namespace

const char* CallFailureName(CallFailure::Kind kind) {
  switch (kind) {
    case CallFailure::Kind::kWaitTooLong:
      return "wait_too_long";
    case CallFailure::Kind::kNeverFits:
      return "never_fits";
    case CallFailure::Kind::kQuotaExhausted:
      return "quota_exhausted";
    case CallFailure::Kind::kUpstreamAuth:
      return "upstream_auth";
    case CallFailure::Kind::kInvalidRequest:
      return "invalid_request";
    case CallFailure::Kind::kBrokenOff:
      return "broken_off";
    case CallFailure::Kind::kCancelled:
      return "cancelled";
  }
  return "";
}

Call::Call(CallServices services, Envelope envelope, Exchange* exchange)
    : services_(std::move(services)),
      envelope_(std::move(envelope)),
      exchange_(exchange),
      patience_(services_.loop.NewTimer()),
      backoff_(services_.loop.NewTimer()),
      renewal_(services_.loop.NewTimer()) {}

Call::~Call() {
  if (ticket_ != 0) services_.ledger.Cancel(ticket_);
}

void Call::Start() {
  started_ = services_.loop.Now();
  Enqueue();
  BeginWait(State::kQueued);
}

void Call::Enqueue() {
  const std::string& session = envelope_.session.empty() ? envelope_.call_id : envelope_.session;
  ticket_ = services_.ledger.Enqueue({envelope_.route.group, envelope_.tenant, session, envelope_.charge}, this);
}

void Call::BeginWait(State state) {
  const BootTime now = services_.loop.Now();
  state_ = state;
  wait_began_ = now;
  patience_->ArmAt(now + std::max(Duration::zero(), envelope_.max_wait - waited_), [this] {
    std::optional<Duration> left;
    if (last_estimate_) left = std::max(Duration::zero(), last_estimate_end_ - services_.loop.Now());
    FailWaitTooLong(left);
  });
}

Duration Call::WaitedSoFar() const {
  const bool waiting = state_ == State::kQueued || state_ == State::kBackingOff;
  return waiting ? waited_ + (services_.loop.Now() - wait_began_) : waited_;
}

void Call::OnWaiting(const WaitEstimate& estimate) {
  last_estimate_ = estimate;
  last_estimate_end_ = services_.loop.Now() + estimate.wait;
  // Telling the truth early beats keeping the caller until its patience ends. What is only being learnt is not known
  // well enough.
  if (estimate.reason != WaitEstimate::Reason::kLearning && WaitedSoFar() + estimate.wait > envelope_.max_wait) {
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
  notice.scope = envelope_.route.group;
  notice.estimate = estimate;
  notice.retry_at = services_.loop.WallNow() + std::chrono::duration_cast<WallTime::duration>(estimate.wait);
  notice.attempts = attempts_;
  if (last_failure_) notice.detail = last_failure_->message;
  services_.observer.OnWaitAnnounced(envelope_, estimate.wait);
  exchange_->OnWaiting(notice);
}

void Call::OnRejected(const absl::Status& status, int64_t largest) {
  ticket_ = 0;
  CallFailure failure;
  if (status.code() != absl::StatusCode::kFailedPrecondition) {
    // The ledger is away; what it knows comes back with it.
    UpstreamFailure away;
    away.cls = FailureClass::kTransport;
    away.message = Words(status);
    Retry(away, {});
    return;
  }
  failure.kind = CallFailure::Kind::kNeverFits;
  failure.message = fmt::format("this request needs {} tokens; {}", envelope_.charge, Words(status));
  failure.largest = largest;
  FinishFailed(std::move(failure));
}

void Call::OnGranted() {
  waited_ = WaitedSoFar();
  patience_->Disarm();
  last_estimate_.reset();
  state_ = State::kSending;
  Send();
}

void Call::Send() {
  const auto body = exchange_->BuildBody(envelope_.route);
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
  request.headers = {{"content-type", body->content_type}, {"accept", "text/event-stream"}};
  if (!account.api_key.empty()) request.headers.emplace_back("authorization", "Bearer " + account.api_key);
  request.body = body->bytes;
  request.connect_timeout = account.connect_timeout;

  ++attempts_;
  sent_at_ = services_.loop.Now();
  if (attempts_ == 1) services_.retry_budget.Deposit(sent_at_);
  std::optional<double> error;
  if (first_announced_) error = ToSeconds(waited_ - *first_announced_);
  services_.observer.OnAdmitted(envelope_, waited_, error);
  exchange_->OnAdmitted(envelope_.route, attempts_, waited_);
  Attempt::Listener* listener = this;
  attempt_ = std::make_unique<Attempt>(services_.loop, services_.upstream, account, std::move(request),
                                       exchange_->NewTap(envelope_.route), listener);
  Renew();
}

void Call::Renew() {
  services_.ledger.Renew(ticket_);
  renewal_->ArmAt(services_.loop.Now() + Ledger::kGrantLifetime / 3, [this] { Renew(); });
}

void Call::OnAttemptHeaders(int http_status, const RateLimitHeaders& headers) {
  services_.observer.OnResponse(envelope_, http_status);
  services_.ledger.Calibrate(ticket_, headers);
}

void Call::OnAttemptFirstOutput() { services_.observer.OnFirstOutput(envelope_, services_.loop.Now() - sent_at_); }

void Call::OnAttemptEnded(AttemptResult result) {
  renewal_->Disarm();
  if (!result.failure) {
    services_.ledger.Settle(std::exchange(ticket_, 0), Settlement::kCharged);
    CallOutcome outcome;
    outcome.usage = result.usage;
    Finish(std::move(outcome));
    return;
  }
  // This runs inside the attempt, which must not be destroyed before it returns to its caller: it ends itself and is
  // replaced later.
  const UpstreamFailure failure = *result.failure;
  if (!result.answered) services_.observer.OnResponse(envelope_, 0);
  services_.observer.OnAttemptFailed(envelope_, failure);
  Retry(failure, result);
}

void Call::Retry(const UpstreamFailure& failure, const AttemptResult& result) {
  last_failure_ = failure;
  const RetryDecision decision = BackoffOrStop({.failure = failure,
                                                .attempt = failures_++,
                                                .output_passed = result.output,
                                                .can_restart = exchange_->can_restart(),
                                                .waited = waited_,
                                                .max_wait = envelope_.max_wait},
                                               services_.backoff, services_.random);
  if (decision.kind == RetryKind::kStop) {
    if (ticket_ != 0) services_.ledger.Settle(std::exchange(ticket_, 0), SettlementOf(result));
    if (decision.stop == StopReason::kWaitExhausted) {
      FailWaitTooLong(decision.after);
    } else {
      Stop(failure);
    }
    return;
  }
  if (result.output) exchange_->OnRestarted(failure.message);
  if (decision.kind == RetryKind::kHold) {
    BeginWait(State::kQueued);
    services_.ledger.Refuse(ticket_, failure.hint);
    return;
  }
  const BootTime now = services_.loop.Now();
  const Duration budget =
      services_.retry_budget.TryWithdraw(now) ? Duration::zero() : services_.retry_budget.UntilAvailable(now);
  BackOff(std::max(decision.after, budget), SettlementOf(result));
}

void Call::BackOff(Duration wait, Settlement settlement) {
  BeginWait(State::kBackingOff);
  WaitEstimate estimate;
  estimate.wait = wait;
  estimate.requested = envelope_.charge;
  estimate.position = 1;
  last_estimate_ = estimate;
  last_estimate_end_ = services_.loop.Now() + wait;
  if (WaitedSoFar() + wait > envelope_.max_wait) {
    if (ticket_ != 0) services_.ledger.Settle(std::exchange(ticket_, 0), settlement);
    FailWaitTooLong(wait);
    return;
  }
  Notify(WaitNotice::Reason::kBackoff, estimate);
  backoff_->ArmAt(services_.loop.Now() + wait, [this, settlement] {
    state_ = State::kQueued;
    if (ticket_ != 0) {
      services_.ledger.Requeue(ticket_, settlement);
    } else {
      Enqueue();
    }
  });
}

void Call::Stop(const UpstreamFailure& upstream) {
  CallFailure failure;
  failure.kind = KindOf(upstream.cls);
  failure.message = fmt::format("upstream {}: {}", envelope_.route.account->name, upstream.message);
  failure.retry_after = upstream.hint.retry_after;
  if (failure.kind == CallFailure::Kind::kNeverFits && upstream.hint.limit) failure.largest = *upstream.hint.limit;
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
  if (last_failure_) failure.message += "; last answer of the upstream: " + last_failure_->message;
  FinishFailed(std::move(failure));
}

void Call::Cancel(std::string why) {
  if (finished()) return;
  CallFailure failure;
  failure.kind = CallFailure::Kind::kCancelled;
  failure.message = std::move(why);
  FinishFailed(std::move(failure));
}

void Call::FinishFailed(CallFailure failure) {
  CallOutcome outcome;
  outcome.failure = std::move(failure);
  Finish(std::move(outcome));
}

void Call::Finish(CallOutcome outcome) {
  if (finished()) return;
  waited_ = WaitedSoFar();
  const bool under_way = state_ == State::kSending;
  state_ = State::kFinished;
  patience_->Disarm();
  backoff_->Disarm();
  renewal_->Disarm();
  if (ticket_ != 0) {
    // A request that was sent is charged, also when nobody waits for its answer any more.
    if (under_way) services_.ledger.Settle(ticket_, Settlement::kCharged);
    services_.ledger.Cancel(std::exchange(ticket_, 0));
  }
  if (outcome.failure) attempt_.reset();
  outcome.waited = waited_;
  outcome.attempts = attempts_;
  services_.observer.OnFinished(envelope_, outcome, services_.loop.Now() - started_);
  exchange_->OnFinished(outcome);
}

}  // namespace holdfast::quota
