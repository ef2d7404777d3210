// Who goes when, where all limits are known.
#include "quota_service/admission/limit_group.h"

#include <gmock/gmock.h>

#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

struct PublishedRefusal {
  int64_t limit;
  int64_t used;
  int64_t requested;
  int64_t milliseconds;  // that the server named
};

class OpenAiBucket : public testing::TestWithParam<PublishedRefusal> {};
// The table of facts/providers.md.
INSTANTIATE_TEST_SUITE_P(
    PublishedRefusals, OpenAiBucket,
    testing::Values(PublishedRefusal{200000, 160193, 51963, 3646}, PublishedRefusal{200000, 158833, 62431, 6379},
                    PublishedRefusal{200000, 162960, 42288, 1574}, PublishedRefusal{200000, 150405, 51478, 564},
                    PublishedRefusal{30000, 4828, 25212, 80}, PublishedRefusal{30000, 22999, 12528, 11054},
                    PublishedRefusal{250000, 250000, 143071, 34337}));

TEST_P(OpenAiBucket, WaitsExactlyAsLongAsTheServerWouldHaveSaid) {
  const auto& [limit, used, requested, server_ms] = GetParam();
  ASSERT_EQ((used + requested - limit) * 60000 / limit, server_ms);
  LimitGroup group = LearntGroup({TokensPerMinute(limit)});
  ASSERT_THAT(Ask(group, At({}), 1, used).granted, ElementsAre(1));

  EXPECT_THAT(Ask(group, At({}), 2, requested).granted, IsEmpty());
  const auto forecast = group.Forecast(At({}));
  ASSERT_EQ(forecast.size(), 1u);
  const WaitEstimate& told = forecast[0].second;
  EXPECT_EQ(told.wait / milliseconds(1), server_ms);
  EXPECT_EQ(told.reason, WaitEstimate::Reason::kLimit);
  EXPECT_EQ(told.dimension, Dimension::kTokens);
  EXPECT_EQ(told.limit, limit);
  EXPECT_EQ(told.per, kMinute);
  EXPECT_EQ(told.used, used);
  EXPECT_EQ(told.requested, requested);
  EXPECT_EQ(told.position, 1);

  const BootTime when = At({}) + told.wait;
  EXPECT_EQ(group.NextAdmission(At({})), when);
  EXPECT_THAT(group.Admit(when - nanoseconds(1)).granted, IsEmpty());
  EXPECT_THAT(group.Admit(when).granted, ElementsAre(2));
}

TEST_P(OpenAiBucket, NamesTheRestOfTheWaitAtEveryMomentOfIt) {
  const auto& [limit, used, requested, server_ms] = GetParam();
  LimitGroup group = LearntGroup({TokensPerMinute(limit)});
  Ask(group, At({}), 1, used);
  Ask(group, At({}), 2, requested);
  const BootTime end = At({}) + group.Forecast(At({}))[0].second.wait;
  for (int part = 1; part < 10; ++part) {
    const BootTime now = At({}) + milliseconds(server_ms) * part / 10;
    EXPECT_LE(std::chrono::abs(group.Forecast(now)[0].second.wait - (end - now)), nanoseconds(1));
  }
}

TEST(LimitGroup, ReplaysTheIncidentFromNothingButHeaders) {
  LimitGroup group({"openai/o4-mini", {}, std::nullopt});
  ASSERT_THAT(Ask(group, At({}), 1, 9000).granted, ElementsAre(1));
  group.OnHeaders(At(milliseconds(400)), 1, TokenHeaders(200000, 200000 - 160193, milliseconds(48057)));
  EXPECT_THAT(Ask(group, At(milliseconds(400)), 2, 51963).granted, IsEmpty());
  const WaitEstimate told = group.Forecast(At(milliseconds(400)))[0].second;
  EXPECT_EQ(told.wait / milliseconds(1), 3646);
  EXPECT_EQ(told.used, 160193);
  const BootTime when = At(milliseconds(400)) + told.wait;
  EXPECT_THAT(group.Admit(when - nanoseconds(1)).granted, IsEmpty());
  EXPECT_THAT(group.Admit(when).granted, ElementsAre(2));
}

TEST(LimitGroup, GrantsInTheOrderOfArrival) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) group.Enqueue(At({}), id, 200);
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(1, 2, 3));
}

