#include "tests/agent_service/host/host_test_base.h"

#include "agent_service/host/log_row.h"

namespace holdfast::agent {

HostTest::HostTest() : store_([this](absl::AnyInvocable<void()> task) { loop_.Post(std::move(task)); }), quota_(loop_) {
  Start();
}

HostTest::~HostTest() {
  store_.ReleaseAppends();
  quota_.ReleaseModels();
  Stop();
}

void HostTest::Start(Store* store) {
  host_ = std::make_unique<SessionHost>(SessionServices{.loop = loop_,
                                                        .store = store == nullptr ? store_ : *store,
                                                        .quota = quota_,
                                                        .observer = observer_,
                                                        .default_max_wait = std::chrono::minutes(15)});
  resumed_ = false;
  host_->ResumeRunning([this] { resumed_ = true; });
  loop_.RunUntilIdle();
}

void HostTest::Stop() {
  if (host_ == nullptr) return;
  host_->Close();
  loop_.RunUntilIdle();
  host_.reset();
}

CreateAnswer HostTest::Create(const v1::CreateSessionRequest& request, const std::string& default_model) {
  CreateAnswer created;
  host_->Create("team", request, default_model, created.Callback());
  loop_.RunUntilIdle();
  return created;
}

std::string HostTest::CreateSession(const std::string& client_key) {
  v1::CreateSessionRequest request;
  request.set_client_key(client_key);
  request.set_model("o4-mini");
  const CreateAnswer created = Create(request);
  EXPECT_TRUE(created.has_value() && created->ok());
  return created.has_value() && created->ok() ? (*created)->session_id() : "";
}

v1::SubmitTurnRequest HostTest::Turn(const std::string& client_key, const std::string& text) {
  v1::SubmitTurnRequest request;
  request.set_client_key(client_key);
  request.add_input()->set_text(text);
  return request;
}

TurnAnswer HostTest::Submit(const std::string& session_id, v1::SubmitTurnRequest request) {
  TurnAnswer answer;
  host_->With("team", session_id, [request = std::move(request), done = answer.Callback()](auto session) mutable {
    if (!session.ok()) return done(session.status());
    (*session)->SubmitTurn(std::move(request), std::move(done));
  });
  loop_.RunUntilIdle();
  return answer;
}

ResultAnswer HostTest::SubmitResult(const std::string& session_id, const std::string& call_id,
                                    const std::string& output) {
  v1::SubmitToolResultRequest request;
  request.set_call_id(call_id);
  request.set_output(output);
  ResultAnswer answer;
  host_->With("team", session_id, [request, done = answer.Callback()](auto session) mutable {
    if (!session.ok()) return done(session.status());
    (*session)->SubmitToolResult(std::move(request), std::move(done));
  });
  loop_.RunUntilIdle();
  return answer;
}

CancelAnswer HostTest::Cancel(const std::string& session_id, const std::string& turn_id,
                              const std::string& client_key) {
  v1::CancelTurnRequest request;
  request.set_turn_id(turn_id);
  request.set_client_key(client_key);
  CancelAnswer answer;
  host_->With("team", session_id, [request, done = answer.Callback()](auto session) mutable {
    if (!session.ok()) return done(session.status());
    (*session)->CancelTurn(request, std::move(done));
  });
  loop_.RunUntilIdle();
  return answer;
}

Answer<absl::Status> HostTest::Delete(const std::string& session_id) {
  Answer<absl::Status> answer;
  host_->Delete("team", session_id, answer.Callback());
  loop_.RunUntilIdle();
  return answer;
}

std::vector<v1::SessionEvent> HostTest::Events(const std::string& session_id) {
  Answer<absl::StatusOr<std::vector<LogRow>>> rows;
  store_.Read("team", session_id, 0, 10'000, rows.Callback());
  loop_.RunUntilIdle();
  std::vector<v1::SessionEvent> events;
  if (!rows.has_value() || !rows->ok()) return events;
  for (const LogRow& row : **rows) {
    auto event = EventOfRow(row);
    EXPECT_TRUE(event.ok()) << event.status();
    if (event.ok()) events.push_back(*std::move(event));
  }
  return events;
}

std::vector<std::string> HostTest::Log(const std::string& session_id) {
  std::vector<std::string> words;
  for (const v1::SessionEvent& event : Events(session_id)) words.push_back(Describe(event));
  return words;
}

v1::Session HostTest::Summary(const std::string& session_id) {
  Answer<absl::StatusOr<SessionRow>> row;
  store_.GetSession("team", session_id, row.Callback());
  loop_.RunUntilIdle();
  v1::Session summary;
  EXPECT_TRUE(row.has_value() && row->ok() && summary.ParseFromString((*row)->summary));
  return summary;
}

v1::TurnFailed HostTest::LastFailure(const std::string& session_id) {
  const std::vector<v1::SessionEvent> events = Events(session_id);
  EXPECT_TRUE(!events.empty() && events.back().has_turn_failed());
  return events.empty() ? v1::TurnFailed() : events.back().turn_failed();
}

void HostTest::AnswerCall(const std::vector<quota::v1::Item>& items, double waited_seconds) {
  FakeQuotaClient::Script script = AnswerOf(items, waited_seconds);
  for (auto& event : script.events) quota_.Send(std::move(event));
  quota_.End(*script.end);
  loop_.RunUntilIdle();
}

double HostTest::MaxWaitSent() const {
  const auto& max_wait = quota_.requests().back().max_wait();
  return static_cast<double>(max_wait.seconds()) + max_wait.nanos() / 1e9;
}

std::string Describe(const v1::SessionEvent& event) {
  switch (event.kind_case()) {
    case v1::SessionEvent::kSessionCreated:
      return "created";
    case v1::SessionEvent::kTurnStarted:
      return "turn";
    case v1::SessionEvent::kModelCallStarted:
      return "call " + std::to_string(event.model_call_started().step());
    case v1::SessionEvent::kWaitNoted:
      if (!event.wait_noted().has_wait()) return "runs";
      return "wait " + std::to_string(static_cast<int>(event.wait_noted().wait().seconds()));
    case v1::SessionEvent::kModelAnswered:
      return "answer";
    case v1::SessionEvent::kToolResultRecorded:
      return "result " + event.tool_result_recorded().result().call_id();
    case v1::SessionEvent::kTurnCompleted:
      return "completed";
    case v1::SessionEvent::kTurnFailed:
      return "failed " + std::to_string(event.turn_failed().code());
    case v1::SessionEvent::kSnapshotTaken:
      return "snapshot " + event.snapshot_taken().name();
    case v1::SessionEvent::kSessionRestored:
      return "restored " + std::to_string(event.session_restored().to_sequence());
    case v1::SessionEvent::kSessionForked:
      return "forked " + std::to_string(event.session_forked().at_sequence());
    case v1::SessionEvent::kSessionImported:
      return "imported";
    case v1::SessionEvent::kSessionSalvaged:
      return "salvaged";
    case v1::SessionEvent::kCompactionCallStarted:
      return "compaction";
    case v1::SessionEvent::kContextCompacted:
      return event.context_compacted().call_id().empty() ? "cut" : "compacted";
    case v1::SessionEvent::kCompactionFailed:
      return "not compacted";
    case v1::SessionEvent::kPlanUpdated:
      return "plan";
    case v1::SessionEvent::kToolLeaseGranted:
      return "lease " + std::to_string(event.tool_lease_granted().generation());
    case v1::SessionEvent::kToolLeaseReleased:
      return "released " + std::to_string(event.tool_lease_released().generation());
    case v1::SessionEvent::kApprovalRequested:
      return "asked " + event.approval_requested().approval_id();
    case v1::SessionEvent::kApprovalDecided:
      return "decided " + event.approval_decided().approval_id();
    case v1::SessionEvent::KIND_NOT_SET:
      break;
  }
  return "unknown";
}

}  // namespace holdfast::agent
