#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent_service/host/session_host.h"
#include "tests/agent_service/store/memory_store.h"
#include "tests/fakes/fake_quota_client.h"
#include "tests/fakes/simulated_loop.h"

namespace holdfast::agent {

// What came of something asked; a second answer to the same question fails the test.
template <typename T>
class Answer {
 public:
  absl::AnyInvocable<void(T)> Callback() {
    return [state = state_](T outcome) {
      EXPECT_FALSE(state->has_value()) << "answered twice";
      *state = std::move(outcome);
    };
  }
  bool has_value() const { return state_->has_value(); }
  const T& operator*() const { return **state_; }
  const T* operator->() const { return &**state_; }

 private:
  std::shared_ptr<std::optional<T>> state_ = std::make_shared<std::optional<T>>();
};

using CreateAnswer = Answer<absl::StatusOr<v1::Session>>;
using TurnAnswer = Answer<absl::StatusOr<v1::SubmitTurnResponse>>;
using ResultAnswer = Answer<absl::StatusOr<v1::SubmitToolResultResponse>>;
using CancelAnswer = Answer<absl::StatusOr<v1::CancelTurnResponse>>;

class CountingObserver final : public SessionObserver {
 public:
  void OnTurnEnded(const std::string& outcome) override { outcomes.push_back(outcome); }
  void OnStalled(bool now_stalled) override { stalled += now_stalled ? 1 : -1; }
  void OnStoreTakes(bool takes) override { store_takes = takes; }
  std::vector<std::string> outcomes;
  bool store_takes = true;
  int stalled = 0;
};

// A SessionHost over a store in memory and a scripted quota_service, in simulated time. Everything of tenant "team".
class HostTest : public testing::Test {
 protected:
  HostTest();
  ~HostTest() override;

  // A new process: the old one writes and hears nothing any more. With another store where one is given.
  void Start(Store* store = nullptr);
  void Stop();
  void Restart(Store* store = nullptr) {
    Stop();
    Start(store);
  }

  CreateAnswer Create(const v1::CreateSessionRequest& request, const std::string& default_model = "");
  std::string CreateSession(const std::string& client_key = "");
  static v1::SubmitTurnRequest Turn(const std::string& client_key = "k1", const std::string& text = "hello");
  // These run the loop until it is idle.
  TurnAnswer Submit(const std::string& session_id, v1::SubmitTurnRequest request = Turn());
  ResultAnswer SubmitResult(const std::string& session_id, const std::string& call_id, const std::string& output = "r");
  CancelAnswer Cancel(const std::string& session_id, const std::string& turn_id = "",
                      const std::string& client_key = "");
  Answer<absl::Status> Delete(const std::string& session_id);

  // From the store.
  std::vector<v1::SessionEvent> Events(const std::string& session_id);
  // One word or two for each event: "created", "turn", "call 1", "wait 30", "runs", "answer", "result c1", "completed",
  // "failed 14".
  std::vector<std::string> Log(const std::string& session_id);
  v1::Session Summary(const std::string& session_id);
  v1::TurnFailed LastFailure(const std::string& session_id);

  void SendWait(double seconds) {
    quota_.Send(WaitOf(seconds, loop_.WallNow()));
    loop_.RunUntilIdle();
  }
  void Send(quota::v1::GenerateEvent event) {
    quota_.Send(std::move(event));
    loop_.RunUntilIdle();
  }
  void EndCall(const grpc::Status& status) {
    quota_.End(status);
    loop_.RunUntilIdle();
  }
  void AnswerCall(const std::vector<quota::v1::Item>& items, double waited_seconds = 0);
  // The `max_wait` of the newest Generate, in seconds.
  double MaxWaitSent() const;

  SimulatedLoop loop_;
  MemoryStore store_;
  FakeQuotaClient quota_;
  CountingObserver observer_;
  std::unique_ptr<SessionHost> host_;
  bool resumed_ = false;  // ResumeRunning is done
};

std::string Describe(const v1::SessionEvent& event);

inline const grpc::Status kBroken{grpc::StatusCode::UNAVAILABLE, "connection refused"};

}  // namespace holdfast::agent
