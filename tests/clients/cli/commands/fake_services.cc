#include "tests/clients/cli/commands/fake_services.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace holdfast::cli {

using agent::v1::SessionEvent;
using agent::v1::WatchEvent;

namespace {

// Sync gRPC handlers learn of a client that left, and of a server that stops, only by asking.
constexpr auto kPoll = std::chrono::milliseconds(10);

}  // namespace

void ScriptedTurn::Answer(const std::string& text) {
  SessionEvent event;
  auto* answered = event.mutable_model_answered();
  answered->set_turn_id(turn_id_);
  auto* message = answered->add_items()->mutable_message();
  message->set_role(quota::v1::ROLE_ASSISTANT);
  message->set_id("msg");
  message->add_parts()->set_text(text);
  agent_.Log(session_id_, event);
}

void ScriptedTurn::CallTool(const std::string& call_id, const std::string& name, const std::string& arguments) {
  SessionEvent event;
  auto* answered = event.mutable_model_answered();
  answered->set_turn_id(turn_id_);
  auto* call = answered->add_items()->mutable_tool_call();
  call->set_call_id(call_id);
  call->set_name(name);
  call->set_arguments(arguments);
  agent_.Log(session_id_, event);
}

std::string ScriptedTurn::AwaitToolResult(const std::string& call_id) {
  std::unique_lock lock(agent_.mutex_);
  for (;;) {
    for (const auto& result : agent_.results_) {
      if (result.call_id() != call_id || result.session_id() != session_id_) continue;
      SessionEvent event;
      event.mutable_tool_result_recorded()->set_turn_id(turn_id_);
      auto* recorded = event.mutable_tool_result_recorded()->mutable_result();
      recorded->set_call_id(call_id);
      recorded->set_output(result.output());
      recorded->set_is_error(result.is_error());
      agent_.Append(session_id_, event);
      return result.output();
    }
    if (agent_.stopping_) return {};
    agent_.changed_.wait(lock);
  }
}

void ScriptedTurn::Wait(const quota::v1::Wait& wait) {
  WatchEvent event;
  *event.mutable_wait() = wait;
  agent_.Send(session_id_, event);
}

void ScriptedTurn::Delta(const std::string& item_id, int64_t offset, const std::string& text) {
  WatchEvent event;
  event.mutable_delta()->set_item_id(item_id);
  event.mutable_delta()->set_channel(quota::v1::Delta::CHANNEL_TEXT);
  event.mutable_delta()->set_offset(offset);
  event.mutable_delta()->set_text(text);
  agent_.Send(session_id_, event);
}

void ScriptedTurn::Complete() {
  SessionEvent event;
  event.mutable_turn_completed()->set_turn_id(turn_id_);
  event.mutable_turn_completed()->mutable_usage()->set_input_tokens(1200);
  event.mutable_turn_completed()->mutable_usage()->set_output_tokens(34);
  agent_.Log(session_id_, event);
}

void ScriptedTurn::Fail(const agent::v1::TurnFailed& failure) {
  SessionEvent event;
  *event.mutable_turn_failed() = failure;
  event.mutable_turn_failed()->set_turn_id(turn_id_);
  agent_.Log(session_id_, event);
}

void ScriptedTurn::AwaitCancel() {
  std::unique_lock lock(agent_.mutex_);
  agent_.changed_.wait(lock, [&] { return agent_.cancels_ > 0 || agent_.stopping_; });
}

FakeAgent::~FakeAgent() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (std::thread& player : players_) player.join();
}

void FakeAgent::Play(Script script) {
  const std::lock_guard lock(mutex_);
  scripts_.push_back(std::move(script));
}

