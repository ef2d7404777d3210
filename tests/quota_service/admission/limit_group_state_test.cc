#include "quota_service/admission/limit_group_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::SizeIs;

// A group of these limits as a new process has it: `state`, kept `age` ago.
LimitGroup Restored(std::vector<LimitSpec> limits, const LimitGroupState& state, Duration age,
                    std::optional<int64_t> concurrent = std::nullopt) {
  LimitGroup group({"upstream/family", std::move(limits), concurrent});
  group.Restore(At({}), state, age);
  return group;
}

// What a group knows that has learnt 600 tokens a minute from headers, and has none of them left.
LimitGroupState Spent() {
  LimitGroup group({"upstream/family", {}, std::nullopt});
  Ask(group, At({}), 1, 600);
  group.OnHeaders(At({}), 1, TokenHeaders(600, 0, kMinute));
  group.Settle(At({}), 1, Settlement::kCharged);
  return group.Export(At({}));
}

TEST(LimitGroupState, WhatWasLearntNeedNotBeLearntAgain) {
  LimitGroup group = Restored({}, Spent(), Duration::zero());
  EXPECT_TRUE(group.limits_known());
  EXPECT_EQ(group.LargestAdmissible(), 600);
  ASSERT_THAT(group.Levels(At({})), SizeIs(1));
  EXPECT_EQ(group.Levels(At({}))[0].source, LimitSource::kHeaders);
  EXPECT_EQ(group.Levels(At({}))[0].per, kMinute);
  EXPECT_EQ(Remaining(group, At({})), 0);
  EXPECT_EQ(Remaining(group, At(seconds(30))), 300);
}

TEST(LimitGroupState, ALevelIsAgedByTheTimeThatPassed) {
  EXPECT_EQ(Remaining(Restored({}, Spent(), seconds(15)), At({})), 150);
  EXPECT_EQ(Remaining(Restored({}, Spent(), hours(3)), At({})), 600);
}

TEST(LimitGroupState, AClockThatWentBackwardsAgesNothing) {
  EXPECT_EQ(Remaining(Restored({}, Spent(), -hours(3)), At({})), 0);
}

TEST(LimitGroupState, AnAgeLongerThanTheMachineRunsIsNoTrouble) {
  const LimitGroup group = Restored({}, Spent(), hours(24 * 365 * 290));
  EXPECT_EQ(Remaining(group, At({})), 600);
  EXPECT_FALSE(group.limits_known());
}

TEST(LimitGroupState, WhatIsOwedIsOwedAfterwards) {
  LimitGroupState state = Spent();
  state.limits[0].level = -300;
  EXPECT_EQ(Remaining(Restored({}, state, Duration::zero()), At({})), -300);
  EXPECT_EQ(Remaining(Restored({}, state, kMinute), At({})), 300);
}

TEST(LimitGroupState, WindowsAreWholeWhenTheyHavePassedSince) {
  for (const WindowKind kind : {WindowKind::kSliding, WindowKind::kFixed}) {
    LimitGroup before = LearntGroup({TokensPerMinute(600, kind)});
    Ask(before, At({}), 1, 500);
    const LimitGroupState state = before.Export(At(seconds(20)));
    EXPECT_EQ(Remaining(Restored({TokensPerMinute(600, kind)}, state, seconds(59)), At({})), 100);
    EXPECT_EQ(Remaining(Restored({TokensPerMinute(600, kind)}, state, seconds(60)), At({})), 600);
    EXPECT_EQ(Remaining(Restored({TokensPerMinute(600, kind)}, state, hours(5)), At({})), 600);
  }
}

TEST(LimitGroupState, AConfiguredLimitKeepsTheSizeThatTheConfigurationSaysNow) {
  LimitGroup before = LearntGroup({TokensPerMinute(600)});
  Ask(before, At({}), 1, 500);
  const LimitGroupState state = before.Export(At({}));
  const LimitGroup larger = Restored({TokensPerMinute(1000)}, state, Duration::zero());
  EXPECT_EQ(larger.LargestAdmissible(), 1000);
  EXPECT_EQ(Remaining(larger, At({})), 500);
  EXPECT_THAT(Restored({}, state, Duration::zero()).Levels(At({})), SizeIs(0)) << "it is configured no more";
}

TEST(LimitGroupState, AConfiguredLimitThatAnswersCorrectedStaysCorrected) {
  const LimitGroup group = Restored({TokensPerMinute(1000)}, Spent(), Duration::zero());
  ASSERT_THAT(group.Levels(At({})), SizeIs(1));
  EXPECT_EQ(group.LargestAdmissible(), 600);
  EXPECT_EQ(group.Levels(At({}))[0].source, LimitSource::kHeaders);
}

TEST(LimitGroupState, KnowledgeOfAnotherDayDoesNotSpareTheFirstCall) {
  const LimitGroup group = Restored({}, Spent(), hours(25));
  EXPECT_FALSE(group.limits_known());
  EXPECT_EQ(group.LargestAdmissible(), 600) << "but what was learnt is a good guess";
}

TEST(LimitGroupState, AGroupThatHadNoAnswerYetHasStillNone) {
  const LimitGroupState state = LimitGroup({"upstream/family", {TokensPerMinute(600)}, std::nullopt}).Export(At({}));
  EXPECT_FALSE(Restored({TokensPerMinute(600)}, state, Duration::zero()).limits_known());
}

TEST(LimitGroupState, ALearntConcurrencyIsKeptAndAConfiguredOneIsNot) {
  LimitGroupState state = Spent();
  state.concurrent = 3;
  state.concurrent_source = LimitSource::kRefusal;
  const auto concurrent = [](const LimitGroup& group) { return Remaining(group, At({}), Dimension::kConcurrency); };
  EXPECT_EQ(concurrent(Restored({}, state, Duration::zero())), 3);
  EXPECT_EQ(concurrent(Restored({}, state, Duration::zero(), 2)), 2) << "lower on purpose";
  state.concurrent_source = LimitSource::kConfigured;
  EXPECT_EQ(concurrent(Restored({}, state, Duration::zero())), std::nullopt);
}

TEST(LimitGroupState, WhatComesBackIsWhatWasExported) {
  const LimitGroupState state = Spent();
  EXPECT_EQ(Restored({}, state, Duration::zero()).Export(At({})), state);
}

TEST(LimitGroupState, AdmissionGoesOnAsIfNothingHadHappened) {
  LimitGroup group = Restored({}, Spent(), seconds(15));
  EXPECT_THAT(Ask(group, At({}), 7, 150).granted, SizeIs(1));
  EXPECT_THAT(Ask(group, At({}), 8, 100).granted, SizeIs(0));
  EXPECT_EQ(group.NextAdmission(At({})), At(seconds(10)));
}

}  // namespace
}  // namespace holdfast::quota
