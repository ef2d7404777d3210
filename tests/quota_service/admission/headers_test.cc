// What the headers of answers do to the levels.
#include <gmock/gmock.h>

#include "quota_service/admission/limit_group.h"
#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class Headers : public testing::Test {
 protected:
  // A request of `tokens` that goes at once, and what its headers say of tokens at the same moment.
  void Told(int64_t tokens, std::optional<int64_t> limit, std::optional<int64_t> remaining, BootTime now = At({})) {
    const LimitGroup::RequestId id = ++last_;
    ASSERT_THAT(Ask(group_, now, id, tokens).granted, ElementsAre(id));
    group_.OnHeaders(now, id, TokenHeaders(limit, remaining));
    group_.Settle(now, id, Settlement::kCharged);
  }
  int64_t left(BootTime now = At({})) { return Remaining(group_, now).value_or(-1); }

  LimitGroup group_ = LearntGroup({TokensPerMinute(600)});
  LimitGroup::RequestId last_ = 0;
};

TEST_F(Headers, ShowWhatSomebodyElseUsedAtOnce) {
  Told(100, 600, 300);
  EXPECT_EQ(left(), 300);
}

TEST_F(Headers, ThatAgreeChangeNothing) {
  Told(100, 600, 500);
  Told(100, 600, 400);
  EXPECT_EQ(left(), 400);
}

TEST_F(Headers, GiveRoomBackOnlyAfterThreeInARowAndHalfOfTheLeast) {
  Told(0, 600, 100);
  Told(0, 600, 400);
  Told(0, 600, 300);
  EXPECT_EQ(left(), 100);
  Told(0, 600, 500);
  EXPECT_EQ(left(), 200);
  Told(0, 600, 500);
  Told(0, 600, 500);
  EXPECT_EQ(left(), 200) << "three more, not one";
  Told(0, 600, 500);
  EXPECT_EQ(left(), 350);
}

TEST_F(Headers, ThatDisagreeInBetweenBeginTheCountAnew) {
  Told(0, 600, 100);
  Told(0, 600, 400);
  Told(0, 600, 400);
  Told(0, 600, 100);
  Told(0, 600, 400);
  Told(0, 600, 400);
  EXPECT_EQ(left(), 100);
  Told(0, 600, 50);
  Told(0, 600, 400);
  Told(0, 600, 400);
  EXPECT_EQ(left(), 50);
}

TEST_F(Headers, RelearnAfterARestartOfTheProviderWithinTenAnswers) {
  Told(0, 600, 0);
  for (int answer = 0; answer < 10; ++answer) Told(0, 600, 600);
  EXPECT_GE(left(), 500);
}

TEST_F(Headers, LowerTheLimitAtTheFirstAnswer) {
  Told(100, 400, 300);
  EXPECT_EQ(group_.LargestAdmissible(), 400);
  EXPECT_EQ(left(), 300);
  EXPECT_EQ(group_.Levels(At({}))[0].source, LimitSource::kHeaders);
}

TEST_F(Headers, RaiseTheLimitAtTheFirstAnswerAndWhatIsUsedStaysUsed) {
  Told(100, 1000, 900);
  EXPECT_EQ(group_.LargestAdmissible(), 1000);
  EXPECT_EQ(left(), 900);
}

TEST_F(Headers, ALowerLimitSlowsTheRefill) {
  Told(300, 300, 0);
  EXPECT_EQ(left(At(seconds(30))), 150);
}

TEST_F(Headers, OfNonsenseChangeNothing) {
  Told(100, 600, -1);
  Told(0, -1, -1);
  Told(0, 0, 500);
  Told(0, 600, 601);
  Told(0, 600, std::numeric_limits<int64_t>::max());
  Told(0, std::nullopt, std::nullopt);
  EXPECT_EQ(left(), 500);
  EXPECT_EQ(group_.LargestAdmissible(), 600);
}

TEST_F(Headers, OfNonsenseThatArriveAsTextChangeNothing) {
  for (const char* nonsense : {"-1", "0", "", "NaN", "1e9", "99999999999999999999", "6 00"}) {
    Told(0, 600, 500);
    const HttpHeaders headers = {{"x-ratelimit-limit-tokens", nonsense},
                                 {"x-ratelimit-remaining-tokens", nonsense},
                                 {"x-ratelimit-reset-tokens", nonsense}};
    ASSERT_THAT(Ask(group_, At({}), 99, 0).granted, ElementsAre(99));
    group_.OnHeaders(At({}), 99, ParseRateLimitHeaders(headers, {}));
    group_.Settle(At({}), 99, Settlement::kCharged);
    EXPECT_EQ(left(), 500) << nonsense;
    EXPECT_EQ(group_.LargestAdmissible(), 600) << nonsense;
  }
}

TEST_F(Headers, CountOnceAndOnlyForWhatIsUnderWay) {
  Ask(group_, At({}), 1, 100);
  group_.OnHeaders(At({}), 1, TokenHeaders(600, 450));
  group_.OnHeaders(At({}), 1, TokenHeaders(600, 50));
  group_.OnHeaders(At({}), 7, TokenHeaders(600, 50));
  group_.Settle(At({}), 1, Settlement::kCharged);
  group_.OnHeaders(At({}), 1, TokenHeaders(600, 50));
  EXPECT_EQ(left(), 450);
}