std::string FakeAgent::AddSession(const std::string& workspace, const std::string& title) {
  const std::lock_guard lock(mutex_);
  const std::string id = "session-" + std::to_string(next_id_++);
  FakeSession& session = sessions_[id];
  session.info.set_session_id(id);
  session.info.set_workspace(workspace);
  session.info.set_title(title);
  session.info.set_model("o4-mini");
  session.info.set_status(agent::v1::SESSION_STATUS_IDLE);
  session.info.mutable_updated()->set_seconds(1'700'000'000);
  order_.insert(order_.begin(), id);
  SessionEvent event;
  event.mutable_session_created()->set_workspace(workspace);
  Append(id, event);
  return id;
}

void FakeAgent::StartForeignTurn(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  agent::v1::SubmitTurnRequest request;
  request.set_session_id(session_id);
  request.add_input()->set_text("somebody else's question");
  StartTurn(sessions_[session_id], request);
}

void FakeAgent::FailNext(const std::string& method, grpc::Status failure, int times, bool after_effect) {
  const std::lock_guard lock(mutex_);
  failures_[method] = {std::move(failure), times, after_effect};
}

void FakeAgent::BreakWatches() {
  const std::lock_guard lock(mutex_);
  ++break_count_;
  changed_.notify_all();
}

void FakeAgent::Salvage(const std::string& session_id, int64_t last_sequence) {
  const std::lock_guard lock(mutex_);
  FakeSession& session = sessions_[session_id];
  SessionEvent event;
  event.mutable_session_salvaged()->set_known_sequence(static_cast<int64_t>(session.log.size()));
  session.log.resize(static_cast<size_t>(last_sequence));
  Append(session_id, event);
  session.info.clear_turn_id();
  ++break_count_;
  changed_.notify_all();
}

void FakeAgent::PutBack(const std::string& session_id, int64_t last_sequence) {
  const std::lock_guard lock(mutex_);
  FakeSession& session = sessions_[session_id];
  session.log.resize(static_cast<size_t>(last_sequence));
  session.info.set_last_sequence(last_sequence);
  ++break_count_;
  changed_.notify_all();
}

void FakeAgent::AwaitWatches(int count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return static_cast<int>(watches_.size()) >= count || stopping_; });
}

std::vector<agent::v1::SubmitTurnRequest> FakeAgent::turns() {
  const std::lock_guard lock(mutex_);
  return turns_;
}
std::vector<agent::v1::SubmitToolResultRequest> FakeAgent::tool_results() {
  const std::lock_guard lock(mutex_);
  return results_;
}
std::vector<agent::v1::WatchRequest> FakeAgent::watches() {
  const std::lock_guard lock(mutex_);
  return watches_;
}
std::vector<agent::v1::CreateSessionRequest> FakeAgent::created() {
  const std::lock_guard lock(mutex_);
  return created_;
}
std::vector<std::string> FakeAgent::tokens() {
  const std::lock_guard lock(mutex_);
  return tokens_;
}
bool FakeAgent::TurnRuns(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  return !sessions_[session_id].info.turn_id().empty();
}
int FakeAgent::cancels() {
  const std::lock_guard lock(mutex_);
  return cancels_;
}

int64_t FakeAgent::Append(const std::string& session_id, SessionEvent event) {
  FakeSession& session = sessions_[session_id];
  event.set_sequence(static_cast<int64_t>(session.log.size()) + 1);
  if (event.has_turn_completed() || event.has_turn_failed()) {
    session.info.clear_turn_id();
    session.info.set_status(agent::v1::SESSION_STATUS_IDLE);
  }
  session.info.set_last_sequence(event.sequence());
  session.log.push_back(std::move(event));
  changed_.notify_all();
  return session.info.last_sequence();
}

std::string FakeAgent::StartTurn(FakeSession& session, const agent::v1::SubmitTurnRequest& request) {
  const std::string turn_id = "turn-" + std::to_string(next_id_++);
  SessionEvent event;
  event.mutable_turn_started()->set_turn_id(turn_id);
  *event.mutable_turn_started()->mutable_input() = request.input();
  session.by_key[request.client_key()].set_turn_id(turn_id);
  session.by_key[request.client_key()].set_sequence(Append(session.info.session_id(), event));
  session.info.set_turn_id(turn_id);
  session.info.set_status(agent::v1::SESSION_STATUS_MODEL);
  if (!scripts_.empty()) {
    Script script = scripts_.front();
    if (scripts_.size() > 1) scripts_.pop_front();
    players_.emplace_back([this, script, id = session.info.session_id(), turn_id] {
      ScriptedTurn turn(*this, id, turn_id);
      script(turn);
    });
  }
  return turn_id;
}

