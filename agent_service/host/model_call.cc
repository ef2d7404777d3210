#include "agent_service/host/model_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent_service/host/outage_cause.h"
#include "agent_service/session/timestamp.h"

namespace holdfast::agent {
namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kMostRetry = std::chrono::seconds(2);
// How long quota_service lets a call run on without a reader.
constexpr Duration kLivesWithoutReader = std::chrono::seconds(60);

void SetDuration(Duration duration, google::protobuf::Duration* out) {
  const auto nanoseconds = std::max<int64_t>(0, duration.count());
  out->set_seconds(nanoseconds / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

}  // namespace

ModelCall::ModelCall(Loop& loop, QuotaClient& client, quota::v1::GenerateRequest request, Duration max_wait,
                     Owner* owner)
    : loop_(loop),
      client_(client),
      request_(std::move(request)),
      max_wait_(max_wait),
      owner_(owner),
      retry_(loop.NewTimer()) {}

void ModelCall::Start() {
  waiting_since_ = loop_.Now();
  Attach();
}

void ModelCall::Attach() {
  SetDuration(max_wait_ - Waited(), request_.mutable_max_wait());
  stream_ = client_.Generate(request_, this);
}

void ModelCall::Detach() {
  stream_.reset();
  retry_->Disarm();
}

void ModelCall::CancelAtQuotaService() {
  Detach();
  client_.CancelCall(request_.tenant(), request_.call_id());
}

Duration ModelCall::Waited() const {
  const std::optional<BootTime>& since = waiting_since_ ? waiting_since_ : unreachable_since_;
  return since ? waited_ + (loop_.Now() - *since) : waited_;
}

void ModelCall::KeepTimes(const quota::v1::GenerateEvent& event) {
  const bool anew = unreachable_since_ && event.incarnation() != request_.after_incarnation();
  if (anew) waited_elsewhere_ = Waited();
  if (event.has_wait() || event.has_restarted()) {
    if (!waiting_since_) waiting_since_ = unreachable_since_.value_or(loop_.Now());
  } else if (waiting_since_) {
    waited_ += loop_.Now() - *std::exchange(waiting_since_, std::nullopt);
  }
  unreachable_since_.reset();
}

void ModelCall::OnEvent(quota::v1::GenerateEvent event) {
  KeepTimes(event);
  broken_in_a_row_ = 0;
  request_.set_after_event(event.event());
  request_.set_after_incarnation(event.incarnation());
  const bool waits = event.has_wait() || event.has_restarted();
  // What is complete is about to be told as answered.
  if (!std::exchange(told_running_, !waits) && !waits && !event.has_completed()) owner_->OnCallRuns();
  switch (event.kind_case()) {
    case quota::v1::GenerateEvent::kWait:
      owner_->OnCallWaiting(event.wait());
      break;
    case quota::v1::GenerateEvent::kAdmitted:
      owner_->OnCallAdmitted(event.admitted());
      break;
    case quota::v1::GenerateEvent::kDelta:
      owner_->OnCallDelta(event.delta());
      break;
    case quota::v1::GenerateEvent::kItem:
      items_.push_back(std::move(*event.mutable_item()));
      break;
    case quota::v1::GenerateEvent::kRestarted:
      items_.clear();
      completed_.reset();
      owner_->OnCallRestarted(event.restarted());
      break;
    case quota::v1::GenerateEvent::kCompleted:
      completed_ = event.completed();
      completed_->set_waited_seconds(completed_->waited_seconds() + ToSeconds(waited_elsewhere_));
      break;
    case quota::v1::GenerateEvent::KIND_NOT_SET:
      break;
  }
}

void ModelCall::OnEnd(const grpc::Status& status) {
  // The answer is whole once `completed` has come, whatever became of the link after it.
  if (completed_) {
    owner_->OnCallAnswered(std::move(items_), *completed_);
    return;
  }
  if (!status.ok() && !IsBrokenLink(status)) {
    owner_->OnCallFailed(status);
    return;
  }
  told_running_ = false;
  const BootTime now = loop_.Now();
  if (!unreachable_since_) unreachable_since_ = now;
  const Duration pause = std::min(kMostRetry, kFirstRetry * (1 << std::min(broken_in_a_row_, 8)));
  ++broken_in_a_row_;
  const Duration spent = waiting_since_ ? Waited() : now - *unreachable_since_ - kLivesWithoutReader;
  if (spent + pause > max_wait_) {
    owner_->OnCallFailed(
        {grpc::StatusCode::UNAVAILABLE,
         fmt::format("quota_service could not be reached within the wait that is allowed: {}", OutageCause(status))});
    return;
  }
  if (broken_in_a_row_ > 1) {
    quota::v1::Wait wait;
    wait.set_reason(quota::v1::WAIT_REASON_QUOTA_SERVICE);
    wait.set_seconds(ToSeconds(pause));
    SetTimestamp(loop_.WallNow() + pause, wait.mutable_retry_at());
    wait.set_detail(OutageCause(status));
    owner_->OnCallCutOff(wait);
  }
  retry_->ArmAt(now + pause, [this] { Attach(); });
}

}  // namespace holdfast::agent
