#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <future>

#include "common/rpc/channel.h"
#include "tests/quota_service/service/quota_server_test_base.h"
#include "tests/support/http_call.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ShutdownTest : public QuotaServerTestBase {
 protected:
  ShutdownTest() { config_.upstreams[0].limits.push_back({{}, {}, 2}); }

  std::unique_ptr<Reader> Running(const std::string& call_id, const std::string& text) {
    auto reader = Open(Request(call_id, text));
    EXPECT_TRUE(reader->ReadUntil(v1::GenerateEvent::kAdmitted));
    return reader;
  }
};

constexpr char kShortAndLong[] = R"({"answers": [
    {"when": {"last_user_contains": "short"}, "text": "short answer", "delay_ms": 300},
    {"when": {"last_user_contains": "long"}, "text": "long answer", "delay_ms": 1500}]})";

TEST_F(ShutdownTest, RunningCallsCompleteAndWaitingOnesGoToTheNextProcessUnsent) {
  upstream().SetScript(kShortAndLong);
  StartServer();
  // Limits are learnt from one call that goes alone; from then on two run side by side.
  ASSERT_TRUE(Generate(Request("learn")).status.ok());
  const auto first = Running("short", "short");
  const auto second = Running("long", "long");
  const auto third = Open(Request("waits", "long"));
  ASSERT_TRUE(third->ReadUntil(v1::GenerateEvent::kWait));

  server_->Stop();
  const Generation waited = third->Drain();
  EXPECT_EQ(waited.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(DetailsOf(waited.status).empty());
  EXPECT_EQ(first->Drain().text(), "short answer");
  // There is room for the one that waited now, but not in this process.
  const Generation last = second->Drain();
  EXPECT_TRUE(last.status.ok()) << last.status.error_message();
  EXPECT_EQ(last.text(), "long answer");
  loop_.join();
  server_.reset();
  EXPECT_EQ(Sent(), 3U);
}

// Its reader may have come back without any news since.
TEST_F(ShutdownTest, ARunningCallWhoseReaderCameBackIsFinishedToo) {
  upstream().SetScript(kShortAndLong);
  StartServer();
  const v1::GenerateRequest request = Request("long", "long");
  const auto lost = Open(request);
  std::vector<v1::GenerateEvent> events;
  ASSERT_TRUE(lost->ReadUntil(v1::GenerateEvent::kAdmitted, &events));
  lost->context.TryCancel();
  lost->stream->Finish();
  v1::GenerateRequest again = request;
  again.set_after_event(events.back().event());
  again.set_after_incarnation(events.back().incarnation());
  const auto reader = Open(again);
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kAdmitted));
  server_->Stop();
  const Generation generation = reader->Drain();
  EXPECT_TRUE(generation.status.ok()) << generation.status.error_message();
  EXPECT_EQ(generation.text(), "long answer");
  EXPECT_EQ(Sent(), 1U);
}

// grpc.health.v1: HealthCheckResponse.status is field 1; 1 is SERVING, 2 is NOT_SERVING.
TEST_F(ShutdownTest, ItsHealthIsNotServingFromTheBeginningOfTheDrainOn) {
  config_.drain = seconds(1);
  StartServer();
  upstream().PushFault(R"({"fault": "silence"})");
  const auto running = Running("c1", "x");
  grpc::GenericStub stub(MakeChannel(server_->grpc()));
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(30));
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto watch = stub.PrepareCall(&context, "/grpc.health.v1.Health/Watch", &queue);
  watch->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice nothing;
  watch->WriteLast(grpc::ByteBuffer(&nothing, 1), grpc::WriteOptions(), nullptr);
  ASSERT_TRUE(next());
  const auto read = [&]() -> std::string {
    grpc::ByteBuffer response;
    watch->Read(&response, nullptr);
    grpc::Slice slice;
    if (!next() || !response.DumpToSingleSlice(&slice).ok()) return "ended";
    return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
  };
  EXPECT_EQ(read(), "\x08\x01");
  server_->Stop();
  EXPECT_EQ(read(), "\x08\x02");
  // Until the end of the process it says nothing else.
  for (std::string news = read(); news != "ended"; news = read()) EXPECT_EQ(news, "\x08\x02");
  grpc::Status status;
  watch->Finish(&status, nullptr);
  next();
  EXPECT_FALSE(running->Drain().status.ok());
}