bool FakeAgent::TakeFailure(const std::string& method, bool after_effect, grpc::Status* status) {
  const auto found = failures_.find(method);
  if (found == failures_.end() || found->second.times == 0 || found->second.after_effect != after_effect) return false;
  --found->second.times;
  *status = found->second.status;
  return true;
}

void FakeAgent::Log(const std::string& session_id, SessionEvent event) {
  const std::lock_guard lock(mutex_);
  Append(session_id, std::move(event));
}

void FakeAgent::Send(const std::string& session_id, const WatchEvent& event) {
  std::unique_lock lock(mutex_);
  // Transient events are for those who watch: there must be somebody.
  changed_.wait(lock, [&] {
    return stopping_ || std::any_of(watchers_.begin(), watchers_.end(),
                                    [&](const Watcher* w) { return w->session_id == session_id; });
  });
  for (Watcher* watcher : watchers_) {
    if (watcher->session_id == session_id) watcher->transient.push_back(event);
  }
  changed_.notify_all();
  // Taken by the watchers before the script goes on: what it logs next comes later.
  changed_.wait(lock, [&] {
    return stopping_ ||
           std::all_of(watchers_.begin(), watchers_.end(), [](const Watcher* w) { return w->transient.empty(); });
  });
}

grpc::Status FakeAgent::CreateSession(grpc::ServerContext* context, const agent::v1::CreateSessionRequest* request,
                                      agent::v1::Session* response) {
  std::unique_lock lock(mutex_);
  created_.push_back(*request);
  tokens_.push_back(BearerToken(*context));
  grpc::Status failure;
  if (TakeFailure("CreateSession", false, &failure)) return failure;
  lock.unlock();
  const std::string id = AddSession(request->workspace());
  lock.lock();
  *response = sessions_[id].info;
  return grpc::Status::OK;
}

grpc::Status FakeAgent::GetSession(grpc::ServerContext*, const agent::v1::GetSessionRequest* request,
                                   agent::v1::GetSessionResponse* response) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(request->session_id());
  if (found == sessions_.end()) return {grpc::StatusCode::NOT_FOUND, "no session " + request->session_id()};
  *response->mutable_session() = found->second.info;
  for (const SessionEvent& event : found->second.log) {
    if (event.sequence() <= request->after_sequence()) continue;
    if (response->events_size() == 2) {  // small pages
      response->set_more(true);
      break;
    }
    *response->add_events() = event;
  }
  return grpc::Status::OK;
}

grpc::Status FakeAgent::ListSessions(grpc::ServerContext*, const agent::v1::ListSessionsRequest* request,
                                     agent::v1::ListSessionsResponse* response) {
  const std::lock_guard lock(mutex_);
  const size_t at = request->page_token().empty() ? 0 : std::stoul(request->page_token());
  if (at < order_.size()) *response->add_sessions() = sessions_[order_[at]].info;
  if (at + 1 < order_.size()) response->set_next_page_token(std::to_string(at + 1));  // pages of one
  return grpc::Status::OK;
}

grpc::Status FakeAgent::DeleteSession(grpc::ServerContext*, const agent::v1::DeleteSessionRequest* request,
                                      agent::v1::DeleteSessionResponse*) {
  const std::lock_guard lock(mutex_);
  if (sessions_.erase(request->session_id()) == 0) return {grpc::StatusCode::NOT_FOUND, "no such session"};
  std::erase(order_, request->session_id());
  return grpc::Status::OK;
}

grpc::Status FakeAgent::SubmitTurn(grpc::ServerContext*, const agent::v1::SubmitTurnRequest* request,
                                   agent::v1::SubmitTurnResponse* response) {
  const std::lock_guard lock(mutex_);
  turns_.push_back(*request);
  changed_.notify_all();
  grpc::Status failure;
  if (TakeFailure("SubmitTurn", false, &failure)) return failure;
  FakeSession& session = sessions_[request->session_id()];
  if (!session.by_key.contains(request->client_key())) {
    if (!session.info.turn_id().empty()) return {grpc::StatusCode::ABORTED, "a turn is running"};
    StartTurn(session, *request);
  }
  *response = session.by_key[request->client_key()];
  if (TakeFailure("SubmitTurn", true, &failure)) return failure;
  return grpc::Status::OK;
}

