// A limit that was raised, where no header tells.
#include "quota_service/admission/prober.h"

#include <gmock/gmock.h>

#include "tests/quota_service/admission/group_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Prober, AsksOnlyWhereAnswersTellNothing) {
  Prober prober;
  EXPECT_FALSE(prober.Due(At({})));
  for (int i = 0; i < 3; ++i) prober.OnAnswer(false);
  EXPECT_TRUE(prober.Due(At({})));
  prober.OnAnswer(true);
  EXPECT_FALSE(prober.Due(At({})));
  EXPECT_EQ(prober.next(), std::nullopt);
}

TEST(Prober, HasOneUnderWayAndComesBackLaterAfterEachRefusal) {
  Prober prober;
  for (int i = 0; i < 3; ++i) prober.OnAnswer(false);
  BootTime now = At({});
  for (const int pause : {2, 4, 8, 16, 30, 30}) {
    ASSERT_TRUE(prober.Due(now));
    prober.Sent(now, 7);
    EXPECT_FALSE(prober.Due(now + minutes(60)));
    EXPECT_FALSE(prober.Refused(now, 8)) << "another request";
    EXPECT_TRUE(prober.Refused(now, 7));
    EXPECT_EQ(prober.next(), now + minutes(pause));
    now += minutes(pause);
  }
  prober.Sent(now, 9);
  EXPECT_TRUE(prober.Taken(now, 9));
  EXPECT_EQ(prober.next(), now + minutes(1));
}

// A bucket that is empty, and three answers that told nothing.
LimitGroup EmptyGroup() {
  LimitGroup group = LearntGroup({TokensPerMinute(60'000)});
  for (LimitGroup::RequestId id = 1; id <= 3; ++id) {
    Ask(group, At({}), id, 20'000);
    group.OnHeaders(At({}), id, {});
  }
  return group;
}

class Probing : public testing::Test {
 protected:
  LimitGroup::Decision Wait(LimitGroup::RequestId id, int64_t tokens) {
    group_.Enqueue(now_, id, tokens);
    return group_.Admit(now_);
  }

  LimitGroup group_ = EmptyGroup();
  BootTime now_ = At({});
};

TEST_F(Probing, SendsOneEarlyAndBelievesInTwiceTheLimitWhenItIsTaken) {
  EXPECT_THAT(Wait(10, 30'000).granted, ElementsAre(10)) << "the bucket is empty";
  EXPECT_THAT(Wait(11, 30'000).granted, IsEmpty()) << "one at a time";
  group_.OnHeaders(now_, 10, {});
  group_.Settle(now_, 10, Settlement::kCharged);
  EXPECT_EQ(group_.LargestAdmissible(), 120'000);
  EXPECT_EQ(group_.Levels(now_)[0].source, LimitSource::kProbe);
  EXPECT_THAT(group_.Admit(now_).granted, ElementsAre(11));
}

TEST_F(Probing, ARefusalNamesTheLimitOrTakesTheRaiseBack) {
  for (const bool named : {true, false}) {
    LimitGroup group = EmptyGroup();
    group.Enqueue(now_, 10, 30'000);
    group.Admit(now_);
    group.Settle(now_, 10, Settlement::kCharged);
    group.Enqueue(now_, 11, 30'000);
    ASSERT_THAT(group.Admit(now_).granted, ElementsAre(11));
    ServerHint hint;
    hint.dimension = Dimension::kTokens;
    if (named) {
      hint.limit = 90'000;
      hint.used = 80'000;
    }
    group.Refuse(now_, 11, hint);
    EXPECT_EQ(group.LargestAdmissible(), named ? 90'000 : 60'000);
    EXPECT_LE(*Remaining(group, now_), named ? 10'000 : 0);
  }
}

TEST_F(Probing, ARefusedProbeWaitsAgainAndTheNextComesLater) {
  ASSERT_THAT(Wait(10, 30'000).granted, ElementsAre(10));
  ServerHint hint;
  hint.dimension = Dimension::kTokens;
  hint.limit = 60'000;
  hint.used = 60'000;
  hint.requested = 30'000;
  hint.retry_after = seconds(30);
  group_.Refuse(now_, 10, hint);
  EXPECT_THAT(group_.Admit(now_).granted, IsEmpty());
  EXPECT_EQ(group_.NextAdmission(now_), now_ + seconds(30));
  EXPECT_EQ(group_.LargestAdmissible(), 60'000);
}

TEST_F(Probing, NothingIsSentEarlyThatIsAlmostDue) {
  EXPECT_THAT(Wait(10, 5'000).granted, IsEmpty()) << "less than a tenth of the limit is missing";
  EXPECT_EQ(group_.NextAdmission(now_), now_ + seconds(5));
}

}  // namespace
}  // namespace holdfast::quota