TEST_F(ShutdownTest, IsNotReadyAnyMoreAndTakesNoNewCalls) {
  upstream().SetScript(kShortAndLong);
  StartServer();
  const auto running = Running("long", "long");
  server_->Stop();
  while (test::HttpCall("GET", HttpUrl("/readyz"))->status == 200) {
  }
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/readyz"))->status, 503);
  EXPECT_EQ(test::HttpCall("GET", HttpUrl("/healthz"))->status, 200);
  // By the service, or by gRPC itself, which cancels what comes while it shuts down.
  EXPECT_THAT(Generate(Request("new")).status.error_code(),
              testing::AnyOf(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED));
  EXPECT_TRUE(running->Drain().status.ok());
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(ShutdownTest, IsBoundedByTheDrainTime) {
  config_.drain = milliseconds(300);
  StartServer();
  upstream().PushFault(R"({"fault": "silence"})");
  const auto running = Running("c1", "x");
  const BootTime begin = BootClock::now();
  StopServer();
  EXPECT_GE(BootClock::now() - begin, milliseconds(300));
  EXPECT_LT(BootClock::now() - begin, seconds(10));
  EXPECT_FALSE(running->Drain().status.ok());
}

TEST_F(ShutdownTest, WithNothingToDoIsImmediateAndMayBeAskedForTwice) {
  StartServer();
  const BootTime begin = BootClock::now();
  server_->Stop();
  server_->Stop();
  StopServer();
  EXPECT_LT(BootClock::now() - begin, seconds(5));
}

TEST_F(ShutdownTest, AServerThatNeverRanGoesAwayWithItsCallers) {
  auto server = QuotaServer::Start(config_);
  ASSERT_TRUE(server.ok()) << server.status();
  const auto stub =
      v1::QuotaService::NewStub(grpc::CreateChannel((*server)->grpc().ToString(), grpc::InsecureChannelCredentials()));
  auto status = std::async(std::launch::async, [&stub] {
    grpc::ClientContext context;
    Prepare(context, "");
    context.set_wait_for_ready(true);
    // gRPC would look for a server until then.
    context.set_deadline(std::chrono::system_clock::now() + seconds(3));
    return stub->Generate(&context, Request("c1"))->Finish();
  });
  // Whether the call has arrived by now or not, neither side hangs.
  server->reset();
  status.wait_for(seconds(60));
  EXPECT_FALSE(status.get().ok());
}

class StartTest : public QuotaServerTestBase {
 protected:
  std::string Refusal(absl::StatusCode code) {
    const auto server = QuotaServer::Start(config_);
    EXPECT_EQ(server.status().code(), code);
    return std::string(server.status().message());
  }
};

TEST_F(StartTest, ABusyAddressIsUnavailableAndNamed) {
  StartServer();
  const QuotaConfig free = config_;
  for (auto [listener, taken] :
       {std::pair(&QuotaConfig::grpc, server_->grpc()), std::pair(&QuotaConfig::http, server_->http()),
        std::pair(&QuotaConfig::metrics, server_->metrics())}) {
    config_ = free;
    config_.*listener = taken;
    EXPECT_THAT(Refusal(absl::StatusCode::kUnavailable), testing::HasSubstr(taken.ToString()));
  }
}

TEST_F(StartTest, AnUpstreamThatIsOurselvesIsRefused) {
  StartServer();
  const std::vector<Address> own = {server_->grpc(), server_->http(), server_->metrics()};
  StopServer();
  // The same ports again, and each in turn as the upstream, under one of its names.
  config_.grpc = own[0];
  config_.http = own[1];
  config_.metrics = own[2];
  for (const Address& address : own) {
    for (const char* host : {"127.0.0.1", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
      config_.upstreams[1].account.base_url =
          "http://" + std::string(host) + ":" + std::to_string(address.port) + "/v1";
      EXPECT_THAT(Refusal(absl::StatusCode::kFailedPrecondition),
                  testing::AllOf(testing::HasSubstr("upstream sim-chat"), testing::HasSubstr(address.ToString()),
                                 testing::HasSubstr("HOLDFAST_UPSTREAM_URL")));
    }
  }
}

TEST_F(StartTest, ListensOnAUnixSocketToo) {
  const std::string path = "/tmp/holdfast-quota-" + std::to_string(getpid()) + ".sock";
  config_.grpc = Address{"", 0, path};
  StartServer();
  EXPECT_TRUE(Generate(Request("c1")).status.ok());
}

}  // namespace
}  // namespace holdfast::quota
