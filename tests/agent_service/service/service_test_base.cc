#include "tests/agent_service/service/service_test_base.h"

#include <chrono>
#include <future>

#include "common/rpc/channel.h"

namespace holdfast::agent {
namespace {

constexpr std::chrono::seconds kTestDeadline(30);

}  // namespace

WatchCall::WatchCall(v1::AgentService::Stub& stub, const std::string& session_id, int64_t after_sequence,
                     const std::string& token)
    : cursor_(after_sequence) {
  v1::WatchRequest request;
  request.set_session_id(session_id);
  request.set_after_sequence(after_sequence);
  SetBearerToken(context_, token);
  context_.set_deadline(std::chrono::system_clock::now() + kTestDeadline);
  reader_ = stub.Watch(&context_, request);
}

WatchCall::~WatchCall() { context_.TryCancel(); }

std::optional<v1::WatchEvent> WatchCall::Next() {
  v1::WatchEvent event;
  if (!reader_->Read(&event)) return std::nullopt;
  if (event.has_event()) {
    EXPECT_EQ(event.event().sequence(), cursor_ + 1) << "a gap, or an event twice";
    cursor_ = event.event().sequence();
  }
  return event;
}

std::vector<v1::SessionEvent> WatchCall::History() {
  std::vector<v1::SessionEvent> events;
  while (auto next = Next()) {
    if (next->has_caught_up()) {
      EXPECT_EQ(next->caught_up().last_sequence(), cursor_);
      return events;
    }
    EXPECT_TRUE(next->has_event()) << "before caught_up: " << next->ShortDebugString();
    events.push_back(next->event());
  }
  ADD_FAILURE() << "the stream ended before caught_up";
  return events;
}

std::vector<v1::SessionEvent> WatchCall::Until(v1::SessionEvent::KindCase kind) {
  std::vector<v1::SessionEvent> events;
  while (auto next = Next()) {
    if (!next->has_event()) continue;
    events.push_back(next->event());
    if (events.back().kind_case() == kind) return events;
  }
  ADD_FAILURE() << "the stream ended before such an event";
  return events;
}

ServiceTest::ServiceTest()
    : store_([this](absl::AnyInvocable<void()> task) { loop_.Post(std::move(task)); }),
      quota_(loop_),
      thread_([this] { context_.run(); }) {
  quota_.SetIdentity("token-a", "team-a");
  quota_.SetIdentity("token-b", "team-b");
  quota_.SetIdentity("service", "", true);
  Start();
}

ServiceTest::~ServiceTest() {
  Stop();
  context_.stop();
  thread_.join();
}

void ServiceTest::OnLoop(const std::function<void()>& task) {
  std::promise<void> done;
  loop_.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void ServiceTest::Start() {
  OnLoop([this] {
    host_ = std::make_unique<SessionHost>(
        SessionServices{.loop = loop_, .store = store_, .quota = quota_, .observer = observer_});
    identity_ = std::make_unique<Identity>(loop_, quota_);
    service_ = std::make_unique<AgentServiceImpl>(loop_, *host_, store_, *identity_, "");
    host_->ResumeRunning([] {});
  });
  auto server = RpcServer::Start({"127.0.0.1", 0, ""}, {service_.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  stub_ = v1::AgentService::NewStub(MakeChannel(server_->address()));
}

void ServiceTest::Stop() {
  OnLoop([this] { host_->Close(); });
  server_->Drain(std::chrono::seconds(10));
  server_.reset();
  OnLoop([this] {
    service_.reset();
    identity_.reset();
    host_.reset();
  });
}

void ServiceTest::Restart() {
  Stop();
  Start();
}

std::unique_ptr<grpc::ClientContext> ServiceTest::Context(const std::string& token) const {
  auto context = std::make_unique<grpc::ClientContext>();
  SetBearerToken(*context, token);
  context->set_deadline(std::chrono::system_clock::now() + kTestDeadline);
  return context;
}

std::string ServiceTest::CreateSession(const std::string& token, const std::string& client_key) {
  v1::CreateSessionRequest request;
  request.set_model("o4-mini");
  request.set_client_key(client_key);
  v1::Session session;
  const grpc::Status status = stub_->CreateSession(Context(token).get(), request, &session);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return session.session_id();
}

grpc::Status ServiceTest::SubmitTurn(const std::string& session_id, const std::string& client_key,
                                     const std::string& token) {
  v1::SubmitTurnRequest request;
  request.set_session_id(session_id);
  request.set_client_key(client_key);
  request.add_input()->set_text("hello");
  v1::SubmitTurnResponse response;
  return stub_->SubmitTurn(Context(token).get(), request, &response);
}

grpc::Status ServiceTest::SubmitToolResult(const std::string& session_id, const std::string& call_id,
                                           const std::string& output, bool* accepted) {
  v1::SubmitToolResultRequest request;
  request.set_session_id(session_id);
  request.set_call_id(call_id);
  request.set_output(output);
  v1::SubmitToolResultResponse response;
  const grpc::Status status = stub_->SubmitToolResult(Context().get(), request, &response);
  if (accepted != nullptr) *accepted = response.accepted();
  return status;
}

void ServiceTest::AnswerCall(const std::vector<quota::v1::Item>& items) {
  OnLoop([&] {
    FakeQuotaClient::Script script = AnswerOf(items);
    for (auto& event : script.events) quota_.Send(std::move(event));
    quota_.End(*script.end);
  });
}

}  // namespace holdfast::agent
