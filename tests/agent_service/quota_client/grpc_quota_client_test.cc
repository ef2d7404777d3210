#include "agent_service/quota_client/grpc_quota_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "tests/fakes/simulated_loop.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;

// Answers nothing by itself. Its streams send one event and stay.
class SilentQuotaService final : public quota::v1::QuotaService::CallbackService {
 public:
  ~SilentQuotaService() override { Release(); }

  grpc::ServerUnaryReactor* WhoAmI(grpc::CallbackServerContext* context, const quota::v1::WhoAmIRequest*,
                                   quota::v1::WhoAmIResponse*) override {
    return Hold(context);
  }
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const quota::v1::GetModelRequest*,
                                     quota::v1::GetModelResponse*) override {
    return Hold(context);
  }
  grpc::ServerWriteReactor<quota::v1::GenerateEvent>* Generate(grpc::CallbackServerContext*,
                                                               const quota::v1::GenerateRequest*) override {
    class Streaming final : public grpc::ServerWriteReactor<quota::v1::GenerateEvent> {
     public:
      Streaming() {
        event_.set_event(1);
        StartWrite(&event_);
      }
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }

     private:
      quota::v1::GenerateEvent event_;
    };
    ++arrived;
    return new Streaming;
  }

  void Release() {
    const std::lock_guard lock(mutex_);
    for (grpc::ServerUnaryReactor* reactor : held_) reactor->Finish(grpc::Status::OK);
    held_.clear();
  }

  std::atomic<int> arrived{0};

 private:
  grpc::ServerUnaryReactor* Hold(grpc::CallbackServerContext* context) {
    const std::lock_guard lock(mutex_);
    held_.push_back(context->DefaultReactor());
    ++arrived;
    return held_.back();
  }

  std::mutex mutex_;
  std::vector<grpc::ServerUnaryReactor*> held_;
};

class CountingListener final : public QuotaClient::Listener {
 public:
  void OnEvent(quota::v1::GenerateEvent) override { ++events; }
  void OnEnd(const grpc::Status& status) override {
    ++ends;
    last = status;
  }
  int events = 0;
  int ends = 0;
  grpc::Status last;
};

// The loop stands still unless a test runs it, as that of a service that ends does.
class GrpcQuotaClientTest : public testing::Test {
 protected:
  GrpcQuotaClientTest() {
    auto server = RpcServer::Start({"127.0.0.1", 0, ""}, {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = std::make_unique<GrpcQuotaClient>(loop_, MakeChannel(server_->address()), "token");
  }
  ~GrpcQuotaClientTest() override {
    service_.Release();
    server_.reset();
  }

  void AwaitArrived(int count) const {
    const auto give_up = std::chrono::steady_clock::now() + seconds(30);
    while (service_.arrived < count && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    ASSERT_GE(service_.arrived, count);
  }
  // Fails the test rather than hang.
  void DestroyClient() {
    auto gone = std::async(std::launch::async, [this] { client_.reset(); });
    if (gone.wait_for(seconds(30)) == std::future_status::ready) return;
    ADD_FAILURE() << "the client waits for ever";
    service_.Release();
  }

  SimulatedLoop loop_;
  SilentQuotaService service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<GrpcQuotaClient> client_;
};

TEST_F(GrpcQuotaClientTest, GoingAwayEndsWhatIsUnderWayAndPostsNothingAfterwards) {
  std::vector<grpc::StatusCode> answers;
  client_->WhoAmI("t", [&](const grpc::Status& status, const auto&) { answers.push_back(status.error_code()); });
  client_->GetModel("m", [&](const grpc::Status& status, const auto&) { answers.push_back(status.error_code()); });
  CountingListener listener;
  const auto stream = client_->Generate({}, &listener);
  AwaitArrived(3);
  DestroyClient();
  // All that will ever come has been posted.
  loop_.RunUntilIdle();
  EXPECT_THAT(answers, testing::ElementsAre(grpc::StatusCode::CANCELLED, grpc::StatusCode::CANCELLED));
  EXPECT_EQ(listener.ends, 1);
  EXPECT_LE(listener.events, 1);
}

TEST_F(GrpcQuotaClientTest, GoesAwayThoughTheLoopNeverTookTheEventThatCame) {
  CountingListener listener;
  const auto stream = client_->Generate({}, &listener);
  AwaitArrived(1);
  // Long enough for the event to come, as a rule; the test holds either way.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  DestroyClient();
}

TEST_F(GrpcQuotaClientTest, AStreamThatWasLetGoIsWaitedForToo) {
  CountingListener listener;
  client_->Generate({}, &listener).reset();
  DestroyClient();
  loop_.RunUntilIdle();
  EXPECT_EQ(listener.ends, 0) << "detached";
}

TEST(OfOwnCredential, ARefusedTokenIsNotTheUsers) {
  const grpc::Status status = OfOwnCredential({grpc::StatusCode::UNAUTHENTICATED, "the token is not one of a tenant"});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << "else the CLI says that its own is wrong";
  EXPECT_NE(status.error_message().find("quota.credential"), std::string::npos);
  EXPECT_EQ(OfOwnCredential({grpc::StatusCode::NOT_FOUND, "x"}).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcQuotaClientTest, WithNothingUnderWayGoesAtOnce) { DestroyClient(); }

}  // namespace
}  // namespace holdfast::agent
