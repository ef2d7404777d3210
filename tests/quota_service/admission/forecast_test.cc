// What waiters are told.
#include <gmock/gmock.h>

#include "quota_service/admission/limit_group.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using Reason = WaitEstimate::Reason;

ServerHint ComeBackIn(Duration wait) {
  ServerHint hint;
  hint.retry_after = wait;
  return hint;
}

TEST(Forecast, CountsThoseAheadInWaitPositionAndUse) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 600);
  Ask(group, At({}), 2, 300);
  Ask(group, At({}), 3, 100);
  const auto forecast = group.Forecast(At({}));
  ASSERT_EQ(forecast.size(), 2u);
  EXPECT_EQ(forecast[0].first, 2u);
  EXPECT_EQ(forecast[0].second.wait, seconds(30));
  EXPECT_EQ(forecast[1].first, 3u);
  EXPECT_EQ(forecast[1].second.wait, seconds(40));
  EXPECT_EQ(forecast[1].second.position, 2);
  EXPECT_EQ(forecast[1].second.used, 900);
  EXPECT_EQ(forecast[1].second.requested, 100);
}

TEST(Forecast, IsWhatThenHappensToASoleUser) {
  for (const WindowKind kind : {WindowKind::kContinuous, WindowKind::kSliding, WindowKind::kFixed}) {
    LimitGroup group = LearntGroup({TokensPerMinute(600, kind), RequestsPerMinute(7)});
    for (LimitGroup::RequestId id = 1; id <= 30; ++id) group.Enqueue(At({}), id, static_cast<int64_t>(id * 37 % 590));
    group.Admit(At({}));
    std::map<LimitGroup::RequestId, BootTime> promised;
    for (const auto& [id, estimate] : group.Forecast(At({}))) promised[id] = At({}) + estimate.wait;
    ASSERT_GT(promised.size(), 15u);
    BootTime now = At({});
    while (group.queued() > 0) {
      const auto next = group.NextAdmission(now);
      ASSERT_TRUE(next && *next > now);
      now = *next;
      for (const auto id : group.Admit(now).granted) {
        EXPECT_LE(std::chrono::abs(promised.at(id) - now), std::chrono::microseconds(1)) << id;
      }
    }
  }
}

TEST(Forecast, ChangesNothing) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 500);
  group.Forecast(At({}));
  group.WouldWait(At({}), 600);
  EXPECT_EQ(Remaining(group, At({})), 100);
  EXPECT_EQ(group.queued(), 0u);
  EXPECT_EQ(group.in_flight(), 1u);
}

TEST(Forecast, SaysThatANewRequestWouldRunOrQueue) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  EXPECT_EQ(group.WouldWait(At({}), 600)->reason, Reason::kNone);
  Ask(group, At({}), 1, 600);
  Ask(group, At({}), 2, 300);
  const auto estimate = group.WouldWait(At({}), 60);
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->reason, Reason::kLimit);
  EXPECT_EQ(estimate->wait, seconds(36));
  EXPECT_EQ(estimate->position, 2);
}

TEST(Forecast, EveryWaiterOfAPausedGroupIsPaused) {
  for (const bool with_limit : {false, true}) {
    LimitGroup group = with_limit ? LearntGroup({TokensPerMinute(600)}) : LearntGroup({});
    for (LimitGroup::RequestId id = 1; id <= 3; ++id) Ask(group, At({}), id, 10);
    for (LimitGroup::RequestId id = 1; id <= 3; ++id) group.Refuse(At({}), id, ComeBackIn(seconds(5)));
    for (const auto& [id, estimate] : group.Forecast(At(seconds(1)))) {
      EXPECT_EQ(estimate.reason, Reason::kPaused) << id << " limit " << with_limit;
      EXPECT_EQ(estimate.wait, seconds(4)) << id << " limit " << with_limit;
    }
    EXPECT_EQ(group.WouldWait(At(seconds(1)), 10)->reason, Reason::kPaused) << "a new one does not fit now";
    EXPECT_EQ(group.WouldWait(At(seconds(5)), 10)->wait, Duration::zero());
  }
}

TEST(Forecast, ALimitThatOutlastsThePauseIsTheReason) {
  LimitGroup group = LearntGroup({TokensPerMinute(600)});
  Ask(group, At({}), 1, 300);
  Ask(group, At({}), 2, 10);
  group.Refuse(At({}), 2, ComeBackIn(seconds(5)));
  Ask(group, At({}), 3, 600);
  const auto forecast = group.Forecast(At({}));
  EXPECT_EQ(forecast[0].second.reason, Reason::kPaused);
  EXPECT_EQ(forecast[1].second.reason, Reason::kLimit);
  EXPECT_EQ(forecast[1].second.wait, seconds(31));
}

TEST(Forecast, NamesConcurrencyAndTheMeanDuration) {
  LimitGroup group = LearntGroup({}, 1);
  Ask(group, At({}), 1, 10);
  Ask(group, At({}), 2, 10);
  Ask(group, At({}), 3, 10);
  const auto forecast = group.Forecast(At(seconds(1)));
  EXPECT_EQ(forecast[0].second.reason, Reason::kLimit);
  EXPECT_EQ(forecast[0].second.dimension, Dimension::kConcurrency);
  EXPECT_EQ(forecast[0].second.limit, 1);
  EXPECT_EQ(forecast[0].second.used, 1);
  EXPECT_EQ(forecast[0].second.requested, 1);
  EXPECT_EQ(forecast[0].second.per, Duration::zero());
  EXPECT_GT(forecast[0].second.wait, Duration::zero());
  EXPECT_GT(forecast[1].second.wait, forecast[0].second.wait);
}

TEST(Forecast, AFullGroupIsNotFreeBecauseARequestTakesLong) {
  LimitGroup group = LearntGroup({}, 1);
  Ask(group, At({}), 1, 10);
  Ask(group, At({}), 2, 10);
  const BootTime late = At(std::chrono::hours(1));
  EXPECT_EQ(group.Forecast(late)[0].second.reason, Reason::kLimit);
  EXPECT_GT(group.Forecast(late)[0].second.wait, Duration::zero());
  EXPECT_NE(group.WouldWait(late, 10)->reason, Reason::kNone);
}

TEST(Forecast, SaysLearningUntilTheFirstAnswerHoweverLongItTakes) {
  LimitGroup group({"upstream/family", {TokensPerMinute(600)}, std::nullopt});
  ASSERT_THAT(Ask(group, At({}), 1, 10).granted, ElementsAre(1));
  Ask(group, At({}), 2, 10);
  Ask(group, At({}), 3, 10);
  for (const BootTime now : {At(seconds(1)), At(std::chrono::hours(1))}) {
    for (const auto& [id, estimate] : group.Forecast(now)) {
      EXPECT_EQ(estimate.reason, Reason::kLearning) << id;
      EXPECT_GT(estimate.wait, Duration::zero()) << id;
    }
    EXPECT_NE(group.WouldWait(now, 10)->reason, Reason::kNone);
  }
}

}  // namespace
}  // namespace holdfast::quota
