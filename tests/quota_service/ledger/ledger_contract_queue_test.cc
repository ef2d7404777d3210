// The contract of the queue: granted, waiting, rejected, cancelled.
#include <gmock/gmock.h>

#include <deque>

#include "tests/quota_service/ledger/ledger_contract.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::SizeIs;
using Reason = WaitEstimate::Reason;

// A limit of a day, so that a test can take its time: 600 stay 600.
LimitSpec TokensPerDay(int64_t count) {
  return {Dimension::kTokens, WindowKind::kFixed, count, std::chrono::hours(24)};
}
LimitSpec TokensPerMinute(int64_t count) {
  return {Dimension::kTokens, WindowKind::kContinuous, count, std::chrono::minutes(1)};
}

TEST_P(LedgerContract, GrantsWhatFits) {
  Open({TokensPerDay(600)});
  RecordingClient client = Client();
  Enqueue(client, 600);
  EXPECT_TRUE(client.heard_nothing());
  Answer();
  EXPECT_THAT(client.granted, SizeIs(1));
  EXPECT_THAT(client.waiting, SizeIs(0));
}

TEST_P(LedgerContract, TellsAWaiterAtOnceAndGrantsWhenItWasToldAndNotBefore) {
  Open({TokensPerMinute(600)});
  RecordingClient first = Client();
  RecordingClient second = Client();
  Enqueue(first, 600);
  const BootTime begin = now();
  Enqueue(second, 305);
  Answer();
  ASSERT_THAT(second.waiting, SizeIs(1));
  const WaitEstimate& told = second.waiting[0].estimate;
  EXPECT_EQ(told.reason, Reason::kLimit);
  EXPECT_EQ(told.dimension, Dimension::kTokens);
  EXPECT_EQ(told.limit, 600);
  EXPECT_EQ(told.used, 600);
  EXPECT_EQ(told.requested, 305);
  EXPECT_EQ(told.position, 1);
  EXPECT_EQ(told.wait, milliseconds(30'500));
  Advance(begin + told.wait - nanoseconds(1) - now());
  EXPECT_THAT(second.granted, SizeIs(0));
  Advance(nanoseconds(1) + latency());
  EXPECT_THAT(second.granted, SizeIs(1));
}

TEST_P(LedgerContract, GrantsInTheOrderOfArrivalAndLetsNobodyPassTheHead) {
  Open({TokensPerMinute(600)});
  RecordingClient first = Client();
  RecordingClient large = Client();
  RecordingClient small = Client();
  Enqueue(first, 300);
  Enqueue(large, 600);
  Enqueue(small, 1);
  Answer();
  EXPECT_THAT(first.granted, SizeIs(1));
  EXPECT_THAT(small.granted, SizeIs(0));
  ASSERT_THAT(small.waiting, SizeIs(1));
  EXPECT_EQ(small.waiting[0].estimate.position, 2);
  Advance(seconds(30));
  EXPECT_THAT(large.granted, SizeIs(1));
  EXPECT_THAT(small.granted, SizeIs(0));
  Advance(seconds(1));
  EXPECT_THAT(small.granted, SizeIs(1));
}

TEST_P(LedgerContract, RejectsWhatNeverFitsAndSaysWhatWould) {
  Open({TokensPerDay(600)});
  RecordingClient client = Client();
  Enqueue(client, 601);
  Answer();
  ASSERT_TRUE(client.rejected);
  EXPECT_EQ(client.rejected->status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(client.rejected->largest, 600);
  EXPECT_THAT(std::string(client.rejected->status.message()), testing::HasSubstr("600"));
  EXPECT_EQ(Groups()[0].queued, 0u);
}

TEST_P(LedgerContract, RejectsAWaiterWhenTheLimitShrinksBelowIt) {
  Open({TokensPerDay(600)});
  RecordingClient first = Client();
  RecordingClient second = Client();
  const Ledger::Ticket ticket = Enqueue(first, 600);
  Enqueue(second, 500);
  Answer();
  RateLimitHeaders headers;
  headers.tokens.limit = 400;
  Calibrate(ticket, headers);
  Answer();
  ASSERT_TRUE(second.rejected);
  EXPECT_EQ(second.rejected->largest, 400);
}

TEST_P(LedgerContract, GroupsDoNotWaitForEachOther) {
  Open({TokensPerDay(600)});
  RecordingClient a = Client();
  RecordingClient b = Client();
  Enqueue(a, 600, "a");
  Enqueue(b, 600, "b");
  Answer();
  EXPECT_THAT(a.granted, SizeIs(1));
  EXPECT_THAT(b.granted, SizeIs(1));
}

TEST_P(LedgerContract, AGroupThatNobodyConfiguredLearnsWithOneAhead) {
  Open({});
  RecordingClient first = Client();
  RecordingClient second = Client();
  const Ledger::Ticket ticket = Enqueue(first, 100, "new");
  Enqueue(second, 100, "new");
  Answer();
  EXPECT_THAT(first.granted, SizeIs(1));
  EXPECT_THAT(second.granted, SizeIs(0));
  ASSERT_THAT(second.waiting, SizeIs(1));
  EXPECT_EQ(second.waiting[0].estimate.reason, Reason::kLearning);
  RateLimitHeaders headers;
  headers.tokens = {200000, 100000, std::nullopt};
  Calibrate(ticket, headers);
  Answer();
  EXPECT_THAT(second.granted, SizeIs(1));
  EXPECT_EQ(HeadroomFor(0, "new").largest, 200000);
}

TEST_P(LedgerContract, ACancelledWaiterHearsNothingAndTheNextGoesAtOnce) {
  Open({TokensPerMinute(600)});
  RecordingClient first = Client();
  RecordingClient head = Client();
  RecordingClient next = Client();
  Enqueue(first, 500);
  const Ledger::Ticket ticket = Enqueue(head, 600);
  Enqueue(next, 100);
  Answer();
  ASSERT_THAT(head.waiting, SizeIs(1));
  Cancel(ticket);
  Answer();
  EXPECT_THAT(next.granted, SizeIs(1));
  Advance(seconds(120));
  EXPECT_THAT(head.granted, SizeIs(0));
  EXPECT_THAT(head.waiting, SizeIs(1));
}

TEST_P(LedgerContract, APlaceCancelledBeforeItsAnswerHearsNothing) {
  Open({TokensPerDay(600)});
  for (const int64_t tokens : {100, 601}) {
    RecordingClient client = Client();
    const Ledger::Ticket ticket = Enqueue(client, tokens);
    Cancel(ticket);
    Advance(seconds(10));
    EXPECT_TRUE(client.heard_nothing());
  }
  EXPECT_EQ(TokensLeft(), 600);
}

TEST_P(LedgerContract, ACancelledGrantGivesItsRoomBack) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient second = Client();
  const Ledger::Ticket ticket = Enqueue(first, 600);
  Enqueue(second, 600);
  Answer();
  ASSERT_THAT(second.granted, SizeIs(0));
  Cancel(ticket);
  Cancel(ticket);
  Answer();
  EXPECT_THAT(second.granted, SizeIs(1));
}

TEST_P(LedgerContract, MayBeCalledFromInsideACallback) {
  Open({TokensPerDay(600)});
  RecordingClient first = Client();
  RecordingClient second = Client();
  RecordingClient third = Client();
  Ledger::Ticket first_ticket = 0;
  Ledger::Ticket second_ticket = 0;
  // Both would be granted together; the first ends itself and the second, and asks anew.
  first.on_granted = [&] {
    Cancel(second_ticket);
    Settle(first_ticket, Settlement::kCharged);
    Enqueue(third, 500);
  };
  first_ticket = Enqueue(first, 100);
  second_ticket = Enqueue(second, 100);
  Answer();
  Answer();
  EXPECT_THAT(first.granted, SizeIs(1));
  EXPECT_TRUE(second.heard_nothing());
  EXPECT_THAT(third.granted, SizeIs(1));
}

TEST_P(LedgerContract, AWaiterMayLeaveWhenItIsTold) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient second = Client();
  RecordingClient third = Client();
  const Ledger::Ticket ticket = Enqueue(first, 1);
  const Ledger::Ticket second_ticket = Enqueue(second, 1);
  const Ledger::Ticket third_ticket = Enqueue(third, 1);
  second.on_waiting = [&] {
    Cancel(second_ticket);
    Cancel(third_ticket);
  };
  Answer();
  EXPECT_THAT(second.waiting, SizeIs(1));
  EXPECT_TRUE(third.heard_nothing());
  Settle(ticket, Settlement::kCharged);
  Advance(seconds(5));
  EXPECT_THAT(second.granted, SizeIs(0));
  EXPECT_THAT(third.granted, SizeIs(0));
}

TEST_P(LedgerContract, ARejectedClientMayAskAgainAtOnce) {
  Open({TokensPerDay(600)});
  RecordingClient client = Client();
  RecordingClient again = Client();
  client.on_rejected = [&] { Enqueue(again, 600); };
  Enqueue(client, 601);
  Answer();
  Answer();
  EXPECT_THAT(again.granted, SizeIs(1));
}

TEST_P(LedgerContract, TellsOfANewPositionAndNoMoreThanOnceASecond) {
  Open({TokensPerMinute(600)}, std::nullopt);
  RecordingClient first = Client();
  RecordingClient leaver = Client();
  RecordingClient another = Client();
  RecordingClient last = Client();
  Enqueue(first, 600);
  const Ledger::Ticket leaving = Enqueue(leaver, 100);
  const Ledger::Ticket leaving_too = Enqueue(another, 100);
  Enqueue(last, 600);
  Answer();
  ASSERT_THAT(last.waiting, SizeIs(1));
  EXPECT_EQ(last.waiting[0].estimate.position, 3);
  Cancel(leaving);
  Advance(milliseconds(300));
  Cancel(leaving_too);
  Advance(milliseconds(300));
  EXPECT_THAT(last.waiting, SizeIs(1)) << "the second is not over";
  Advance(seconds(2));
  ASSERT_THAT(last.waiting, SizeIs(2)) << "one word for both changes";
  EXPECT_EQ(last.waiting[1].estimate.position, 1);
  EXPECT_GE(last.waiting[1].at - last.waiting[0].at, seconds(1));
  Advance(seconds(30));
  EXPECT_THAT(last.waiting, SizeIs(2)) << "nothing has changed";
}

TEST_P(LedgerContract, TellsANewWaiterAtOnceWhileOthersWait) {
  Open({TokensPerMinute(600)});
  RecordingClient first = Client();
  RecordingClient second = Client();
  RecordingClient third = Client();
  Enqueue(first, 600);
  Enqueue(second, 600);
  Answer();
  Advance(milliseconds(100));
  const BootTime begin = now();
  Enqueue(third, 600);
  Advance(milliseconds(250) + latency());
  ASSERT_THAT(third.waiting, SizeIs(1));
  EXPECT_LE(third.waiting[0].at - begin, milliseconds(250) + latency());
}

TEST_P(LedgerContract, TurnsGoRoundByTenantAsTheirWeightsSayAndThenBySession) {
  tenants_.weights = {{"heavy", 2}};
  Open({TokensPerMinute(600)});
  RecordingClient first = Client();
  Enqueue(first, 600);
  std::deque<RecordingClient> clients;
  std::vector<std::string> order;
  // One tenant was there before the others with all it has; each request is a tenth of the limit.
  for (const auto& [tenant, session] : std::vector<std::pair<std::string, std::string>>{{"early", "1"},
                                                                                        {"early", "1"},
                                                                                        {"early", "1"},
                                                                                        {"early", "2"},
                                                                                        {"heavy", "1"},
                                                                                        {"heavy", "1"},
                                                                                        {"heavy", "2"},
                                                                                        {"heavy", "2"}}) {
    clients.push_back(Client());
    clients.back().on_granted = [&order, name = tenant + session] { order.push_back(name); };
    Enqueue(clients.back(), Demand{"a", tenant, session, 60});
  }
  Answer();
  for (int i = 0; i < 10; ++i) Advance(seconds(6));
  Answer();
  EXPECT_THAT(order,
              testing::ElementsAre("heavy1", "early1", "heavy2", "heavy1", "early2", "heavy2", "early1", "early1"));
}

TEST_P(LedgerContract, TurnsAwayATenantThatHasTooManyWaitingAndNobodyElse) {
  tenants_.most_waiting = 2;
  Open({TokensPerMinute(600)});
  RecordingClient first = Client();
  const Ledger::Ticket running = Enqueue(first, 600);
  Answer();
  RecordingClient waits_in_a = Client();
  RecordingClient waits_in_b = Client();
  Enqueue(waits_in_a, 300);
  const Ledger::Ticket leaves = Enqueue(waits_in_b, 601, "b");
  RecordingClient cancels = Client();
  Cancel(Enqueue(cancels, 1));
  RecordingClient other_tenant = Client();
  Enqueue(other_tenant, Demand{"a", "other", "session", 10});
  Answer();
  ASSERT_TRUE(waits_in_b.rejected) << "too large, so it waits no more";
  Cancel(leaves);

  RecordingClient fits_in = Client();
  Enqueue(fits_in, 1);
  RecordingClient too_many = Client();
  const Ledger::Ticket turned_away = Enqueue(too_many, 1);
  Answer();
  ASSERT_TRUE(too_many.rejected);
  EXPECT_EQ(too_many.rejected->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(too_many.rejected->status.message(), testing::HasSubstr("tenant"));
  // When the first of its own will have gone, after the small one of the other tenant.
  EXPECT_LE(too_many.rejected->retry_after, seconds(31));
  EXPECT_GE(too_many.rejected->retry_after, seconds(31) - 3 * latency());
  EXPECT_FALSE(fits_in.rejected || other_tenant.rejected || cancels.rejected);
  Cancel(turned_away);

  // One that is refused waits again, however many there are.
  ServerHint hint;
  hint.retry_after = seconds(30);
  Refuse(running, hint);
  Answer();
  EXPECT_FALSE(first.rejected);
  Advance(seconds(120));
  EXPECT_THAT(first.granted, SizeIs(2));
  EXPECT_THAT(fits_in.granted, SizeIs(1));
  RecordingClient room_again = Client();
  Enqueue(room_again, 1);
  Answer();
  EXPECT_FALSE(room_again.rejected);
}

}  // namespace
}  // namespace holdfast::quota
