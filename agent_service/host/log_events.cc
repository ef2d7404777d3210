#include "agent_service/host/log_events.h"

#include <fmt/format.h>

#include <chrono>
#include <set>
#include <string>
#include <utility>

#include "common/base/random_id.h"
#include "common/base/utf8.h"
#include "common/rpc/status.h"

namespace holdfast::agent {
namespace {

constexpr int kDefaultMaxSteps = 100;

}  // namespace

v1::SessionEvent TurnStartedEvent(v1::SubmitTurnRequest request, int64_t sequence, const std::string& model,
                                  Duration default_max_wait) {
  v1::SessionEvent event;
  v1::TurnStarted* started = event.mutable_turn_started();
  started->set_turn_id(fmt::format("t{}-{}", sequence, RandomId()));
  started->set_client_key(request.client_key());
  *started->mutable_input() = std::move(*request.mutable_input());
  started->set_instructions(std::move(*request.mutable_instructions()));
  *started->mutable_tools() = std::move(*request.mutable_tools());
  started->set_model(model);
  if (request.has_max_wait()) {
    *started->mutable_max_wait() = request.max_wait();
  } else {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(default_max_wait);
    started->mutable_max_wait()->set_seconds(seconds.count());
    started->mutable_max_wait()->set_nanos(static_cast<int32_t>((default_max_wait - seconds).count()));
  }
  started->set_max_output_tokens(request.max_output_tokens());
  started->set_reasoning_effort(request.reasoning_effort());
  started->set_attended(request.attended());
  if (request.has_place()) *started->mutable_place() = std::move(*request.mutable_place());
  started->set_max_steps(request.max_steps() == 0 ? kDefaultMaxSteps : request.max_steps());
  return event;
}

v1::SessionEvent ToolResultEvent(const TurnState& turn, v1::SubmitToolResultRequest request) {
  v1::SessionEvent event;
  v1::ToolResultRecorded* recorded = event.mutable_tool_result_recorded();
  recorded->set_turn_id(turn.started.turn_id());
  recorded->mutable_result()->set_call_id(request.call_id());
  recorded->mutable_result()->set_output(std::move(*request.mutable_output()));
  recorded->mutable_result()->set_is_error(request.is_error());
  recorded->set_lease_generation(request.lease_generation());
  recorded->set_client_key(request.client_key());
  return event;
}

v1::SessionEvent WaitNotedEvent(const std::string& turn_id, const std::string& call_id,
                                const std::optional<quota::v1::Wait>& wait) {
  v1::SessionEvent event;
  event.mutable_wait_noted()->set_turn_id(turn_id);
  event.mutable_wait_noted()->set_call_id(call_id);
  if (wait) *event.mutable_wait_noted()->mutable_wait() = *wait;
  return event;
}

v1::SessionEvent ModelAnsweredEvent(const v1::ModelCallStarted& call, const SessionState& state,
                                    std::vector<quota::v1::Item> items, const quota::v1::Completed& completed) {
  std::set<std::string> taken;
  const auto is_free = [&](const std::string& id) { return !state.HasToolCall(id) && taken.insert(id).second; };
  for (quota::v1::Item& item : items) {
    if (!item.has_tool_call()) continue;
    const std::string id = item.tool_call().call_id();
    for (int n = 1; !is_free(item.tool_call().call_id()); ++n) {
      item.mutable_tool_call()->set_call_id(fmt::format("{}#{}.{}", id, call.step(), n));
    }
  }
  v1::SessionEvent event;
  v1::ModelAnswered* answered = event.mutable_model_answered();
  answered->set_turn_id(call.turn_id());
  answered->set_call_id(call.call_id());
  for (quota::v1::Item& item : items) *answered->add_items() = std::move(item);
  *answered->mutable_usage() = completed.usage();
  answered->set_finish_reason(completed.finish_reason());
  answered->set_upstream(completed.upstream());
  answered->set_response_id(completed.response_id());
  answered->set_waited_seconds(completed.waited_seconds());
  return event;
}

v1::SessionEvent LeaseGrantedEvent(int64_t generation, const v1::AcquireLeaseRequest& request) {
  v1::SessionEvent event;
  event.mutable_tool_lease_granted()->set_generation(generation);
  event.mutable_tool_lease_granted()->set_holder(request.holder());
  *event.mutable_tool_lease_granted()->mutable_place() = request.place();
  return event;
}

v1::SessionEvent LeaseReleasedEvent(int64_t generation) {
  v1::SessionEvent event;
  event.mutable_tool_lease_released()->set_generation(generation);
  return event;
}

v1::SessionEvent ApprovalRequestedEvent(const TurnState& turn, const v1::RequestApprovalRequest& request) {
  v1::SessionEvent event;
  v1::ApprovalRequested* requested = event.mutable_approval_requested();
  requested->set_turn_id(turn.started.turn_id());
  requested->set_approval_id(request.approval_id());
  requested->set_call_id(request.call_id());
  requested->set_question(request.question());
  requested->set_generation(request.generation());
  return event;
}

v1::SessionEvent ApprovalDecidedEvent(const TurnState& turn, const v1::DecideApprovalRequest& request) {
  v1::SessionEvent event;
  v1::ApprovalDecided* decided = event.mutable_approval_decided();
  decided->set_turn_id(turn.started.turn_id());
  decided->set_approval_id(request.approval_id());
  decided->set_answer(request.answer());
  decided->set_reason(request.reason());
  decided->set_by(request.by());
  return event;
}

v1::SessionEvent TurnFailedEvent(const TurnState& turn, const grpc::Status& status) {
  const ErrorDetails details = DetailsOf(status);
  v1::SessionEvent event;
  v1::TurnFailed* failed = event.mutable_turn_failed();
  failed->set_turn_id(turn.started.turn_id());
  failed->set_code(status.error_code());
  // A status may carry any bytes; a log with such bytes could not be read again.
  failed->set_message(RepairUtf8(status.error_message()));
  if (details.retry_delay) failed->set_retry_after_seconds(ToSeconds(*details.retry_delay));
  if (!details.violations.empty()) failed->set_quota_metric(details.violations.front().metric);
  failed->set_never_fits(status.error_code() == grpc::StatusCode::FAILED_PRECONDITION && !details.violations.empty());
  *failed->mutable_usage() = turn.usage;
  return event;
}

v1::SessionEvent CompactionFailedEvent(const v1::CompactionCallStarted& call, const grpc::Status& status) {
  v1::SessionEvent event;
  v1::CompactionFailed* failed = event.mutable_compaction_failed();
  failed->set_turn_id(call.turn_id());
  failed->set_call_id(call.call_id());
  failed->set_code(status.error_code());
  failed->set_message(RepairUtf8(status.error_message()));
  return event;
}

v1::SessionEvent SnapshotEvent(const std::string& name, int64_t at_sequence, bool automatic) {
  v1::SessionEvent event;
  event.mutable_snapshot_taken()->set_name(name);
  event.mutable_snapshot_taken()->set_at_sequence(at_sequence);
  event.mutable_snapshot_taken()->set_automatic(automatic);
  return event;
}

v1::SessionEvent RestoredEvent(const v1::RestoreSessionRequest& request, int64_t to_sequence) {
  v1::SessionEvent event;
  event.mutable_session_restored()->set_to_sequence(to_sequence);
  event.mutable_session_restored()->set_name(request.name());
  event.mutable_session_restored()->set_client_key(request.client_key());
  return event;
}

}  // namespace holdfast::agent
