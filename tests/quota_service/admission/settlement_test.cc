// What a request is charged, what is kept for it beyond that, and what comes back in the end.
#include <gmock/gmock.h>

#include "quota_service/admission/limit_group.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

LimitGroup::Decision Ask(LimitGroup& group, LimitGroup::RequestId id, const Need& need) {
  group.Enqueue(At({}), id, need);
  return group.Admit(At({}));
}

TEST(Settlement, WithoutWordOfWhatWasUsedTheChargeStays) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000)});
  Ask(group, 1, 600);
  group.Settle(At({}), 1, Settlement::kCharged);
  EXPECT_EQ(Remaining(group, At({})), 400);
}

TEST(Settlement, WhereTheGateSettlesTheChargeBecomesWhatWasUsed) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000)});
  Ask(group, 1, 600);
  Ask(group, 2, 100);
  group.Settle(At({}), 1, Settlement::kCharged, Tokens{250, 200, 50});
  EXPECT_EQ(Remaining(group, At({})), 650);
  group.Settle(At({}), 2, Settlement::kCharged, Tokens{300, 200, 100});
  EXPECT_EQ(Remaining(group, At({})), 450) << "more than was charged is taken in the end";
}

TEST(Settlement, KeepsRoomForWhatMayStillComeAndFreesItInTheEnd) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000)});
  // Charged 500 and perhaps 540 in the end; then 460 are free for somebody else.
  EXPECT_THAT(Ask(group, 1, Need({500, 500, 0}, {540, 500, 40})).granted, ElementsAre(1));
  EXPECT_THAT(Ask(group, 2, 480).granted, IsEmpty());
  EXPECT_EQ(group.NextAdmission(At({})), At(FromSeconds(20.0 * 60 / 1000)));
  group.Settle(At({}), 1, Settlement::kCharged, Tokens{500, 500, 0});
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(2));
}

TEST(Settlement, ABadEstimateKeepsAtMostATwentiethOfTheLimit) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000)});
  EXPECT_THAT(Ask(group, 1, Need({500, 500, 0}, {1'000'000, 1'000'000, 0})).granted, ElementsAre(1));
  EXPECT_THAT(Ask(group, 2, 450).granted, ElementsAre(2));
}

TEST(Settlement, ARequestOfTheWholeLimitGoesWhateverItMayComeTo) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000)});
  EXPECT_THAT(Ask(group, 1, Need({1000, 1000, 0}, {5000, 5000, 0})).granted, ElementsAre(1));
}

TEST(Settlement, InputAndOutputHaveLimitsOfTheirOwn) {
  LimitGroup group = LearntGroup({{Dimension::kInputTokens, WindowKind::kContinuous, 1000, kMinute},
                                  {Dimension::kOutputTokens, WindowKind::kContinuous, 100, kMinute}});
  // Output is charged as it comes: nothing on arrival, and room is kept for it.
  const Need need({400, 400, 0}, {500, 400, 5});
  EXPECT_THAT(Ask(group, 1, need).granted, ElementsAre(1));
  EXPECT_EQ(Remaining(group, At({}), Dimension::kInputTokens), 600);
  EXPECT_EQ(Remaining(group, At({}), Dimension::kOutputTokens), 100);
  group.Settle(At({}), 1, Settlement::kCharged, Tokens{550, 400, 150});
  EXPECT_EQ(Remaining(group, At({}), Dimension::kOutputTokens), -50);
  EXPECT_THAT(Ask(group, 2, need).granted, IsEmpty());
  const WaitEstimate told = group.Forecast(At({}))[0].second;
  EXPECT_EQ(told.dimension, Dimension::kOutputTokens);
  EXPECT_EQ(group.LargestAdmissible(), 1000);
  EXPECT_THAT(group.WhyNever(Need({2000, 2000, 0}, {})),
              "its 2000 input tokens are more than the limit of upstream/family, 1000 per 1m00s: at most 1000 fit");
}

TEST(Settlement, AFlowIsChargedForWhatItUsed) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000)});
  const Flow cheap{"tenant", "cheap"};
  const Flow dear{"tenant", "dear"};
  group.Enqueue(At({}), 1, 400, cheap);
  group.Enqueue(At({}), 2, 400, dear);
  ASSERT_THAT(group.Admit(At({})).granted, ElementsAre(1, 2));
  group.Settle(At({}), 1, Settlement::kCharged, Tokens{10, 10, 0});
  group.Settle(At({}), 2, Settlement::kCharged, Tokens{400, 400, 0});
  for (LimitGroup::RequestId id = 10; id < 20; id += 2) {
    group.Enqueue(At({}), id, 150, dear);
    group.Enqueue(At({}), id + 1, 150, cheap);
  }
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(11, 13, 15)) << "until the cheap one has had as much";
}

