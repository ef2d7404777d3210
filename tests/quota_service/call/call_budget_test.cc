#include <gmock/gmock.h>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

class CallBudget : public CallTest {
 protected:
  static constexpr int64_t kBudget = 5000;

  // Noon, with a budget of the tenant "team".
  static void Prepare(CallRig& rig) {
    rig.loop.JumpWall(WallTime(std::chrono::days(20'000)) + hours(12) - rig.loop.WallNow());
    rig.SetBudgets({.limits = {{"team", {.tokens = kBudget}}}});
  }
  static TestCall::Ask Ask(int64_t charge, Duration max_wait = minutes(15), const std::string& id = "call-1") {
    return {.call_id = id, .tenant = "team", .charge = charge, .max_wait = max_wait};
  }
  static BudgetStanding Standing(CallRig& rig) { return rig.budgets->Standings().at(0); }
  static void SpendAll(CallRig& rig) { rig.budgets->Enter({"team", "", 0, 0}, nullptr)->Spend(kBudget); }
};
HOLDFAST_FOR_EVERY_WIRE(CallBudget);

TEST_P(CallBudget, WhatACallUsedIsSpentAndTheRestOfItsEstimateComesBack) {
  CallRig rig;
  Prepare(rig);
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), Ask(4000));
  test.Start();
  EXPECT_EQ(Standing(rig).reserved, 4000);
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(Standing(rig).reserved, 0);
  const auto usage = test.spy->outcomes[0].usage;
  EXPECT_EQ(Standing(rig).spent, usage ? usage->input + usage->output : 4000);
}

TEST_P(CallBudget, FailsAtOnceNamingTheBudgetWhereTheResetIsFurtherThanMaxWait) {
  CallRig rig;
  Prepare(rig);
  SpendAll(rig);
  TestCall test(rig, GetParam(), Ask(100, hours(12) - seconds(1)));
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kBudgetGone);
  EXPECT_EQ(test.failure().budget, "tenant:team");
  EXPECT_EQ(test.failure().retry_after, hours(12));
  EXPECT_EQ(test.failure().wait->limit, kBudget);
  EXPECT_THAT(test.failure().message, testing::AllOf(HasSubstr("tenant team"), HasSubstr("5000"), HasSubstr("12h")));
  EXPECT_THAT(test.spy->waits, SizeIs(0));
  EXPECT_THAT(rig.upstream.seen(), SizeIs(0));
}

TEST_P(CallBudget, WaitsForTheResetWhereThatFitsMaxWait) {
  CallRig rig;
  Prepare(rig);
  SpendAll(rig);
  rig.upstream.Push(Good());
  TestCall test(rig, GetParam(), Ask(100, hours(13)));
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_THAT(test.spy->waits, SizeIs(1));
  const WaitNotice& notice = test.spy->waits[0];
  EXPECT_EQ(notice.reason, WaitNotice::Reason::kBudget);
  EXPECT_EQ(notice.scope, "tenant:team");
  EXPECT_EQ(notice.estimate.wait, hours(12));
  EXPECT_EQ(notice.estimate.position, 1);
  EXPECT_TRUE(test.call->waiting());
  rig.loop.Advance(hours(12));
  EXPECT_TRUE(test.completed());
  EXPECT_EQ(test.spy->outcomes[0].waited, hours(12)) << "and counts as waited";
}

TEST_P(CallBudget, ATenantWhoseBudgetIsGoneBlocksNobodyElse) {
  CallRig rig;
  Prepare(rig);
  SpendAll(rig);
  rig.upstream.Push(Good());
  TestCall waiting(rig, GetParam(), Ask(100, hours(24)));
  waiting.Start();
  TestCall other(rig, GetParam(), {.call_id = "call-2", .tenant = "other"});
  other.Start();
  rig.loop.Advance(seconds(0));
  EXPECT_TRUE(other.completed());
  EXPECT_FALSE(waiting.finished());
  EXPECT_EQ(rig.State().queued, 0u) << "it is not in the ledger's queue";
}

TEST_P(CallBudget, WhatIsLargerThanADayNeverFits) {
  CallRig rig;
  Prepare(rig);
  TestCall test(rig, GetParam(), Ask(kBudget + 1, hours(24)));
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kNeverFits);
  EXPECT_EQ(test.failure().largest, kBudget);
  EXPECT_EQ(test.failure().budget, "tenant:team");
}

TEST_P(CallBudget, WaitsAtMostMaxWaitForWhatOthersHaveReserved) {
  CallRig rig;
  Prepare(rig);
  rig.upstream.Push(Script::Stream().Body(stream().Started()).After(seconds(59)).Body(stream().Finish("")));
  TestCall running(rig, GetParam(), Ask(kBudget));
  running.Start();
  rig.loop.Advance(seconds(0));
  TestCall impatient(rig, GetParam(), Ask(100, seconds(10), "call-2"));
  impatient.Start();
  TestCall patient(rig, GetParam(), Ask(100, minutes(5), "call-3"));
  rig.upstream.Push(Good());
  patient.Start();
  rig.loop.Advance(seconds(9));
  EXPECT_FALSE(impatient.finished());
  rig.loop.Advance(seconds(1));
  ASSERT_TRUE(impatient.finished());
  EXPECT_EQ(impatient.failure().kind, CallFailure::Kind::kBudgetGone);
  // The raw wire tells no usage: what it may have come to is spent, and nothing is left before the reset.
  if (!restarts()) return;
  rig.loop.Advance(seconds(60));
  EXPECT_TRUE(patient.completed());
}

TEST_P(CallBudget, NoPatienceAtAllIsAnsweredAtOnce) {
  CallRig rig;
  Prepare(rig);
  SpendAll(rig);
  TestCall test(rig, GetParam(), Ask(100, Duration::zero()));
  test.Start();
  rig.loop.Advance(seconds(0));
  ASSERT_TRUE(test.finished());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kBudgetGone);
}

TEST_P(CallBudget, AnAnswerThatIsGivenUpBeforeItsEndCountsAsItsEstimate) {
  CallRig rig;
  Prepare(rig);
  rig.upstream.Push(Script::Stream().Body(stream().Started()).After(hours(1)).Body(stream().Finish("hello")));
  TestCall test(rig, GetParam(), Ask(1234));
  test.Start();
  rig.loop.Advance(seconds(1));
  test.call->Cancel("enough");
  EXPECT_EQ(Standing(rig).spent, 1234);
  EXPECT_EQ(Standing(rig).reserved, 0);
}

TEST_P(CallBudget, ACallThatIsCancelledBeforeItWasSentCostsNothing) {
  CallRig rig({.tokens_per_minute = 1000});
  Prepare(rig);
  rig.Learn(1000, 0);
  TestCall queued(rig, GetParam(), Ask(900));
  queued.Start();
  rig.loop.Advance(seconds(1));
  EXPECT_EQ(Standing(rig).reserved, 900);
  queued.call->Cancel("enough");
  EXPECT_EQ(Standing(rig).reserved, 0);
  EXPECT_EQ(Standing(rig).spent, 0);
  SpendAll(rig);
  TestCall waiting(rig, GetParam(), Ask(900, hours(24), "call-2"));
  waiting.Start();
  rig.loop.Advance(seconds(1));
  waiting.call->Cancel("enough");
  EXPECT_EQ(Standing(rig).waiting, 0u);
}

}  // namespace
}  // namespace holdfast::quota
