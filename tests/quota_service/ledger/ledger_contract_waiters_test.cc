// The contract of what others may know of the queue, and of how much of it a tenant may have.
#include <gmock/gmock.h>

#include <deque>

#include "tests/quota_service/ledger/ledger_contract.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::SizeIs;

LimitSpec TokensPerMinute(int64_t count) {
  return {Dimension::kTokens, WindowKind::kContinuous, count, std::chrono::minutes(1)};
}

TEST_P(LedgerContract, ListsWhoWaitsByPositionWithTheirForecasts) {
  Open({TokensPerMinute(600)});
  std::deque<RecordingClient> clients;
  for (const auto& [tenant, session, tokens] :
       std::vector<std::tuple<std::string, std::string, int64_t>>{{"x", "1", 600}, {"x", "2", 300}, {"y", "3", 10}}) {
    clients.push_back(Client());
    Enqueue(clients.back(), Demand{"a", tenant, session, tokens});
    Answer();
  }
  Advance(seconds(1));
  const QueueState queue = Queue();
  EXPECT_EQ(queue.visible, 2u);
  ASSERT_THAT(queue.waiters, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    const WaiterState& waiter = queue.waiters[i];
    EXPECT_EQ(waiter.estimate.position, static_cast<int>(i) + 1);
    EXPECT_LE(waiter.estimate.least, waiter.estimate.wait);
    EXPECT_GE(waiter.estimate.most, waiter.estimate.wait);
    EXPECT_GE(waiter.waited, seconds(1));
    EXPECT_LE(waiter.waited, seconds(1) + 5 * latency());
  }
  const WaiterState& of_x = queue.waiters[queue.waiters[0].tenant == "x" ? 0 : 1];
  EXPECT_EQ(of_x.session, "2");
  EXPECT_EQ(of_x.estimate.requested, 300);
  EXPECT_EQ(of_x.estimate.reason, WaitEstimate::Reason::kLimit);
}

TEST_P(LedgerContract, ATenantIsShownItsOwnAndWhereTheyStandAmongAll) {
  Open({TokensPerMinute(600)});
  std::deque<RecordingClient> clients;
  for (const char* tenant : {"x", "x", "y", "y", "y"}) {
    clients.push_back(Client());
    Enqueue(clients.back(), Demand{"a", tenant, std::to_string(clients.size()), 600});
    Answer();
  }
  Advance(seconds(1));
  const QueueState of_y = Queue("y");
  EXPECT_EQ(of_y.visible, 3u);
  ASSERT_THAT(of_y.waiters, SizeIs(3));
  for (const WaiterState& waiter : of_y.waiters) EXPECT_EQ(waiter.tenant, "y");
  EXPECT_EQ(of_y.waiters[2].estimate.position, 4) << "of four that wait";
  const QueueState first = Queue("y", 1);
  EXPECT_EQ(first.visible, 3u);
  EXPECT_THAT(first.waiters, SizeIs(1));
  EXPECT_THAT(Queue("nobody").waiters, SizeIs(0));
}

TEST_P(LedgerContract, WhoHasGoneIsNotListed) {
  Open({TokensPerMinute(600)});
  RecordingClient running = Client();
  RecordingClient leaves = Client();
  RecordingClient stays = Client();
  Enqueue(running, 600);
  const Ledger::Ticket ticket = Enqueue(leaves, 300);
  Enqueue(stays, 200);
  Answer();
  Advance(seconds(1));
  EXPECT_EQ(Queue().visible, 2u);
  Cancel(ticket);
  Answer();
  EXPECT_EQ(Queue().visible, 1u);
  Advance(seconds(1));
  ASSERT_THAT(Queue().waiters, SizeIs(1));
  EXPECT_EQ(Queue().waiters[0].estimate.position, 1) << "and who was behind has moved up";
}

TEST_P(LedgerContract, TellsTheLargestDemandThatFits) {
  Open({TokensPerMinute(600)});
  EXPECT_EQ(LimitsOf("a").largest, 600);
  EXPECT_TRUE(LimitsOf("a").known);
  EXPECT_EQ(LimitsOf("nobody asked for it").largest, 0);
  EXPECT_FALSE(LimitsOf("nobody asked for it").known);
}

TEST_P(LedgerContract, TurnsAwayATenantWhoseWaitingRequestsAreTooLargeTogether) {
  tenants_.most_waiting_bytes = 1000;
  Open({TokensPerMinute(600)});
  RecordingClient running = Client();
  Enqueue(running, Demand{"a", "tenant", "s", 600, 1000});
  Answer();
  ASSERT_THAT(running.granted, SizeIs(1)) << "it waits no more, and what it holds counts no more";
  RecordingClient large = Client();
  const Ledger::Ticket ticket = Enqueue(large, Demand{"a", "tenant", "s", 300, 900});
  RecordingClient fits_in = Client();
  Enqueue(fits_in, Demand{"b", "tenant", "s", 600, 100});
  Answer();
  RecordingClient too_much = Client();
  Enqueue(too_much, Demand{"a", "tenant", "s", 1, 101});
  RecordingClient other = Client();
  Enqueue(other, Demand{"a", "other", "s", 1, 5000});
  Answer();
  ASSERT_TRUE(too_much.rejected);
  EXPECT_EQ(too_much.rejected->status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(too_much.rejected->status.message()), testing::HasSubstr("bytes"));
  EXPECT_GT(too_much.rejected->retry_after, Duration::zero());
  EXPECT_FALSE(other.rejected) << "larger than the bound, but alone: it would never get in";
  Cancel(ticket);
  RecordingClient room_again = Client();
  Enqueue(room_again, Demand{"a", "tenant", "s", 1, 1000});
  Answer();
  EXPECT_FALSE(room_again.rejected);
}

}  // namespace
}  // namespace holdfast::quota
