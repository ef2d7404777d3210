#include "bench/policies/provider.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class ProviderTest : public testing::Test {
 protected:
  void Make() { provider_ = std::make_unique<Provider>(world_, options_); }

  void Send(int64_t tokens, int64_t output = 80) {
    Request request;
    request.characters = 4 * (tokens - 2);
    request.input = tokens;
    request.output = output;
    const BootTime sent = world_.now();
    provider_->Send(
        request,
        [this, sent](const Answer& answer) {
          answers_.push_back(answer);
          EXPECT_GE(world_.now() - sent, milliseconds(10));
          EXPECT_LE(world_.now() - sent, milliseconds(1000));
        },
        [this](const Usage&) { ++ended_; });
  }
  void Pass(Duration time) { world_.RunUntil(world_.now() + time); }

  World world_{1};
  ProviderOptions options_;
  std::unique_ptr<Provider> provider_;
  std::vector<Answer> answers_;
  int ended_ = 0;
};

TEST_F(ProviderTest, ARefusalSaysWhatIsUsedAndHowLongItTakes) {
  Make();
  Send(150'000);
  Pass(seconds(5));
  Send(150'000);
  Pass(seconds(5));
  ASSERT_EQ(answers_.size(), 2);
  EXPECT_TRUE(answers_[0].admitted());
  EXPECT_EQ(answers_[0].remaining, 50'000);
  const Answer& refused = answers_[1];
  EXPECT_EQ(refused.refusal, Answer::Refusal::kTokens);
  EXPECT_EQ(refused.requested, 150'000);
  EXPECT_EQ(refused.told_limit, 200'000);
  const double missing = static_cast<double>(refused.used + 150'000 - 200'000);
  EXPECT_NEAR(ToSeconds(refused.retry_after), missing / 200'000 * 60, 2e-3);
  EXPECT_EQ(provider_->admissions(), 1);
  EXPECT_EQ(provider_->refusals(), 1);
}

TEST_F(ProviderTest, RequestsAreCountedSecondBySecond) {
  options_.requests_per_minute = 120;
  Make();
  for (int i = 0; i < 10; ++i) Send(100);
  Pass(seconds(3));
  EXPECT_LT(provider_->admissions(), 5);
  EXPECT_EQ(answers_.back().admitted() ? Answer::Refusal::kRequests : answers_.back().refusal,
            Answer::Refusal::kRequests);
}

TEST_F(ProviderTest, OnlySoManyAtATime) {
  options_.concurrent = 2;
  Make();
  for (int i = 0; i < 3; ++i) Send(100, /*output=*/800);
  Pass(seconds(2));
  EXPECT_EQ(provider_->admissions(), 2);
  Pass(seconds(20));
  EXPECT_EQ(ended_, 2);
  Send(100);
  Pass(seconds(2));
  EXPECT_EQ(provider_->admissions(), 3);
}

TEST_F(ProviderTest, WhatExceedsTheLimitIsRefusedForGood) {
  Make();
  Send(200'001);
  Pass(seconds(2));
  EXPECT_EQ(answers_.at(0).refusal, Answer::Refusal::kTooLarge);
}

TEST_F(ProviderTest, ASettlingGateCorrectsItsChargeAtTheEnd) {
  options_.charge = ChargeRule::kSettled;
  Make();
  Request request;
  request.cap = 100'000;
  request.input = 1'000;
  request.output = 80;
  provider_->Send(
      request, [](const Answer&) {}, [](const Usage&) {});
  Pass(seconds(1));
  EXPECT_EQ(provider_->charged(), 100'000);
  Pass(seconds(5));
  EXPECT_EQ(provider_->charged(), 1'080);
}

TEST_F(ProviderTest, WithoutHeadersOnlyRefusalsTell) {
  options_.headers = false;
  Make();
  Send(200'000);
  Pass(seconds(2));
  Send(200'000);
  Pass(seconds(2));
  EXPECT_FALSE(answers_.at(0).remaining);
  EXPECT_FALSE(answers_.at(1).remaining);
  EXPECT_EQ(answers_.at(1).told_limit, 200'000);
}

TEST_F(ProviderTest, WhatWasSentFirstNeedNotArriveFirst) {
  options_.requests_per_minute = 1e6;
  Make();
  for (int i = 1; i <= 50; ++i) {
    Send(i);
    Pass(milliseconds(20));
  }
  Pass(seconds(2));
  int out_of_order = 0;
  double charged = 0;
  for (size_t i = 1; i < answers_.size(); ++i) out_of_order += answers_[i].made < answers_[i - 1].made ? 1 : 0;
  for (const Answer& answer : answers_) charged += answer.admitted() ? 1 : 0;
  EXPECT_EQ(charged, 50);
  EXPECT_GT(out_of_order, 0);
}

TEST_F(ProviderTest, OthersSpendTheirShare) {
  options_.foreign_share = 0.2;
  Make();
  Pass(std::chrono::hours(10));
  EXPECT_NEAR(provider_->foreign() / provider_->offered(), 0.2, 0.01);
}

TEST_F(ProviderTest, UseIsJudgedOnlyWhileAnybodyWaits) {
  Make();
  Pass(minutes(10));
  EXPECT_EQ(provider_->bound().time, Duration::zero());
  provider_->Waits(1);
  Pass(minutes(1));
  provider_->Waits(-1);
  Pass(minutes(10));
  EXPECT_EQ(provider_->bound().time, minutes(1));
  EXPECT_NEAR(provider_->bound().lost, 200'000, 1e-3) << "the bucket was full, and somebody waited all the same";
}

TEST_F(ProviderTest, UseIsNotJudgedWhileRequestsBind) {
  options_.requests_per_minute = 6;
  Make();
  Send(100);
  Pass(milliseconds(600));
  provider_->Waits(1);
  Pass(seconds(1));
  provider_->Waits(-1);
  EXPECT_EQ(provider_->bound().time, Duration::zero());
}

}  // namespace
}  // namespace holdfast::bench
