#include "quota_service/checkpoint/checkpointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/fakes/simulated_loop.h"
#include "tests/quota_service/checkpoint/state_samples.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

class FakeStore final : public CheckpointStore {
 public:
  void Save(CheckpointState state, absl::AnyInvocable<void(absl::Status)> done) override {
    saved.push_back(std::move(state));
    pending.push_back(std::move(done));
  }
  void Answer(absl::Status status = absl::OkStatus()) {
    auto done = std::move(pending.front());
    pending.pop_front();
    std::move(done)(std::move(status));
  }

  std::vector<CheckpointState> saved;
  std::deque<absl::AnyInvocable<void(absl::Status)>> pending;
};

class CheckpointerTest : public testing::Test {
 protected:
  void Begin(std::string found = "") {
    checkpointer_ =
        std::make_unique<Checkpointer>(loop_, &store_, std::move(found), [this] { return SomeState(spent_); });
    checkpointer_->Begin();
  }

  SimulatedLoop loop_;
  FakeStore store_;
  int64_t spent_ = 1;
  std::unique_ptr<Checkpointer> checkpointer_;
};

TEST_F(CheckpointerTest, WhatChangesIsSavedWithinASecond) {
  Begin();
  ASSERT_THAT(store_.saved, SizeIs(1));
  store_.Answer();
  loop_.Advance(milliseconds(1));
  spent_ = 2;
  loop_.Advance(seconds(1));
  ASSERT_THAT(store_.saved, SizeIs(2));
  EXPECT_EQ(store_.saved[1].budgets.at("web-team").spent, 2);
}

TEST_F(CheckpointerTest, WhatDoesNotChangeIsNotWrittenAgain) {
  Begin();
  store_.Answer();
  loop_.Advance(seconds(60));
  EXPECT_THAT(store_.saved, SizeIs(1));
}

TEST_F(CheckpointerTest, ASlowDiskGetsOneSaveAtATime) {
  Begin();
  spent_ = 2;
  loop_.Advance(seconds(10));
  EXPECT_THAT(store_.saved, SizeIs(1));
  store_.Answer();
  loop_.Advance(seconds(1));
  EXPECT_THAT(store_.saved, SizeIs(2));
}

TEST_F(CheckpointerTest, ASaveThatFailsIsNamedAndTriedAgainUntilItWorks) {
  Begin();
  store_.Answer(absl::ResourceExhaustedError("no space left for /x/quota.db"));
  EXPECT_THAT(checkpointer_->trouble(), HasSubstr("no space left for /x/quota.db"));
  for (int i = 0; i < 3; ++i) {
    loop_.Advance(seconds(5));
    ASSERT_THAT(store_.pending, SizeIs(1));
    store_.Answer(absl::ResourceExhaustedError("no space left for /x/quota.db"));
  }
  loop_.Advance(seconds(5));
  store_.Answer();
  EXPECT_EQ(checkpointer_->trouble(), "");
}

TEST_F(CheckpointerTest, WhatWasLostAtTheStartStaysNamed) {
  Begin("the checkpoint was damaged");
  store_.Answer();
  loop_.Advance(seconds(10));
  EXPECT_EQ(checkpointer_->trouble(), "the checkpoint was damaged");
}

TEST_F(CheckpointerTest, TheEndWaitsForTheLastSave) {
  Begin();
  spent_ = 2;
  bool finished = false;
  checkpointer_->Finish([&] { finished = true; });
  store_.Answer();
  EXPECT_FALSE(finished) << "what was being written is older";
  ASSERT_THAT(store_.saved, SizeIs(2));
  EXPECT_EQ(store_.saved[1].budgets.at("web-team").spent, 2);
  store_.Answer();
  EXPECT_TRUE(finished);
  loop_.Advance(seconds(10));
  EXPECT_THAT(store_.saved, SizeIs(2));
}

TEST_F(CheckpointerTest, AnEndWithNothingToSaveOrNowhereToSaveItComesAtOnce) {
  Begin();
  store_.Answer();
  bool finished = false;
  checkpointer_->Finish([&] { finished = true; });
  EXPECT_TRUE(finished);
  Checkpointer without(loop_, nullptr, "no folder", [] { return CheckpointState(); });
  without.Begin();
  loop_.Advance(seconds(10));
  finished = false;
  without.Finish([&] { finished = true; });
  EXPECT_TRUE(finished);
  EXPECT_EQ(without.trouble(), "no folder");
}

TEST_F(CheckpointerTest, AnEndThatCannotBeSavedIsStillAnEnd) {
  Begin();
  bool finished = false;
  checkpointer_->Finish([&] { finished = true; });
  store_.Answer(absl::UnavailableError("gone"));
  EXPECT_TRUE(finished);
}

}  // namespace
}  // namespace holdfast::quota
