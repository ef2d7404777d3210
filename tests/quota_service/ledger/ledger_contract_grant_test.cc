// The contract of grants: renewed, expired, refused, queued again, settled; and what may be asked without one.
#include <gmock/gmock.h>

#include "tests/quota_service/ledger/ledger_contract.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::SizeIs;
using Reason = WaitEstimate::Reason;

LimitSpec TokensPerDay(int64_t count) {
  return {Dimension::kTokens, WindowKind::kFixed, count, std::chrono::hours(24)};
}

ServerHint ComeBackIn(Duration wait) {
  ServerHint hint;
  hint.retry_after = wait;
  return hint;
}

TEST_P(LedgerContract, AGrantExpiresAndCountsAsCharged) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient second = Client();
  Enqueue(first, 100);
  Enqueue(second, 100);
  Advance(Ledger::kGrantLifetime - seconds(1));
  EXPECT_THAT(second.granted, SizeIs(0));
  Advance(kSurelyExpired - Ledger::kGrantLifetime);
  EXPECT_THAT(second.granted, SizeIs(1));
  EXPECT_EQ(TokensLeft(), 400);
}

TEST_P(LedgerContract, AGrantThatIsRenewedLives) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient second = Client();
  const Ledger::Ticket ticket = Enqueue(first, 100);
  Enqueue(second, 100);
  for (int renewal = 0; renewal < 10; ++renewal) {
    Advance(Ledger::kGrantLifetime / 2);
    Renew(ticket);
  }
  EXPECT_THAT(second.granted, SizeIs(0));
  Advance(kSurelyExpired);
  EXPECT_THAT(second.granted, SizeIs(1));
}

// A machine that was suspended wakes up with grants that nobody could renew, and calls that fail and want another turn.
TEST_P(LedgerContract, TheTicketOfAnExpiredGrantCanWaitAgain) {
  Open({TokensPerDay(600)});
  RecordingClient refused = Client();
  RecordingClient requeued = Client();
  const Ledger::Ticket refused_ticket = Enqueue(refused, 100);
  const Ledger::Ticket requeued_ticket = Enqueue(requeued, 100);
  Advance(kSurelyExpired);
  Refuse(refused_ticket, {});
  Requeue(requeued_ticket, Settlement::kNotSent);
  Advance(seconds(5));
  EXPECT_THAT(refused.granted, SizeIs(2));
  EXPECT_THAT(requeued.granted, SizeIs(2));
  Settle(refused_ticket, Settlement::kCharged);
  Cancel(requeued_ticket);
  Answer();
  EXPECT_EQ(Groups()[0].in_flight, 0u);
  EXPECT_EQ(TokensLeft(), 300) << "twice on expiry, once more by the settlement";
}

TEST_P(LedgerContract, TheTicketOfAnExpiredGrantEndsWithoutEffect) {
  Open({TokensPerDay(600)});
  for (const bool cancelled : {false, true}) {
    RecordingClient client = Client();
    const Ledger::Ticket ticket = Enqueue(client, 100);
    Advance(kSurelyExpired);
    const int64_t left = TokensLeft();
    RateLimitHeaders headers;
    headers.tokens = {600, 5, std::nullopt};
    Renew(ticket);
    Calibrate(ticket, headers);
    cancelled ? Cancel(ticket) : Settle(ticket, Settlement::kNotSent);
    Requeue(ticket, Settlement::kNotSent);
    Advance(seconds(5));
    EXPECT_THAT(client.granted, SizeIs(1));
    EXPECT_EQ(TokensLeft(), left);
  }
}

