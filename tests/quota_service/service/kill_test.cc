#include <gmock/gmock.h>
#include <signal.h>

#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/sqlite/sqlite.h"
#include "holdfast/quota/v1/quota.grpc.pb.h"
#include "tests/support/process.h"
#include "tests/support/simulator_control.h"
#include "tests/support/temporary_folder.h"

namespace holdfast::quota {
namespace {

using test::Process;

TEST(KilledQuotaService, KnowsAfterwardsWhatWasSpentASecondBefore) {
  const test::TemporaryFolder folder;
  test::SimulatorProcess simulator({"--api-key", "sk-1"});
  const std::string config = folder.Write("quota.yaml", "upstreams: [{name: u, base_url: \"" + simulator.url() +
                                                            "\", api_key: {env: KEY}}]\n"
                                                            "tenants: [{name: a, token: {env: TOKEN}, "
                                                            "tokens_per_day: 100000}]\n"
                                                            "data: {dir: \"" +
                                                            folder.path("data") + "\"}\n");
  const auto start = [&](std::unique_ptr<v1::QuotaService::Stub>* stub) {
    Process::Options options;
    options.environment = {{"KEY", "sk-1"}, {"TOKEN", "token-a"}};
    auto process = std::make_unique<Process>(
        std::vector<std::string>{test::Program("quota_service"), "--config", config, "--grpc", "127.0.0.1:0", "--http",
                                 "127.0.0.1:0", "--metrics", "127.0.0.1:0"},
        options);
    const auto line = process->WaitForLine(Process::Stream::kErr, "listening: grpc ");
    EXPECT_TRUE(line);
    const std::string text = line.value_or("");
    const size_t at = text.find("grpc ") + 5;
    *stub = v1::QuotaService::NewStub(MakeChannel(*ParseAddress(text.substr(at, text.find(',', at) - at))));
    return process;
  };
  const auto spent = [](v1::QuotaService::Stub& stub) {
    grpc::ClientContext context;
    SetBearerToken(context, "token-a");
    const auto reader = stub.WatchStatus(&context, {});
    v1::WatchStatusResponse status;
    EXPECT_TRUE(reader->Read(&status));
    context.TryCancel();
    return status.budgets_size() == 1 ? status.budgets(0).spent() : -1;
  };

  std::unique_ptr<v1::QuotaService::Stub> stub;
  auto process = start(&stub);
  v1::GenerateRequest request;
  request.set_call_id("c1");
  request.set_model("m");
  request.add_items()->mutable_message()->set_role(v1::ROLE_USER);
  request.mutable_items(0)->mutable_message()->add_parts()->set_text(std::string(8000, 'x'));
  grpc::ClientContext context;
  SetBearerToken(context, "token-a");
  const auto call = stub->Generate(&context, request);
  for (v1::GenerateEvent event; call->Read(&event);) {
  }
  ASSERT_TRUE(call->Finish().ok());
  const int64_t before = spent(*stub);
  ASSERT_GT(before, 1000);

  const BootTime give_up = BootClock::now() + std::chrono::seconds(1) + test::kPatience;
  const BootTime spent_at = BootClock::now();
  BootTime kept_at{};
  auto database = sqlite::Connection::Open(folder.path("data") + "/quota.db", sqlite::Connection::Mode::kReadOnly,
                                           std::chrono::seconds(1));
  ASSERT_TRUE(database.ok()) << database.status();
  while (kept_at == BootTime{} && BootClock::now() < give_up) {
    const auto kept = database->QueryInt("SELECT spent FROM budgets WHERE tenant = 'a'");
    if (kept.ok() && *kept == before) kept_at = BootClock::now();
  }
  ASSERT_NE(kept_at, BootTime{}) << "it was never kept";
  EXPECT_LT(ToSeconds(kept_at - spent_at), 5) << "a second, on a machine that has time";
  process->Kill();
  process = start(&stub);
  EXPECT_EQ(spent(*stub), before);
}

}  // namespace
}  // namespace holdfast::quota
