#include "bench/policies/workload.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace holdfast::bench {
namespace {

// Sends everything at once, and says of every third call that it failed.
class Careless final : public Policy {
 public:
  Careless(World& world, Provider& provider, int fail_every) : Policy(world, provider), fail_every_(fail_every) {}
  bool sessions_see_refusals() const override { return true; }

 private:
  void OnSubmit(std::shared_ptr<Call> call) override {
    if (fail_every_ > 0 && ++calls_ % fail_every_ == 0) {
      End(call, Call::Outcome::kRefused);
      return;
    }
    Send(
        call, [](const Answer& answer) { EXPECT_TRUE(answer.admitted()); },
        [this, call](const Usage& usage) { End(call, Call::Outcome::kDone, usage); });
  }

  int fail_every_;
  int calls_ = 0;
};

class WorkloadTest : public testing::Test {
 protected:
  WorkloadTest() {
    provider_options_.tokens_per_minute = 1e9;
    provider_options_.requests_per_minute = 1e9;
    options_.length = std::chrono::hours(1);
    options_.large_senders = 0;
    options_.sessions = 10;
  }

  Result Play(int fail_every = 0) {
    Result result;
    World world(7);
    Provider provider(world, provider_options_);
    Careless policy(world, provider, fail_every);
    const Workload workload(world, policy, options_, provider_options_.charge, result,
                            [this](const Call& call) { calls_.push_back(call); });
    world.RunUntil(world.now() + options_.length);
    return result;
  }

  ProviderOptions provider_options_;
  WorkloadOptions options_;
  std::vector<Call> calls_;
};

TEST_F(WorkloadTest, ATaskIsTwelveTurnsOfAGrowingContext) {
  options_.sessions = 1;
  const Result result = Play();
  EXPECT_GT(result.tasks_done, 0);
  EXPECT_EQ(result.tasks_done, static_cast<int>(calls_.size()) / 12);
  for (size_t i = 1; i < 12; ++i) EXPECT_GT(calls_[i].request.characters, calls_[i - 1].request.characters);
  EXPECT_LT(calls_[12].request.characters, calls_[11].request.characters);
}

TEST_F(WorkloadTest, TheTokensOfADeadSessionAreNoGood) {
  options_.sessions = 1;
  const Result result = Play(/*fail_every=*/5);
  EXPECT_GT(result.sessions_died, 10);
  EXPECT_EQ(result.tasks_done, 0);
  double charged = 0;
  for (const Call& call : calls_) charged += static_cast<double>(call.request.characters) / 4;
  EXPECT_LT(result.useful, charged / 10);
  EXPECT_EQ(result.refusals_at_clients, 0) << "none was refused by the provider";
}

TEST_F(WorkloadTest, AnAnswerThatTheCapCutIsAskedForAgainWithMore) {
  options_.caps = {500};
  const Result result = Play();
  EXPECT_GT(result.cut_short, 0);
  bool larger = false;
  for (const Call& call : calls_) larger |= call.request.cap == 1'000;
  EXPECT_TRUE(larger);
}

TEST_F(WorkloadTest, TenantsAndKindsOfTextAreSpreadAlike) {
  options_.weights = {1, 2};
  const Result result = Play();
  std::set<std::string> tenants;
  for (const Call& call : calls_) tenants.insert(call.tenant);
  EXPECT_EQ(tenants.size(), 2);
  EXPECT_EQ(result.sessions.size(), 10);
  EXPECT_DOUBLE_EQ(result.sessions.at("session 0").weight, 0.2);
  EXPECT_DOUBLE_EQ(result.sessions.at("session 1").weight, 0.4);
}

TEST_F(WorkloadTest, LargeSendersAreNotAmongTheSessions) {
  options_.large_senders = 1;
  options_.sessions = 1;
  const Result result = Play();
  EXPECT_GT(result.large_served, 0);
  EXPECT_EQ(result.sessions.size(), 1);
  for (const Call& call : calls_) {
    if (call.session != "large 0") continue;
    EXPECT_GE(call.request.input, 130'000);
    EXPECT_LE(call.request.input, 150'000);
  }
}

}  // namespace
}  // namespace holdfast::bench