grpc::Status FakeAgent::Watch(grpc::ServerContext* context, const agent::v1::WatchRequest* request,
                              grpc::ServerWriter<WatchEvent>* writer) {
  std::unique_lock lock(mutex_);
  watches_.push_back(*request);
  changed_.notify_all();
  grpc::Status failure;
  if (TakeFailure("Watch", false, &failure)) return failure;
  const int breaks = break_count_;
  Watcher watcher{request->session_id(), {}};
  watchers_.push_back(&watcher);
  int64_t sent = request->after_sequence();
  bool caught_up = false;
  while (!context->IsCancelled() && !stopping_ && break_count_ == breaks) {
    std::vector<WatchEvent> batch;
    const FakeSession& session = sessions_[request->session_id()];
    const auto& log = session.log;
    if (!caught_up && request->accept_snapshot() && sent > static_cast<int64_t>(log.size())) {
      *batch.emplace_back().mutable_cursor_expired()->mutable_session() = session.info;
      sent = session.info.last_sequence();
    }
    for (; sent < static_cast<int64_t>(log.size()); ++sent) {
      *batch.emplace_back().mutable_event() = log[static_cast<size_t>(sent)];
    }
    if (!std::exchange(caught_up, true)) batch.emplace_back().mutable_caught_up()->set_last_sequence(sent);
    for (WatchEvent& event : watcher.transient) batch.push_back(std::move(event));
    watcher.transient.clear();
    changed_.notify_all();
    if (batch.empty()) {
      changed_.wait_for(lock, kPoll);
      continue;
    }
    lock.unlock();
    for (const WatchEvent& event : batch) writer->Write(event);
    lock.lock();
  }
  std::erase(watchers_, &watcher);
  changed_.notify_all();
  return {grpc::StatusCode::UNAVAILABLE, "the link broke"};
}

grpc::Status FakeAgent::SubmitToolResult(grpc::ServerContext*, const agent::v1::SubmitToolResultRequest* request,
                                         agent::v1::SubmitToolResultResponse* response) {
  const std::lock_guard lock(mutex_);
  grpc::Status failure;
  if (TakeFailure("SubmitToolResult", false, &failure)) return failure;
  results_.push_back(*request);
  response->set_accepted(!sessions_[request->session_id()].info.turn_id().empty());
  changed_.notify_all();
  if (TakeFailure("SubmitToolResult", true, &failure)) return failure;
  return grpc::Status::OK;
}

grpc::Status FakeAgent::CancelTurn(grpc::ServerContext*, const agent::v1::CancelTurnRequest* request,
                                   agent::v1::CancelTurnResponse* response) {
  const std::lock_guard lock(mutex_);
  ++cancels_;
  FakeSession& session = sessions_[request->session_id()];
  const std::string turn_id = session.info.turn_id();
  const bool meant = request->client_key().empty() || session.by_key[request->client_key()].turn_id() == turn_id;
  const bool cancel = !turn_id.empty() && meant;
  if (cancel) {
    SessionEvent event;
    event.mutable_turn_failed()->set_turn_id(turn_id);
    event.mutable_turn_failed()->set_code(grpc::StatusCode::CANCELLED);
    event.mutable_turn_failed()->set_message("cancelled");
    Append(request->session_id(), event);
  }
  response->set_cancelled(cancel);
  changed_.notify_all();
  return grpc::Status::OK;
}

grpc::Status FakeQuota::GetHeadroom(grpc::ServerContext*, const quota::v1::GetHeadroomRequest* request,
                                    quota::v1::GetHeadroomResponse* response) {
  asked_tokens = request->tokens();
  *response = headroom;
  return status;
}

grpc::Status FakeQuota::WatchStatus(grpc::ServerContext* context, const quota::v1::WatchStatusRequest*,
                                    grpc::ServerWriter<quota::v1::WatchStatusResponse>* writer) {
  if (!status.ok()) return status;
  for (const auto& state : states) writer->Write(state);
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!context->IsCancelled()) never.wait_for(lock, kPoll);
  return grpc::Status::OK;
}

void Served::Start() {
  auto server = RpcServer::Start(address_, {service_});
  ASSERT_TRUE(server.ok()) << server.status().message();
  server_ = *std::move(server);
  server_->SetServing(true);
  address_ = server_->address();
  text_ = address_.ToString();
}

}  // namespace holdfast::cli
