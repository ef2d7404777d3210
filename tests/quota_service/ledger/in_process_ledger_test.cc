// What the contract does not say of every ledger.
#include "quota_service/ledger/in_process_ledger.h"

#include <gmock/gmock.h>

#include "tests/fakes/simulated_loop.h"
#include "tests/quota_service/ledger/recording_client.h"

namespace holdfast::quota {
namespace {

using std::chrono::seconds;
using testing::SizeIs;

class InProcessLedgerTest : public testing::Test {
 protected:
  InProcessLedgerTest() : ledger_(std::make_unique<InProcessLedger>(loop_, Configured())) {}

  static std::vector<LimitGroupOptions> Configured() {
    return {{"configured", {{Dimension::kTokens, WindowKind::kContinuous, 600, std::chrono::minutes(1)}}, {}}};
  }
  // One call to a group that then knows a limit.
  void Use(const std::string& group) {
    RecordingClient client(loop_, inside_);
    const Ledger::Ticket ticket = ledger_->Enqueue({group, "tenant", "session", 1}, &client);
    loop_.RunUntilIdle();
    RateLimitHeaders headers;
    headers.tokens = {600, 599, std::nullopt};
    ledger_->Calibrate(ticket, headers);
    ledger_->Settle(ticket, Settlement::kCharged, std::nullopt);
    loop_.RunUntilIdle();
  }
  size_t CountGroups() {
    size_t count = 0;
    ledger_->GetGroups([&](std::vector<GroupState> groups) { count = groups.size(); });
    loop_.RunUntilIdle();
    return count;
  }

  SimulatedLoop loop_;
  bool inside_ = false;
  std::unique_ptr<InProcessLedger> ledger_;
};

TEST_F(InProcessLedgerTest, ForgetsGroupsThatNobodyUsesPastAThousand) {
  RecordingClient holder(loop_, inside_);
  const Ledger::Ticket held = ledger_->Enqueue({"held", "tenant", "session", 1}, &holder);
  loop_.RunUntilIdle();
  for (int i = 0; i < 2500; ++i) Use("model " + std::to_string(i));
  EXPECT_LE(CountGroups(), 1001u);
  bool configured = false;
  bool in_use = false;
  ledger_->GetGroups([&](std::vector<GroupState> groups) {
    for (const GroupState& group : groups) {
      configured |= group.name == "configured" && group.levels.size() == 1;
      in_use |= group.name == "held" && group.in_flight == 1;
    }
  });
  loop_.RunUntilIdle();
  EXPECT_TRUE(configured);
  EXPECT_TRUE(in_use);
  ledger_->Settle(held, Settlement::kCharged, std::nullopt);
}

// A group that has just rejected its last waiter is idle, and would be forgotten while it is still at work.
TEST_F(InProcessLedgerTest, AGroupSurvivesWhatItsOwnCallbacksDo) {
  Use("last");
  for (int i = 0; i < 998; ++i) Use("model " + std::to_string(i));
  ASSERT_EQ(CountGroups(), 1000u);
  RecordingClient client(loop_, inside_);
  RecordingClient another(loop_, inside_);
  Ledger::Ticket ticket = 0;
  client.on_rejected = [&] { ticket = ledger_->Enqueue({"one more", "tenant", "session", 1}, &another); };
  ledger_->Enqueue({"last", "tenant", "session", 601}, &client);
  loop_.Advance(seconds(10));
  EXPECT_TRUE(client.rejected);
  EXPECT_THAT(another.granted, SizeIs(1));
  ledger_->Settle(ticket, Settlement::kCharged, std::nullopt);
}

TEST_F(InProcessLedgerTest, WhatIsPostedWhenItEndsDoesNothing) {
  RecordingClient client(loop_, inside_);
  ledger_->Enqueue({"configured", "tenant", "session", 1}, &client);
  bool answered = false;
  ledger_->GetHeadroom({"configured", "tenant", "session", 1}, [&](absl::StatusOr<Headroom>) { answered = true; });
  ledger_->GetGroups([&](std::vector<GroupState>) { answered = true; });
  ledger_.reset();
  loop_.Advance(seconds(100));
  EXPECT_TRUE(client.heard_nothing());
  EXPECT_FALSE(answered);
}

TEST_F(InProcessLedgerTest, ArmsNoTimerWhenNobodyIsThere) {
  Use("configured");
  loop_.Advance(seconds(100));
  EXPECT_EQ(loop_.armed_timers(), 0u);
}

}  // namespace
}  // namespace holdfast::quota