TEST_P(LedgerContract, ARefusedOneWaitsAgainBeforeTheOthersAndIsGrantedAgain) {
  Open({TokensPerDay(600)});
  RecordingClient refused = Client();
  RecordingClient later = Client();
  const Ledger::Ticket ticket = Enqueue(refused, 100);
  Answer();
  Refuse(ticket, ComeBackIn(seconds(5)));
  const BootTime begin = now();
  Enqueue(later, 100);
  Answer();
  ASSERT_THAT(refused.waiting, SizeIs(1)) << "told at once";
  EXPECT_EQ(refused.waiting[0].estimate.position, 1);
  EXPECT_EQ(refused.waiting[0].estimate.reason, Reason::kPaused);
  EXPECT_EQ(refused.waiting[0].estimate.wait, seconds(5));
  ASSERT_THAT(later.waiting, SizeIs(1));
  EXPECT_EQ(later.waiting[0].estimate.reason, Reason::kPaused);
  Advance(begin + seconds(5) - nanoseconds(1) - now());
  EXPECT_THAT(refused.granted, SizeIs(1));
  Advance(nanoseconds(1) + latency());
  EXPECT_THAT(refused.granted, SizeIs(2));
  EXPECT_THAT(later.granted, SizeIs(1));
}

TEST_P(LedgerContract, ARefusalTeachesTheGroup) {
  Open({TokensPerDay(600)});
  RecordingClient client = Client();
  const Ledger::Ticket ticket = Enqueue(client, 100);
  Answer();
  Refuse(ticket, {.retry_after = std::nullopt,
                  .reset_at = std::nullopt,
                  .dimension = Dimension::kTokens,
                  .limit = 600,
                  .used = 590,
                  .requested = 100});
  Answer();
  EXPECT_EQ(TokensLeft(), 10);
  ASSERT_THAT(client.waiting, SizeIs(1));
  EXPECT_EQ(client.waiting[0].estimate.used, 590);
}

TEST_P(LedgerContract, OneThatFailedOtherwiseWaitsAgainBeforeTheOthers) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient failed = Client();
  RecordingClient later = Client();
  const Ledger::Ticket ticket = Enqueue(failed, 100);
  Enqueue(later, 100);
  Answer();
  Requeue(ticket, Settlement::kNotSent);
  Answer();
  EXPECT_THAT(failed.granted, SizeIs(2));
  EXPECT_THAT(later.granted, SizeIs(0));
  EXPECT_EQ(TokensLeft(), 500);
  Requeue(ticket, Settlement::kCharged);
  Answer();
  EXPECT_THAT(failed.granted, SizeIs(3));
  EXPECT_EQ(TokensLeft(), 400);
}

TEST_P(LedgerContract, ASettledOneMakesRoomForTheNext) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient second = Client();
  RecordingClient third = Client();
  const Ledger::Ticket first_ticket = Enqueue(first, 100);
  const Ledger::Ticket second_ticket = Enqueue(second, 100);
  Enqueue(third, 100);
  Answer();
  Settle(first_ticket, Settlement::kCharged);
  Answer();
  EXPECT_THAT(second.granted, SizeIs(1));
  EXPECT_EQ(TokensLeft(), 400);
  Settle(second_ticket, Settlement::kNotSent);
  Settle(second_ticket, Settlement::kNotSent);
  Answer();
  EXPECT_THAT(third.granted, SizeIs(1));
  EXPECT_EQ(TokensLeft(), 400) << "the second gave its own back, the third took as much";
}

TEST_P(LedgerContract, WhatIsNotGrantedIsNeitherRefusedNorSettled) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient waiter = Client();
  const Ledger::Ticket first_ticket = Enqueue(first, 100);
  const Ledger::Ticket ticket = Enqueue(waiter, 100);
  Answer();
  RateLimitHeaders headers;
  headers.tokens = {600, 5, std::nullopt};
  const Ledger::Ticket unknown = 987'654'321;
  for (const Ledger::Ticket other : {ticket, unknown}) {
    Renew(other);
    Calibrate(other, headers);
    Refuse(other, ComeBackIn(seconds(3600)));
    Requeue(other, Settlement::kCharged);
    Settle(other, Settlement::kNotSent);
  }
  Cancel(unknown);
  EXPECT_EQ(TokensLeft(), 500);
  EXPECT_EQ(Groups()[0].queued, 1u);
  Settle(first_ticket, Settlement::kCharged);
  Answer();
  EXPECT_THAT(waiter.granted, SizeIs(1));
}

