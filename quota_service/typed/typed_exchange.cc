#include "quota_service/typed/typed_exchange.h"

#include <chrono>
#include <utility>

#include "quota_service/typed/wire.h"

namespace holdfast::quota {
namespace {

v1::WaitReason ReasonOf(WaitNotice::Reason reason) {
  switch (reason) {
    case WaitNotice::Reason::kRateLimit:
      return v1::WAIT_REASON_RATE_LIMIT;
    case WaitNotice::Reason::kUpstreamRefused:
      return v1::WAIT_REASON_UPSTREAM_REFUSED;
    case WaitNotice::Reason::kBackoff:
      return v1::WAIT_REASON_BACKOFF;
    case WaitNotice::Reason::kLearning:
      return v1::WAIT_REASON_LEARNING;
    case WaitNotice::Reason::kBudget:
      return v1::WAIT_REASON_BUDGET;
  }
  return v1::WAIT_REASON_UNSPECIFIED;
}

}  // namespace

void FillWait(const WaitEstimate& estimate, v1::Wait* wait) {
  if (estimate.reason == WaitEstimate::Reason::kLimit) {
    wait->set_dimension(DimensionName(estimate.dimension));
    wait->set_limit(estimate.limit);
    wait->set_window_seconds(ToSeconds(estimate.per));
    wait->set_used(estimate.used);
  }
  wait->set_requested(estimate.requested);
  wait->set_position(estimate.position);
  // Whole milliseconds, rounded down, as the provider's own texts have them.
  const auto seconds = [](Duration duration) {
    return static_cast<double>(std::chrono::floor<std::chrono::milliseconds>(duration).count()) / 1000;
  };
  wait->set_seconds(seconds(estimate.wait));
  wait->set_least_seconds(seconds(estimate.least));
  wait->set_most_seconds(seconds(estimate.most));
}

void FillTimestamp(WallTime time, google::protobuf::Timestamp* timestamp) {
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  timestamp->set_seconds(nanoseconds / 1'000'000'000);
  timestamp->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

TypedExchange::TypedExchange(v1::GenerateRequest request, const Dialect& dialect, std::string incarnation)
    : request_(std::move(request)), dialect_(dialect), history_(std::move(incarnation)) {}

void TypedExchange::SetReader(EventReader* reader) {
  EventReader* previous = std::exchange(reader_, reader);
  if (previous != nullptr && reader != nullptr && previous != reader) previous->OnReplaced();
}

absl::StatusOr<RequestBody> TypedExchange::BuildBody(const Route& route) {
  if (route.output_cap > 0) request_.set_max_output_tokens(route.output_cap);
  auto body = dialect_.BuildBody(request_, route.model, route.account->name);
  if (!body.ok()) return body.status();
  return RequestBody{std::string(dialect_.path()), *std::move(body)};
}

std::unique_ptr<Tap> TypedExchange::NewTap(const Route& route) {
  completed_.reset();
  return dialect_.NewTap(route.account->name, [this](v1::GenerateEvent event) {
    if (event.has_completed()) {
      completed_ = std::make_unique<v1::GenerateEvent>(std::move(event));
    } else {
      passed_on_ = true;
      Emit(std::move(event));
    }
  });
}

void TypedExchange::OnWaiting(const WaitNotice& notice) {
  wait_ends_ = notice.ends;
  v1::GenerateEvent event;
  v1::Wait* wait = event.mutable_wait();
  wait->set_reason(ReasonOf(notice.reason));
  wait->set_scope(notice.scope);
  FillWait(notice.estimate, wait);
  FillTimestamp(notice.retry_at, wait->mutable_retry_at());
  wait->set_attempt(notice.attempts);
  wait->set_detail(notice.detail);
  Emit(std::move(event));
}

void TypedExchange::OnAdmitted(const Route& route, int attempt, Duration waited) {
  // A tap may pass items on and fail with one and the same event. The call takes that for a failure before output, but
  // they are void all the same.
  if (passed_on_) OnRestarted("the upstream's answer could not be read to its end");
  v1::GenerateEvent event;
  event.mutable_admitted()->set_upstream(route.account->name);
  event.mutable_admitted()->set_attempt(attempt);
  event.mutable_admitted()->set_waited_seconds(ToSeconds(waited));
  Emit(std::move(event));
}

void TypedExchange::OnRestarted(const std::string& cause) {
  passed_on_ = false;
  v1::GenerateEvent event;
  event.mutable_restarted()->set_cause(cause);
  Emit(std::move(event));
}

void TypedExchange::OnFinished(const CallOutcome& outcome) {
  end_ = std::make_unique<CallEnd>();
  // A kept call answers from its events; its request may be far larger than they are.
  request_ = v1::GenerateRequest();
  if (outcome.failure) {
    end_->failure = *outcome.failure;
  } else {
    end_->completed = true;
    v1::GenerateEvent event = completed_ ? std::move(*completed_) : v1::GenerateEvent();
    v1::Completed* completed = event.mutable_completed();
    completed->set_waited_seconds(ToSeconds(outcome.waited));
    completed->set_attempts(outcome.attempts);
    history_.Append(std::move(event));
  }
  if (reader_ != nullptr) reader_->OnProgress();
  if (on_finished_) on_finished_(end_->completed);
}

void TypedExchange::Emit(v1::GenerateEvent event) {
  history_.Append(std::move(event));
  if (reader_ != nullptr) reader_->OnProgress();
}

}  // namespace holdfast::quota
