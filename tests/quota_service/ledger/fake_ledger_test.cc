#include "tests/fakes/fake_ledger.h"

#include <gmock/gmock.h>

#include "tests/fakes/simulated_loop.h"
#include "tests/quota_service/ledger/recording_client.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

class FakeLedgerTest : public testing::Test {
 protected:
  SimulatedLoop loop_;
  bool inside_ = false;
  FakeLedger ledger_{loop_, {}, milliseconds(200)};
  RecordingClient client_{loop_, inside_};
};

TEST_F(FakeLedgerTest, AnswersAfterItsDelay) {
  const BootTime begin = loop_.Now();
  ledger_.Enqueue({"a", "tenant", "session", 1}, &client_);
  loop_.Advance(milliseconds(199));
  EXPECT_TRUE(client_.heard_nothing());
  loop_.Advance(milliseconds(1));
  EXPECT_THAT(client_.granted, ElementsAre(begin + milliseconds(200)));
}

TEST_F(FakeLedgerTest, RejectsAsManyPlacesAsItWasTold) {
  ledger_.RejectNextEnqueues(2);
  RecordingClient second(loop_, inside_);
  RecordingClient third(loop_, inside_);
  ledger_.Enqueue({"a", "tenant", "session", 1}, &client_);
  const Ledger::Ticket cancelled = ledger_.Enqueue({"a", "tenant", "session", 1}, &second);
  ledger_.Enqueue({"a", "tenant", "session", 1}, &third);
  ledger_.Cancel(cancelled);
  EXPECT_TRUE(client_.heard_nothing());
  loop_.Advance(milliseconds(200));
  ASSERT_TRUE(client_.rejected);
  EXPECT_EQ(client_.rejected->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(client_.rejected->largest, 0);
  EXPECT_TRUE(second.heard_nothing());
  EXPECT_EQ(third.granted.size(), 1u);
}

}  // namespace
}  // namespace holdfast::quota
