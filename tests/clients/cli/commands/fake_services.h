#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/server.h"
#include "holdfast/agent/v1/agent.grpc.pb.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/support/lasting_address.h"

namespace holdfast::cli {

class FakeAgent;

// The server's side of a turn, for a script to drive. Every method may be called from the script's thread only.
class ScriptedTurn {
 public:
  ScriptedTurn(FakeAgent& agent, std::string session_id, std::string turn_id)
      : agent_(agent), session_id_(std::move(session_id)), turn_id_(std::move(turn_id)) {}

  void Answer(const std::string& text);
  void CallTool(const std::string& call_id, const std::string& name, const std::string& arguments);
  // Blocks until the client has submitted it; records it in the log.
  std::string AwaitToolResult(const std::string& call_id);
  void Wait(const quota::v1::Wait& wait);
  void Delta(const std::string& item_id, int64_t offset, const std::string& text);
  void Complete();
  void Fail(const agent::v1::TurnFailed& failure);
  // Blocks until the client has cancelled it.
  void AwaitCancel();

  FakeAgent& agent() { return agent_; }
  const std::string& session_id() const { return session_id_; }

 private:
  FakeAgent& agent_;
  std::string session_id_;
  std::string turn_id_;
};

// agent_service as far as the CLI can tell: sessions with logs in memory, and turns that scripts play.
class FakeAgent final : public agent::v1::AgentService::Service {
 public:
  using Script = std::function<void(ScriptedTurn&)>;

  FakeAgent() = default;
  ~FakeAgent() override;

  // What the next turns do; the last one repeats.
  void Play(Script script);
  // A session that was there before. The one that is added last was used last.
  std::string AddSession(const std::string& workspace, const std::string& title = "");
  // A turn that somebody else started.
  void StartForeignTurn(const std::string& session_id);

  // The next calls of the method with this name fail with this, `times` times; a lost reply has its effect all the
  // same.
  void FailNext(const std::string& method, grpc::Status status, int times = 1, bool after_effect = false);
  // Ends every Watch with UNAVAILABLE.
  void BreakWatches();
  // The session's log is what it was at this event, as of an older copy of the database; every Watch ends.
  void PutBack(const std::string& session_id, int64_t last_sequence);
  // What comes after this event was lost with a damaged database, and nothing takes the turn's results; every Watch
  // ends.
  void Salvage(const std::string& session_id, int64_t last_sequence);
  // Blocks until so many Watch calls have begun in all.
  void AwaitWatches(int count);

  // What arrived.
  std::vector<agent::v1::SubmitTurnRequest> turns();
  std::vector<agent::v1::SubmitToolResultRequest> tool_results();
  std::vector<agent::v1::WatchRequest> watches();
  std::vector<agent::v1::CreateSessionRequest> created();
  std::vector<std::string> tokens();
  int cancels();
  // A turn of the session has not ended.
  bool TurnRuns(const std::string& session_id);

  grpc::Status CreateSession(grpc::ServerContext*, const agent::v1::CreateSessionRequest*,
                             agent::v1::Session*) override;
  grpc::Status GetSession(grpc::ServerContext*, const agent::v1::GetSessionRequest*,
                          agent::v1::GetSessionResponse*) override;
  grpc::Status ListSessions(grpc::ServerContext*, const agent::v1::ListSessionsRequest*,
                            agent::v1::ListSessionsResponse*) override;
  grpc::Status DeleteSession(grpc::ServerContext*, const agent::v1::DeleteSessionRequest*,
                             agent::v1::DeleteSessionResponse*) override;
  grpc::Status SubmitTurn(grpc::ServerContext*, const agent::v1::SubmitTurnRequest*,
                          agent::v1::SubmitTurnResponse*) override;
  grpc::Status Watch(grpc::ServerContext*, const agent::v1::WatchRequest*,
                     grpc::ServerWriter<agent::v1::WatchEvent>*) override;
  grpc::Status SubmitToolResult(grpc::ServerContext*, const agent::v1::SubmitToolResultRequest*,
                                agent::v1::SubmitToolResultResponse*) override;
  grpc::Status CancelTurn(grpc::ServerContext*, const agent::v1::CancelTurnRequest*,
                          agent::v1::CancelTurnResponse*) override;

 private:
  friend class ScriptedTurn;

  struct FakeSession {
    agent::v1::Session info;
    std::vector<agent::v1::SessionEvent> log;
    std::map<std::string, agent::v1::SubmitTurnResponse> by_key;
  };
  struct Failure {
    grpc::Status status;
    int times = 0;
    bool after_effect = false;
  };
  struct Watcher {
    std::string session_id;
    std::deque<agent::v1::WatchEvent> transient;
  };

  // The lock is held.
  int64_t Append(const std::string& session_id, agent::v1::SessionEvent event);
  std::string StartTurn(FakeSession& session, const agent::v1::SubmitTurnRequest& request);
  bool TakeFailure(const std::string& method, bool after_effect, grpc::Status* status);
  // The lock is not held.
  void Log(const std::string& session_id, agent::v1::SessionEvent event);
  void Send(const std::string& session_id, const agent::v1::WatchEvent& event);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Script> scripts_;
  std::vector<std::thread> players_;
  std::map<std::string, FakeSession> sessions_;
  std::vector<std::string> order_;  // of use
  std::map<std::string, Failure> failures_;
  std::vector<Watcher*> watchers_;
  int break_count_ = 0;
  bool stopping_ = false;
  int next_id_ = 1;
  int cancels_ = 0;
  std::vector<agent::v1::SubmitTurnRequest> turns_;
  std::vector<agent::v1::SubmitToolResultRequest> results_;
  std::vector<agent::v1::WatchRequest> watches_;
  std::vector<agent::v1::CreateSessionRequest> created_;
  std::vector<std::string> tokens_;
};

class FakeQuota final : public quota::v1::QuotaService::Service {
 public:
  grpc::Status status;
  quota::v1::GetHeadroomResponse headroom;
  std::vector<quota::v1::WatchStatusResponse> states;  // WatchStatus sends these, then stays

  grpc::Status GetHeadroom(grpc::ServerContext*, const quota::v1::GetHeadroomRequest* request,
                           quota::v1::GetHeadroomResponse* response) override;
  grpc::Status WatchStatus(grpc::ServerContext*, const quota::v1::WatchStatusRequest*,
                           grpc::ServerWriter<quota::v1::WatchStatusResponse>*) override;

  std::atomic<int64_t> asked_tokens = 0;
};

// A service on a port of its own that can go away and come back.
class Served {
 public:
  explicit Served(grpc::Service* service) : service_(service) { Start(); }
  void Start();
  void Stop() { server_.reset(); }
  std::string address() const { return text_; }

 private:
  grpc::Service* service_;
  Address address_ = *ParseAddress(test::LastingAddress());
  std::string text_;
  std::unique_ptr<RpcServer> server_;
};

}  // namespace holdfast::cli