TEST(Pacing, RequestsPerMinuteAreHeldToSecondsAtTheFullRate) {
  LimitSpec spec = RequestsPerMinute(600);
  spec.span = seconds(1);
  LimitGroup group = LearntGroup({spec});
  for (LimitGroup::RequestId id = 1; id <= 300; ++id) group.Enqueue(At({}), id, 1);
  EXPECT_EQ(group.Admit(At({})).granted.size(), 5u) << "half a second's worth at once";
  size_t granted = 5;
  BootTime now = At({});
  while (const auto next = group.NextAdmission(now)) {
    now = *next;
    granted += group.Admit(now).granted.size();
    const double sent_by_now = 5 + 10 * ToSeconds(now - At({}));
    ASSERT_LE(static_cast<double>(granted), sent_by_now + 1e-6);
  }
  EXPECT_EQ(granted, 300u);
  EXPECT_NEAR(ToSeconds(now - At({})), 29.5, 0.01) << "at the full rate";
  EXPECT_EQ(group.Levels(now).size(), 1u) << "it is no limit of its own";
}

TEST(Pacing, FollowsTheLimitThatItIsOf) {
  LimitSpec spec = RequestsPerMinute(60);
  spec.span = seconds(1);
  LimitGroup group = LearntGroup({spec});
  Ask(group, 1, 1);
  group.OnHeaders(At({}), 1, RequestHeaders(6000, 5999));
  for (LimitGroup::RequestId id = 2; id <= 300; ++id) group.Enqueue(At({}), id, 1);
  EXPECT_GE(group.Admit(At(seconds(1))).granted.size(), 50u);
}

TEST(FixedWindows, WhatStillFitsGoesBeforeAHeadThatMustWaitForTheNextWindow) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000, WindowKind::kFixed)});
  ASSERT_THAT(Ask(group, 1, 700).granted, ElementsAre(1));
  ASSERT_THAT(Ask(group, 2, 600).granted, IsEmpty());
  group.Enqueue(At({}), 3, 200, {"t", "c"});
  group.Enqueue(At({}), 4, 200, {"t", "d"});
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(3)) << "what is left is lost with the window";
  EXPECT_EQ(group.NextAdmission(At({})), At(kMinute));
  EXPECT_THAT(group.Admit(At(kMinute)).granted, ElementsAre(2, 4));
}

TEST(FixedWindows, BackfillNeverTakesARequestThatTheHeadWillNeed) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000, WindowKind::kFixed), RequestsPerMinute(2)});
  ASSERT_THAT(Ask(group, 1, 700).granted, ElementsAre(1));
  ASSERT_THAT(Ask(group, 2, 600).granted, IsEmpty());
  group.Enqueue(At({}), 3, 200, {"t", "c"});
  EXPECT_THAT(group.Admit(At({})).granted, IsEmpty());
}

TEST(FixedWindows, BackfillTakesNothingOfALongerWindowThatTheHeadWillNeed) {
  LimitGroup group =
      LearntGroup({TokensPerMinute(1000, WindowKind::kFixed),
                   {.dimension = Dimension::kTokens, .kind = WindowKind::kFixed, .count = 1350, .per = kDay}});
  ASSERT_THAT(Ask(group, 1, 700).granted, ElementsAre(1));
  ASSERT_THAT(Ask(group, 2, 600).granted, IsEmpty());
  group.Enqueue(At({}), 3, 100, {"t", "c"});
  EXPECT_THAT(group.Admit(At({})).granted, IsEmpty()) << "650 are left of the day, and 600 are the head's";
  group.Enqueue(At({}), 4, 40, {"t", "d"});
  EXPECT_THAT(group.Admit(At({})).granted, ElementsAre(4));
  EXPECT_THAT(group.Admit(At(kMinute)).granted, ElementsAre(2));
}

TEST(FixedWindows, NothingIsSentInTheLastMoments) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000, WindowKind::kFixed)});
  Ask(group, 1, 100);
  group.Enqueue(At(seconds(59) + std::chrono::milliseconds(950)), 2, 100);
  EXPECT_THAT(group.Admit(At(seconds(59) + std::chrono::milliseconds(950))).granted, IsEmpty());
  EXPECT_THAT(group.Admit(At(seconds(60))).granted, ElementsAre(2));
}

TEST(FixedWindows, EndWhenTheProviderSays) {
  LimitGroup group = LearntGroup({TokensPerMinute(1000, WindowKind::kFixed)});
  Ask(group, 1, 900);
  group.OnHeaders(At({}), 1, TokenHeaders(1000, 100, seconds(12)));
  group.Enqueue(At({}), 2, 600);
  group.Admit(At({}));
  EXPECT_EQ(group.NextAdmission(At({})), At(seconds(12)));
}

}  // namespace
}  // namespace holdfast::quota