TEST(LimitGroup, LetsNobodyPassALargeHead) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 300);
  Ask(group, At({}), 2, 600);
  EXPECT_THAT(Ask(group, At({}), 3, 1).granted, IsEmpty());
  EXPECT_THAT(group.Admit(At(seconds(30) - nanoseconds(1))).granted, IsEmpty());
  EXPECT_THAT(group.Admit(At(seconds(30))).granted, ElementsAre(2));
  EXPECT_THAT(group.Admit(At(milliseconds(30'100))).granted, ElementsAre(3));
}

TEST(LimitGroup, RejectsWhatIsLargerThanTheLimitAndServesTheOthers) {
  LimitGroup group = LearntGroup({TokensPerMinute(600), RequestsPerMinute(10)});
  group.Enqueue(At({}), 1, 601);
  group.Enqueue(At({}), 2, 600);
  const auto decision = group.Admit(At({}));
  EXPECT_THAT(decision.rejected, ElementsAre(1));
  EXPECT_THAT(decision.granted, ElementsAre(2));
  EXPECT_FALSE(group.Contains(1));
  EXPECT_EQ(group.LargestAdmissible(), 600);
  EXPECT_EQ(group.WouldWait(At({}), 601), std::nullopt);
}

TEST(LimitGroup, RejectsAWaiterWhenTheLimitShrinksBelowIt) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 600);
  group.Enqueue(At({}), 2, 500);
  group.Enqueue(At({}), 3, 100);
  ASSERT_THAT(group.Admit(At({})).rejected, IsEmpty());
  group.OnHeaders(At({}), 1, TokenHeaders(400, 0));
  EXPECT_LE(group.NextAdmission(At({})), At({})) << "there is someone to reject";
  EXPECT_THAT(group.Admit(At({})).rejected, ElementsAre(2));
  EXPECT_TRUE(group.Contains(3));
  EXPECT_EQ(group.LargestAdmissible(), 400);
}

TEST(LimitGroup, WhatIsOnlyGuessedToBeTooLargeIsChargedTheWholeLimitAndSent) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  const Need guess(1000, /*not_sure=*/400);
  const Need known(1000, /*not_sure=*/399);
  EXPECT_NE(group.WouldWait(At({}), guess), std::nullopt);
  EXPECT_EQ(group.WouldWait(At({}), known), std::nullopt);
  EXPECT_EQ(group.WhyNever(guess), "");
  EXPECT_NE(group.WhyNever(known), "");
  group.Enqueue(At({}), 1, guess);
  group.Enqueue(At({}), 2, known);
  group.Enqueue(At({}), 3, 1);
  const auto decision = group.Admit(At({}));
  EXPECT_THAT(decision.rejected, ElementsAre(2));
  EXPECT_THAT(decision.granted, ElementsAre(1)) << "and nothing is left for another";
}

TEST(LimitGroup, AWaiterStaysWhoseGuessALimitShrinksBelow) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 600);
  group.Enqueue(At({}), 2, Need(500, /*not_sure=*/100));
  group.Enqueue(At({}), 3, Need(500, /*not_sure=*/99));
  group.OnHeaders(At({}), 1, TokenHeaders(400, 0));
  EXPECT_THAT(group.Admit(At({})).rejected, ElementsAre(3));
  EXPECT_THAT(group.Admit(At(seconds(120))).granted, ElementsAre(2));
}

TEST(LimitGroup, WhatTheProviderSaysOfASizeIsNoGuess) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  group.Enqueue(At({}), 1, Need(1000, /*not_sure=*/900));
  ASSERT_THAT(group.Admit(At({})).granted, ElementsAre(1));
  ServerHint hint;
  hint.dimension = Dimension::kTokens;
  hint.limit = 600;
  hint.requested = 601;
  group.Refuse(At({}), 1, hint);
  EXPECT_THAT(group.Admit(At({})).rejected, ElementsAre(1));
}

TEST(LimitGroup, TheTightestTokenLimitSaysWhatIsLargest) {
  const LimitGroup group = LearntGroup({TokensPerMinute(600), {Dimension::kTokens, WindowKind::kFixed, 500, kDay}});
  EXPECT_EQ(group.LargestAdmissible(), 500);
  EXPECT_EQ(LearntGroup({RequestsPerMinute(3)}).LargestAdmissible(), 0);
}

TEST(LimitGroup, WaitsForEveryDimension) {
  LimitGroup group = LearntGroup({TokensPerMinute(600), RequestsPerMinute(2)});
  Ask(group, At({}), 1, 1);
  Ask(group, At({}), 2, 1);
  EXPECT_THAT(Ask(group, At({}), 3, 1).granted, IsEmpty());
  const WaitEstimate told = group.Forecast(At({}))[0].second;
  EXPECT_EQ(told.dimension, Dimension::kRequests);
  EXPECT_EQ(told.limit, 2);
  EXPECT_EQ(told.used, 2);
  EXPECT_EQ(told.requested, 1);
  EXPECT_EQ(told.wait, seconds(30));
  EXPECT_THAT(group.Admit(At(seconds(30) - nanoseconds(1))).granted, IsEmpty());
  EXPECT_THAT(group.Admit(At(seconds(30))).granted, ElementsAre(3));
}

