#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent_service/service/agent_service.h"
#include "common/loop/asio_loop.h"
#include "common/rpc/server.h"
#include "tests/agent_service/store/memory_store.h"
#include "tests/fakes/fake_quota_client.h"

namespace holdfast::agent {

// One Watch, read from the test's thread. Nothing here waits longer than half a minute.
class WatchCall {
 public:
  WatchCall(v1::AgentService::Stub& stub, const std::string& session_id, int64_t after_sequence,
            const std::string& token = "token-a");
  ~WatchCall();

  // The next event; absent when the stream has ended.
  std::optional<v1::WatchEvent> Next();
  // Durable events until `caught_up`, which it checks to be of the last of them.
  std::vector<v1::SessionEvent> History();
  // Durable events until one is of this kind, that one included; transient ones are passed over.
  std::vector<v1::SessionEvent> Until(v1::SessionEvent::KindCase kind);
  // Of the stream's end, which must have come.
  grpc::Status Finish() { return reader_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchEvent>> reader_;
  int64_t cursor_;
};

// agent_service as clients meet it, over gRPC, with a real loop; its store is in memory and its quota_service a script.
// Tokens "token-a" and "token-b" are of the tenants "team-a" and "team-b".
class ServiceTest : public testing::Test {
 protected:
  ServiceTest();
  ~ServiceTest() override;

  // The service ends, and another begins on the same store.
  void Restart();
  // Runs on the loop, and waits until it has.
  void OnLoop(const std::function<void()>& task);

  std::unique_ptr<grpc::ClientContext> Context(const std::string& token = "token-a") const;
  std::string CreateSession(const std::string& token = "token-a", const std::string& client_key = "");
  grpc::Status SubmitTurn(const std::string& session_id, const std::string& client_key = "k1",
                          const std::string& token = "token-a");
  grpc::Status SubmitToolResult(const std::string& session_id, const std::string& call_id, const std::string& output,
                                bool* accepted = nullptr);
  std::unique_ptr<WatchCall> Watch(const std::string& session_id, int64_t after_sequence = 0,
                                   const std::string& token = "token-a") {
    return std::make_unique<WatchCall>(*stub_, session_id, after_sequence, token);
  }
  void Send(const quota::v1::GenerateEvent& event) {
    OnLoop([&] { quota_.Send(event); });
  }
  void AnswerCall(const std::vector<quota::v1::Item>& items);

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  AsioLoop loop_{context_};
  MemoryStore store_;
  FakeQuotaClient quota_;
  SessionObserver observer_;
  std::unique_ptr<SessionHost> host_;
  std::unique_ptr<Identity> identity_;
  std::unique_ptr<AgentServiceImpl> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  std::thread thread_;

 private:
  void Start();
  void Stop();
};

}  // namespace holdfast::agent
