#include "agent_service/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/rpc/channel.h"
#include "holdfast/agent/v1/agent.grpc.pb.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;

// The whole of it, with a quota_service that is not there.
class AgentServerTest : public testing::Test {
 protected:
  AgentServerTest() {
    config_.grpc = {"127.0.0.1", 0, ""};
    config_.metrics = {"127.0.0.1", 0, ""};
    config_.quota = {"127.0.0.1", 1, ""};
    config_.store_path = folder_.path("sessions.db");
  }

  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + seconds(30));
    context->set_wait_for_ready(true);
    return context;
  }

  test::TemporaryFolder folder_;
  AgentConfig config_;
};

TEST_F(AgentServerTest, OneThatNeverRanGoesAwayWithItsCallers) {
  auto server = AgentServer::Start(config_);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub = v1::AgentService::NewStub(MakeChannel((*server)->grpc()));
  auto unary = std::async(std::launch::async, [&stub] {
    v1::CreateSessionRequest request;
    request.set_model("m");
    v1::Session session;
    return stub->CreateSession(Context().get(), request, &session);
  });
  auto stream = std::async(std::launch::async, [&stub] {
    v1::WatchRequest request;
    request.set_session_id("s");
    const auto context = Context();
    return stub->Watch(context.get(), request)->Finish();
  });
  // Whether the calls have arrived by now or not, neither side hangs.
  auto gone = std::async(std::launch::async, [&server] { server->reset(); });
  ASSERT_EQ(gone.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_FALSE(unary.get().ok());
  EXPECT_FALSE(stream.get().ok());
}

TEST_F(AgentServerTest, OneThatRunsAnswersItsCallersBeforeItGoes) {
  auto server = AgentServer::Start(config_);
  ASSERT_TRUE(server.ok()) << server.status();
  std::thread loop([&server] { (*server)->Run(); });
  const auto stub = v1::AgentService::NewStub(MakeChannel((*server)->grpc()));
  // Each of them waits for quota_service, which knows the tenants.
  std::vector<std::future<grpc::Status>> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(std::async(std::launch::async, [&stub] {
      v1::ListSessionsResponse response;
      return stub->ListSessions(Context().get(), {}, &response);
    }));
  }
  (*server)->Stop();
  loop.join();
  auto gone = std::async(std::launch::async, [&server] { server->reset(); });
  ASSERT_EQ(gone.wait_for(seconds(60)), std::future_status::ready);
  for (auto& answer : answers) EXPECT_FALSE(answer.get().ok());
}

TEST_F(AgentServerTest, OneThatCannotListenLeavesTheStoreForTheNext) {
  auto first = AgentServer::Start(config_);
  ASSERT_TRUE(first.ok()) << first.status();
  AgentConfig taken = config_;
  taken.grpc = (*first)->grpc();
  taken.store_path = folder_.path("other.db");
  EXPECT_TRUE(absl::IsUnavailable(AgentServer::Start(taken).status()));
  taken.grpc = {"127.0.0.1", 0, ""};
  EXPECT_TRUE(AgentServer::Start(taken).ok());
}

}  // namespace
}  // namespace holdfast::agent