TEST_F(Headers, OfOneRequestDoNotGiveBackWhatAnotherHasTaken) {
  for (LimitGroup::RequestId id = 1; id <= 4; ++id) group_.Enqueue(At({}), id, 100);
  ASSERT_THAT(group_.Admit(At({})).granted, ElementsAre(1, 2, 3, 4));
  for (LimitGroup::RequestId id = 1; id <= 4; ++id) {
    group_.OnHeaders(At({}), id, TokenHeaders(600, 600 - 100 * static_cast<int64_t>(id)));
    EXPECT_EQ(left(), 200) << id;
  }
}

TEST_F(Headers, ThatComeInAnotherOrderChangeNothing) {
  for (LimitGroup::RequestId id = 1; id <= 4; ++id) group_.Enqueue(At({}), id, 100);
  ASSERT_THAT(group_.Admit(At({})).granted, ElementsAre(1, 2, 3, 4));
  // The provider saw them as 4, 2, 1, 3.
  group_.OnHeaders(At({}), 3, TokenHeaders(600, 200));
  group_.OnHeaders(At({}), 1, TokenHeaders(600, 300));
  group_.OnHeaders(At({}), 4, TokenHeaders(600, 500));
  group_.OnHeaders(At({}), 2, TokenHeaders(600, 400));
  EXPECT_EQ(left(), 200);
}

TEST_F(Headers, AreNeverCorrectedForTwice) {
  group_.Enqueue(At({}), 1, 100);
  group_.Enqueue(At({}), 2, 100);
  ASSERT_THAT(group_.Admit(At({})).granted, ElementsAre(1, 2));
  // Somebody else took 150 before either arrived; both answers show it.
  group_.OnHeaders(At({}), 1, TokenHeaders(600, 350));
  group_.OnHeaders(At({}), 2, TokenHeaders(600, 250));
  EXPECT_EQ(left(), 250);
}

TEST_F(Headers, SentBeforeThatCorrectionDoNotUndoIt) {
  for (LimitGroup::RequestId id = 1; id <= 4; ++id) group_.Enqueue(At({}), id, 10);
  group_.Admit(At({}));
  group_.OnHeaders(At({}), 4, TokenHeaders(600, 60));
  // Older answers, from before somebody else came.
  group_.OnHeaders(At({}), 1, TokenHeaders(600, 590));
  group_.OnHeaders(At({}), 2, TokenHeaders(600, 580));
  EXPECT_EQ(left(), 60);
}

TEST_F(Headers, ThatTakeTimeLeaveTheMirrorBelowTheProvider) {
  // The provider sees it two seconds later, when its bucket is full still, and answers a second after that.
  Ask(group_, At({}), 1, 300);
  group_.OnHeaders(At(seconds(3)), 1, TokenHeaders(600, 300));
  EXPECT_LE(left(At(seconds(3))), 310);
  EXPECT_GE(left(At(seconds(3))), 300);
  // It lags by no more than that afterwards.
  Told(100, 600, 300, At(seconds(13)));
  EXPECT_GE(left(At(seconds(13))), 290);
}

TEST_F(Headers, OfARequestThatIsGivenBackDoNotReturnMoreThanItTook) {
  group_.Enqueue(At({}), 1, 100);
  group_.Enqueue(At({}), 2, 100);
  group_.Admit(At({}));
  group_.Settle(At({}), 1, Settlement::kNotSent);
  group_.OnHeaders(At({}), 2, TokenHeaders(600, 500));
  EXPECT_EQ(left(), 500);
}

// `remaining` is a whole number: what is left of a request is cut off, never more.
TEST(HeadersOfRequests, CostLessThanOneUnit) {
  LimitGroup group = LearntGroup({RequestsPerMinute(3)});
  Ask(group, At({}), 1, 1);
  group.OnHeaders(At({}), 1, RequestHeaders(3, 2));
  Ask(group, At(seconds(10)), 2, 1);  // 2.5 before, 1.5 after
  group.OnHeaders(At(seconds(10)), 2, RequestHeaders(3, 1));
  ASSERT_THAT(Ask(group, At(seconds(10)), 3, 1).granted, ElementsAre(3));
  group.OnHeaders(At(seconds(10)), 3, RequestHeaders(3, 0));
  EXPECT_THAT(Ask(group, At(seconds(20) - std::chrono::nanoseconds(1)), 4, 1).granted, IsEmpty());
  EXPECT_THAT(group.Admit(At(seconds(30))).granted, ElementsAre(4));
}

TEST(HeadersOfWindows, KnowThatAWindowDoesNotRefillEvenly) {
  for (const WindowKind kind : {WindowKind::kSliding, WindowKind::kFixed}) {
    LimitGroup group = LearntGroup({TokensPerMinute(600, kind)});
    Ask(group, At({}), 1, 400);
    group.OnHeaders(At(seconds(20)), 1, TokenHeaders(600, 200));
    EXPECT_EQ(Remaining(group, At(seconds(20))), 200);
    EXPECT_EQ(Remaining(group, At(kMinute)), 600) << "nothing but the request was ever charged";
  }
}

}  // namespace
}  // namespace holdfast::quota
