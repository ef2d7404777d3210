#include "agent_service/host/active_session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "agent_service/context/request_builder.h"
#include "agent_service/host/log_row.h"
#include "agent_service/turn/next_step.h"

namespace holdfast::agent {
namespace {

constexpr int kLoadPage = 1000;
constexpr int kDefaultMaxSteps = 100;
constexpr Duration kCommitRetry = std::chrono::seconds(1);
// A wait is written into the log again when its end moves by more than this, and by a tenth.
constexpr Duration kLeastLoggedMove = std::chrono::seconds(1);

WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(timestamp.seconds()) +
                                                                 std::chrono::nanoseconds(timestamp.nanos())));
}

void SetTimestamp(WallTime time, google::protobuf::Timestamp* out) {
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  out->set_seconds(nanoseconds / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

// Microseconds are what the store keeps.
WallTime Truncate(WallTime time) { return std::chrono::floor<std::chrono::microseconds>(time); }

std::string OutcomeOf(const v1::SessionEvent& event) {
  if (event.has_turn_completed()) return "completed";
  std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(event.turn_failed().code()));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

}  // namespace

ActiveSession::ActiveSession(SessionServices services, std::string tenant, std::string session_id)
    : services_(services),
      tenant_(std::move(tenant)),
      session_id_(std::move(session_id)),
      commit_retry_(services.loop.NewTimer()) {}

ActiveSession::~ActiveSession() = default;

bool ActiveSession::idle() const {
  return state_.turn() == nullptr && !committing_ && tasks_.empty() && watchers_.empty() && call_ == nullptr;
}

void ActiveSession::Load(absl::AnyInvocable<void(absl::Status)> done) {
  services_.store.GetSession(
      tenant_, session_id_,
      [self = shared_from_this(), done = std::move(done)](absl::StatusOr<SessionRow> row) mutable {
        if (!row.ok()) return done(row.status());
        self->ReadFrom(0, std::move(done));
      });
}

void ActiveSession::ReadFrom(int64_t after, absl::AnyInvocable<void(absl::Status)> done) {
  services_.store.Read(
      tenant_, session_id_, after, kLoadPage,
      [self = shared_from_this(), done = std::move(done)](absl::StatusOr<std::vector<LogRow>> rows) mutable {
        if (!rows.ok()) return done(rows.status());
        if (rows->empty()) {
          done(absl::OkStatus());
          self->Next();
          return;
        }
        for (const LogRow& row : *rows) {
          auto event = EventOfRow(row);
          if (!event.ok()) return done(event.status());
          self->state_.Apply(*event);
        }
        self->ReadFrom(self->state_.last_sequence(), std::move(done));
      });
}

void ActiveSession::Enqueue(Task task) {
  if (closed_) return;
  tasks_.push_back(std::move(task));
  Drive();
}

void ActiveSession::Drive() {
  while (!committing_ && !closed_ && !tasks_.empty()) {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
}

void ActiveSession::Commit(v1::SessionEvent event, absl::AnyInvocable<void(absl::Status)> done) {
  committing_ = true;
  const WallTime now = Truncate(services_.loop.WallNow());
  event.set_sequence(state_.last_sequence() + 1);
  SetTimestamp(now, event.mutable_time());

  SessionState after = state_.Head();
  after.Apply(event);
  v1::Session summary = after.Summary();
  summary.set_session_id(session_id_);
  AppendRequest append;
  append.session.tenant = tenant_;
  append.session.session_id = session_id_;
  append.session.title = summary.title();
  append.session.model = summary.model();
  append.session.workspace = summary.workspace();
  append.session.created = FromTimestamp(summary.created());
  append.session.updated = now;
  append.session.running = after.turn() != nullptr;
  append.session.summary = summary.SerializeAsString();
  append.expected_sequence = state_.last_sequence();
  append.generation = services_.store.generation();
  append.events.push_back(RowOfEvent(event, now));

  services_.store.Append(std::move(append), [self = shared_from_this(), event = std::move(event),
                                             done = std::move(done)](absl::StatusOr<int64_t> last) mutable {
    self->committing_ = false;
    if (self->closed_) return done(absl::UnavailableError("the session is closed"));
    if (!last.ok()) {
      done(last.status());
    } else {
      self->state_.Apply(event);
      for (const auto& watcher : std::vector(self->watchers_)) watcher->OnCommitted(event);
      if (event.has_turn_completed() || event.has_turn_failed()) self->services_.observer.OnTurnEnded(OutcomeOf(event));
      done(absl::OkStatus());
      self->Next();
    }
    self->Drive();
  });
}

void ActiveSession::CommitOwn(v1::SessionEvent event) {
  v1::SessionEvent copy = event;
  Commit(std::move(event), [this, copy = std::move(copy)](absl::Status status) mutable {
    if (status.ok() || closed_) return;
    spdlog::error("session {}: the store does not take an event, trying again: {}", session_id_,
                  std::string(status.message().data(), status.message().size()));
    const grpc::Status reason(grpc::StatusCode::UNAVAILABLE,
                              fmt::format("the session's log cannot be written: {}",
                                          std::string(status.message().data(), status.message().size())));
    for (const auto& watcher : std::vector(watchers_)) watcher->End(reason);
    // First in the queue again: what follows builds on it.
    committing_ = true;
    commit_retry_->ArmAt(services_.loop.Now() + kCommitRetry, [this, copy = std::move(copy)]() mutable {
      committing_ = false;
      tasks_.push_front([this, copy = std::move(copy)]() mutable { CommitOwn(std::move(copy)); });
      Drive();
    });
  });
}

void ActiveSession::Broadcast(const v1::WatchEvent& event) {
  for (const auto& watcher : std::vector(watchers_)) watcher->OnTransient(event);
}

void ActiveSession::SubmitTurn(v1::SubmitTurnRequest request, Reply<v1::SubmitTurnResponse> reply) {
  Enqueue([this, request = std::move(request), reply = std::move(reply)]() mutable {
    if (const v1::SubmitTurnResponse* known = state_.FindTurn(request.client_key())) return reply(*known);
    if (state_.turn() != nullptr) {
      return reply(absl::AbortedError(fmt::format("session {} is busy with turn {}; wait for it, or cancel it",
                                                  session_id_, state_.turn()->started.turn_id())));
    }
    const std::string model = request.model().empty() ? state_.model() : request.model();
    if (model.empty()) return reply(absl::InvalidArgumentError("model: the session has none; name one"));

    v1::SessionEvent event;
    v1::TurnStarted* started = event.mutable_turn_started();
    v1::SubmitTurnResponse response;
    response.set_turn_id(fmt::format("t{}", state_.last_sequence() + 1));
    response.set_sequence(state_.last_sequence() + 1);
    started->set_turn_id(response.turn_id());
    started->set_client_key(request.client_key());
    *started->mutable_input() = std::move(*request.mutable_input());
    started->set_instructions(std::move(*request.mutable_instructions()));
    *started->mutable_tools() = std::move(*request.mutable_tools());
    started->set_model(model);
    if (request.has_max_wait()) {
      *started->mutable_max_wait() = request.max_wait();
    } else {
      started->mutable_max_wait()->set_seconds(
          std::chrono::duration_cast<std::chrono::seconds>(services_.default_max_wait).count());
    }
    started->set_max_output_tokens(request.max_output_tokens());
    started->set_reasoning_effort(request.reasoning_effort());
    started->set_max_steps(request.max_steps() == 0 ? kDefaultMaxSteps : request.max_steps());
    Commit(std::move(event), [response = std::move(response), reply = std::move(reply)](absl::Status status) mutable {
      if (status.ok()) {
        reply(std::move(response));
      } else {
        reply(status);
      }
    });
  });
}

void ActiveSession::SubmitToolResult(v1::SubmitToolResultRequest request, Reply<v1::SubmitToolResultResponse> reply) {
  Enqueue([this, request = std::move(request), reply = std::move(reply)]() mutable {
    v1::SubmitToolResultResponse response;
    const TurnState* turn = state_.turn();
    const bool open = turn != nullptr &&
                      std::any_of(turn->open_tools.begin(), turn->open_tools.end(),
                                  [&](const quota::v1::ToolCall& call) { return call.call_id() == request.call_id(); });
    if (!open) return reply(response);
    v1::SessionEvent event;
    v1::ToolResultRecorded* recorded = event.mutable_tool_result_recorded();
    recorded->set_turn_id(turn->started.turn_id());
    recorded->mutable_result()->set_call_id(request.call_id());
    recorded->mutable_result()->set_output(std::move(*request.mutable_output()));
    recorded->mutable_result()->set_is_error(request.is_error());
    Commit(std::move(event), [response, reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return reply(status);
      response.set_accepted(true);
      reply(response);
    });
  });
}

void ActiveSession::CancelTurn(std::string turn_id, Reply<v1::CancelTurnResponse> reply) {
  Enqueue([this, turn_id = std::move(turn_id), reply = std::move(reply)]() mutable {
    v1::CancelTurnResponse response;
    const TurnState* turn = state_.turn();
    if (turn == nullptr || (!turn_id.empty() && turn_id != turn->started.turn_id())) return reply(response);
    AbandonCall();
    v1::SessionEvent event;
    v1::TurnFailed* failed = event.mutable_turn_failed();
    failed->set_turn_id(turn->started.turn_id());
    failed->set_code(static_cast<int32_t>(absl::StatusCode::kCancelled));
    failed->set_message("cancelled");
    *failed->mutable_usage() = turn->usage;
    Commit(std::move(event), [this, response, reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) {
        reply(status);
        Next();
        return;
      }
      response.set_cancelled(true);
      reply(response);
    });
  });
}

void ActiveSession::Watch(ServerStream<v1::WatchEvent>* stream, int64_t after_sequence) {
  Watcher::Session session;
  session.tenant = tenant_;
  session.session_id = session_id_;
  session.last_sequence = [this] { return state_.last_sequence(); };
  session.on_caught_up = [this](Watcher* watcher) {
    if (!wait_) return;
    v1::WatchEvent event;
    *event.mutable_wait() = *wait_;
    event.mutable_wait()->set_seconds(std::max(0.0, ToSeconds(wait_end_ - services_.loop.Now())));
    watcher->OnTransient(event);
  };
  // Later: watchers are walked through while they are told things.
  session.on_gone = [this](Watcher* watcher) {
    services_.loop.Post([self = shared_from_this(), watcher] {
      std::erase_if(self->watchers_, [&](const auto& held) { return held.get() == watcher; });
    });
  };
  auto watcher = std::make_shared<Watcher>(stream, services_.store, std::move(session), after_sequence);
  watchers_.push_back(watcher);
  watcher->Begin();
}

void ActiveSession::Close(const grpc::Status& status) {
  closed_ = true;
  for (const auto& watcher : std::vector(watchers_)) watcher->End(status);
  commit_retry_->Disarm();
  tasks_.clear();
  LetCallGo();
}

void ActiveSession::AbandonCall() {
  if (call_ != nullptr) call_->Cancel();
  LetCallGo();
}

// The call may be what is calling us.
void ActiveSession::LetCallGo() {
  if (call_ == nullptr) return;
  services_.loop.Post([call = std::shared_ptr<ModelCall>(std::move(call_))] {});
  wait_.reset();
}

void ActiveSession::Next() {
  if (closed_) return;
  NextStep next = DecideNextStep(session_id_, state_);
  switch (next.kind) {
    case NextStep::Kind::kIdle:
    case NextStep::Kind::kAwaitTools:
      return;
    case NextStep::Kind::kBeginCall:
      PrepareCall(std::move(next.call));
      return;
    case NextStep::Kind::kAwaitCall:
      if (call_ == nullptr) StartCall(next.call);
      return;
    case NextStep::Kind::kEnd:
      Enqueue([this] {
        NextStep again = DecideNextStep(session_id_, state_);
        if (again.kind == NextStep::Kind::kEnd) CommitOwn(std::move(again.end));
      });
      return;
  }
}

void ActiveSession::PrepareCall(v1::ModelCallStarted call) {
  if (preparing_) return;
  preparing_ = true;
  const std::string model = state_.turn()->started.model();
  services_.quota.GetModel(model, [self = shared_from_this(), call = std::move(call)](
                                      const grpc::Status& status, const quota::v1::GetModelResponse& response) mutable {
    self->preparing_ = false;
    self->Enqueue([raw = self.get(), call = std::move(call), status, response]() mutable {
      const NextStep now = DecideNextStep(raw->session_id_, raw->state_);
      // Cancelled meanwhile, perhaps.
      if (now.kind != NextStep::Kind::kBeginCall || now.call.call_id() != call.call_id()) return raw->Next();
      if (!status.ok() && !IsBrokenLink(status)) return raw->FailTurn(status);
      if (status.ok()) {
        const absl::Status fits =
            CheckContext(BuildRequest(raw->tenant_, raw->session_id_, raw->state_, call), response);
        if (!fits.ok()) {
          ErrorDetails details;
          details.violations.push_back({"model:" + response.model(), std::string(fits.message()), "tokens",
                                        ContextCeiling(response, call.max_output_tokens())});
          return raw->FailTurn(ToGrpc(fits, details));
        }
      }
      v1::SessionEvent event;
      *event.mutable_model_call_started() = std::move(call);
      raw->CommitOwn(std::move(event));
    });
  });
}

void ActiveSession::StartCall(const v1::ModelCallStarted& call) {
  logged_wait_end_ = BootTime::min();
  if (const TurnState* turn = state_.turn(); turn->wait) {
    logged_wait_end_ = services_.loop.Now() + (FromTimestamp(turn->wait->wait().retry_at()) - services_.loop.WallNow());
  }
  ModelCall::Owner* owner = this;
  call_ = std::make_unique<ModelCall>(services_.loop, services_.quota, BuildRequest(tenant_, session_id_, state_, call),
                                      PatienceLeft(), owner);
  call_->Start();
}

Duration ActiveSession::PatienceLeft() const {
  const TurnState& turn = *state_.turn();
  Duration left = FromSeconds(static_cast<double>(turn.started.max_wait().seconds()) +
                              turn.started.max_wait().nanos() / 1e9 - turn.waited_seconds);
  if (turn.wait)
    left -= std::max(Duration::zero(), Duration(services_.loop.WallNow() - FromTimestamp(turn.first_wait_time)));
  return std::max(Duration::zero(), left);
}

void ActiveSession::FailTurn(const grpc::Status& status) {
  const TurnState* turn = state_.turn();
  if (turn == nullptr) return;
  const ErrorDetails details = DetailsOf(status);
  v1::SessionEvent event;
  v1::TurnFailed* failed = event.mutable_turn_failed();
  failed->set_turn_id(turn->started.turn_id());
  failed->set_code(status.error_code());
  failed->set_message(status.error_message());
  if (details.retry_delay) failed->set_retry_after_seconds(ToSeconds(*details.retry_delay));
  if (!details.violations.empty()) failed->set_quota_metric(details.violations.front().metric);
  failed->set_never_fits(status.error_code() == grpc::StatusCode::FAILED_PRECONDITION && !details.violations.empty());
  *failed->mutable_usage() = turn->usage;
  CommitOwn(std::move(event));
}

void ActiveSession::OnCallWaiting(const quota::v1::Wait& wait) {
  wait_ = wait;
  wait_end_ = services_.loop.Now() + FromSeconds(wait.seconds());
  const Duration move = std::chrono::abs(wait_end_ - logged_wait_end_);
  const bool from_here = wait.reason() == quota::v1::WAIT_REASON_QUOTA_SERVICE;
  if (!from_here &&
      (logged_wait_end_ == BootTime::min() || (move > kLeastLoggedMove && move * 10 > FromSeconds(wait.seconds())))) {
    logged_wait_end_ = wait_end_;
    Enqueue([this, wait] {
      const TurnState* turn = state_.turn();
      if (turn == nullptr || !turn->call) return;
      v1::SessionEvent event;
      event.mutable_wait_noted()->set_turn_id(turn->started.turn_id());
      event.mutable_wait_noted()->set_call_id(turn->call->call_id());
      *event.mutable_wait_noted()->mutable_wait() = wait;
      CommitOwn(std::move(event));
    });
    return;
  }
  v1::WatchEvent event;
  *event.mutable_wait() = wait;
  Broadcast(event);
}

void ActiveSession::OnCallAdmitted(const quota::v1::Admitted& admitted) {
  wait_.reset();
  v1::WatchEvent event;
  *event.mutable_admitted() = admitted;
  Broadcast(event);
}

void ActiveSession::OnCallDelta(const quota::v1::Delta& delta) {
  v1::WatchEvent event;
  *event.mutable_delta() = delta;
  Broadcast(event);
}

void ActiveSession::OnCallRestarted(const quota::v1::Restarted& restarted) {
  v1::WatchEvent event;
  *event.mutable_restarted() = restarted;
  Broadcast(event);
}

void ActiveSession::OnCallAnswered(std::vector<quota::v1::Item> items, const quota::v1::Completed& completed) {
  LetCallGo();
  Enqueue([this, items = std::move(items), completed]() mutable {
    const TurnState* turn = state_.turn();
    if (turn == nullptr || !turn->call) return;
    v1::SessionEvent event;
    v1::ModelAnswered* answered = event.mutable_model_answered();
    answered->set_turn_id(turn->started.turn_id());
    answered->set_call_id(turn->call->call_id());
    for (quota::v1::Item& item : items) *answered->add_items() = std::move(item);
    *answered->mutable_usage() = completed.usage();
    answered->set_finish_reason(completed.finish_reason());
    answered->set_upstream(completed.upstream());
    answered->set_response_id(completed.response_id());
    answered->set_waited_seconds(completed.waited_seconds());
    CommitOwn(std::move(event));
  });
}

void ActiveSession::OnCallFailed(const grpc::Status& status) {
  LetCallGo();
  Enqueue([this, status] { FailTurn(status); });
}

}  // namespace holdfast::agent