TEST_P(LedgerContract, HeadersSetTheLevel) {
  Open({TokensPerDay(600)});
  RecordingClient client = Client();
  const Ledger::Ticket ticket = Enqueue(client, 100);
  Answer();
  RateLimitHeaders headers;
  headers.tokens = {600, 50, std::nullopt};
  Calibrate(ticket, headers);
  EXPECT_EQ(TokensLeft(), 50);
}

TEST_P(LedgerContract, HeadroomSaysWhetherItFitsAndConsumesNothing) {
  Open({TokensPerDay(600)});
  for (int again = 0; again < 3; ++again) {
    const Headroom fits = HeadroomFor(600);
    EXPECT_FALSE(fits.never_fits);
    EXPECT_EQ(fits.estimate.reason, Reason::kNone);
    EXPECT_EQ(fits.largest, 600);
    EXPECT_TRUE(fits.limits_known);
    ASSERT_THAT(fits.levels, SizeIs(1));
    EXPECT_EQ(fits.levels[0].remaining, 600);
    EXPECT_TRUE(HeadroomFor(601).never_fits);
  }
  RecordingClient client = Client();
  Enqueue(client, 500);
  Answer();
  const Headroom waits = HeadroomFor(101);
  EXPECT_EQ(waits.estimate.reason, Reason::kLimit);
  EXPECT_GT(waits.estimate.wait, Duration::zero());
  EXPECT_EQ(waits.estimate.used, 500);
  EXPECT_EQ(TokensLeft(), 100);
}

TEST_P(LedgerContract, HeadroomCountsThoseWhoWait) {
  Open({{Dimension::kTokens, WindowKind::kContinuous, 600, std::chrono::minutes(1)}});
  RecordingClient first = Client();
  RecordingClient second = Client();
  Enqueue(first, 600);
  Enqueue(second, 300);
  const Headroom headroom = HeadroomFor(300);
  EXPECT_EQ(headroom.estimate.position, 2);
  EXPECT_NEAR(ToSeconds(headroom.estimate.wait), 60, ToSeconds(latency()) + 1e-6);
}

TEST_P(LedgerContract, HeadroomOfAGroupThatNobodyUsedIsUnknown) {
  Open({TokensPerDay(600)});
  const Headroom headroom = HeadroomFor(1'000'000, "never seen");
  EXPECT_FALSE(headroom.never_fits);
  EXPECT_FALSE(headroom.limits_known);
  EXPECT_EQ(headroom.largest, 0);
  EXPECT_THAT(headroom.levels, SizeIs(0));
  for (const GroupState& group : Groups()) EXPECT_NE(group.name, "never seen") << "asking makes no group";
}

TEST_P(LedgerContract, ListsGroupsWithTheirQueues) {
  Open({TokensPerDay(600)}, 1);
  RecordingClient first = Client();
  RecordingClient second = Client();
  RecordingClient elsewhere = Client();
  Enqueue(first, 100);
  Enqueue(second, 100);
  Enqueue(elsewhere, 50, "c");
  Answer();
  const auto groups = Groups();
  ASSERT_THAT(groups, SizeIs(3));
  EXPECT_EQ(groups[0].name, "a");
  EXPECT_EQ(groups[0].in_flight, 1u);
  EXPECT_EQ(groups[0].queued, 1u);
  EXPECT_GT(Queue().wait, Duration::zero());
  ASSERT_THAT(groups[0].levels, SizeIs(2));
  EXPECT_EQ(groups[0].levels[0].remaining, 500);
  EXPECT_EQ(groups[0].levels[1].remaining, 0);
  EXPECT_EQ(groups[1].name, "b");
  EXPECT_EQ(groups[1].in_flight + groups[1].queued, 0u);
  EXPECT_EQ(groups[2].name, "c");
  EXPECT_EQ(groups[2].in_flight, 1u);
}

}  // namespace
}  // namespace holdfast::quota