TEST(LimitGroup, KeepsNoMoreUnderWayThanAllowed) {
  LimitGroup group = LearntGroup({}, 2);
  for (LimitGroup::RequestId id = 1; id <= 4; ++id) group.Enqueue(At({}), id, 10);
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(1, 2));
  EXPECT_EQ(group.NextAdmission(At({})), std::nullopt) << "no time alone makes room";
  EXPECT_EQ(Remaining(group, At({}), Dimension::kConcurrency), 0);
  group.Settle(At(seconds(1)), 2, Settlement::kCharged);
  EXPECT_THAT(group.Admit(At(seconds(1))).granted, ElementsAre(3));
  group.Requeue(At(seconds(2)), 1, Settlement::kCharged);
  EXPECT_THAT(group.Admit(At(seconds(2))).granted, ElementsAre(1)) << "it came before 4";
}

TEST(LimitGroup, LetsTheNextGoAtOnceWhenTheHeadLeaves) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 500);
  Ask(group, At({}), 2, 600);
  EXPECT_THAT(Ask(group, At({}), 3, 100).granted, IsEmpty());
  EXPECT_TRUE(group.Leave(2));
  EXPECT_FALSE(group.Leave(2));
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(3));
  EXPECT_FALSE(group.Leave(3)) << "it does not wait any more";
}

TEST(LimitGroup, TokensAreConservedHoweverARequestEnds) {
  LimitGroup group = LearntGroup({TokensPerMinute(600), RequestsPerMinute(10)});
  const auto expect = [&](int64_t tokens, int64_t requests) {
    EXPECT_EQ(Remaining(group, At({})), tokens);
    EXPECT_EQ(Remaining(group, At({}), Dimension::kRequests), requests);
  };
  Ask(group, At({}), 1, 100);
  expect(500, 9);
  group.Settle(At({}), 1, Settlement::kCharged);
  expect(500, 9);
  Ask(group, At({}), 2, 50);
  group.Settle(At({}), 2, Settlement::kNotSent);
  expect(500, 9);
  Ask(group, At({}), 3, 200);
  group.Requeue(At({}), 3, Settlement::kNotSent);
  expect(500, 9);
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(3));
  expect(300, 8);
  group.Requeue(At({}), 3, Settlement::kCharged);
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(3));
  expect(100, 7);
  group.Refuse(At({}), 3, {});
  expect(300, 8);
  EXPECT_TRUE(group.Leave(3));
  // What has ended is nobody's: nothing is returned twice.
  group.Settle(At({}), 3, Settlement::kNotSent);
  group.Requeue(At({}), 2, Settlement::kNotSent);
  group.Refuse(At({}), 1, {});
  expect(300, 8);
  EXPECT_EQ(group.queued() + group.in_flight(), 0u);
}

// The tokens came back by refill already: a bucket that was full in between would be given them twice.
TEST(LimitGroup, ReturnsNoTokensThatRefillHasReplaced) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 400);
  ASSERT_THAT(Ask(group, At(kMinute), 2, 500).granted, ElementsAre(2));
  EXPECT_EQ(Remaining(group, At(kMinute)), 100);
  group.Settle(At(kMinute), 1, Settlement::kNotSent);
  EXPECT_EQ(Remaining(group, At(kMinute)), 100);
}

TEST(LimitGroup, ReturnsThePartThatRefillHasNotReplaced) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 400);
  Ask(group, At(seconds(30)), 2, 100);  // 500 before, 400 after
  group.Settle(At(seconds(30)), 1, Settlement::kNotSent);
  EXPECT_EQ(Remaining(group, At(seconds(30))), 500) << "as if 1 had never been: full, less 100";
}

TEST(LimitGroup, WaitersThatReturnTogetherKeepTheirOrder) {
  LimitGroup group = LearntGroup({});
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) Ask(group, At({}), id, 1);
  ServerHint hint;
  hint.retry_after = seconds(1);
  group.Enqueue(At({}), 4, 1);
  for (const LimitGroup::RequestId id : {2, 1, 3}) group.Refuse(At({}), id, hint);
  EXPECT_THAT(group.Admit(At(seconds(1))).granted, ElementsAre(1, 2, 3, 4));
}

TEST(LimitGroup, KnowsWhomItHolds) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 600);
  Ask(group, At({}), 2, 1);
  EXPECT_TRUE(group.Contains(1));
  EXPECT_TRUE(group.Contains(2));
  EXPECT_FALSE(group.Contains(3));
  EXPECT_EQ(group.in_flight(), 1u);
  EXPECT_EQ(group.queued(), 1u);
}

}  // namespace
}  // namespace holdfast::quota
