#include "common/loop/asio_loop.h"

#include <gmock/gmock.h>

#include <boost/asio/executor_work_guard.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class AsioLoopTest : public testing::Test {
 protected:
  boost::asio::io_context context_;
  AsioLoop loop_{context_};
  std::vector<std::string> notes_;
};

TEST_F(AsioLoopTest, RunsPostedTasksInOrderAndNeverInsidePost) {
  loop_.Post([this] { notes_.push_back("first"); });
  loop_.Post([this, owned = std::make_unique<int>(1)] { notes_.push_back("second"); });
  EXPECT_THAT(notes_, IsEmpty());
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("first", "second"));
}

TEST_F(AsioLoopTest, TakesTasksFromAnotherThread) {
  auto work = boost::asio::make_work_guard(context_);
  std::thread::id ran_on;
  std::thread other([&] {
    loop_.Post([&] {
      ran_on = std::this_thread::get_id();
      work.reset();
    });
  });
  context_.run();
  other.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_F(AsioLoopTest, NeverFiresBeforeTheArmedMoment) {
  const auto timer = loop_.NewTimer();
  const BootTime when = loop_.Now() + milliseconds(30);
  BootTime fired{};
  timer->ArmAt(when, [&] { fired = loop_.Now(); });
  context_.run();
  EXPECT_GE(fired, when);
}

TEST_F(AsioLoopTest, RunsAMomentInThePastSoonButNotInsideArm) {
  const auto timer = loop_.NewTimer();
  timer->ArmAt(loop_.Now() - std::chrono::hours(1), [this] { notes_.push_back("past"); });
  EXPECT_THAT(notes_, IsEmpty());
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("past"));
}

TEST_F(AsioLoopTest, ReplacesWhatWasArmed) {
  const auto timer = loop_.NewTimer();
  timer->ArmAt(loop_.Now(), [this] { notes_.push_back("old"); });
  timer->ArmAt(loop_.Now(), [this] { notes_.push_back("new"); });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("new"));
}

TEST_F(AsioLoopTest, DoesNotRunADestroyedTimerEvenWhenItsWaitIsOver) {
  auto first = loop_.NewTimer();
  auto second = loop_.NewTimer();
  const BootTime now = loop_.Now();
  first->ArmAt(now, [&] {
    notes_.push_back("first");
    second.reset();
  });
  second->ArmAt(now, [&] {
    notes_.push_back("second");
    first.reset();
  });
  context_.run();
  EXPECT_EQ(notes_.size(), 1u);
}

TEST_F(AsioLoopTest, LetsATaskRearmAndThenDestroyItsOwnTimer) {
  auto timer = loop_.NewTimer();
  timer->ArmAt(loop_.Now(), [&] {
    notes_.push_back("once");
    timer->ArmAt(loop_.Now(), [&] {
      notes_.push_back("twice");
      timer.reset();
    });
  });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("once", "twice"));
}

TEST_F(AsioLoopTest, AnEarlierTimerIsNotHeldUpByALaterOne) {
  const auto late = loop_.NewTimer();
  const auto early = loop_.NewTimer();
  late->ArmAt(loop_.Now() + std::chrono::hours(1), [this] { notes_.push_back("late"); });
  early->ArmAt(loop_.Now() + milliseconds(10), [&] {
    notes_.push_back("early");
    late->Disarm();
  });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("early"));
}

TEST_F(AsioLoopTest, ATimerThatIsAlwaysDueLeavesRoomForOthers) {
  const auto timer = loop_.NewTimer();
  int rounds = 0;
  std::function<void()> again = [&] {
    if (++rounds < 1'000) timer->ArmAt(loop_.Now(), again);
  };
  again();
  loop_.Post([&] {
    notes_.push_back("posted");
    rounds = 1'000;
  });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("posted"));
  EXPECT_LT(rounds, 1'010);
}

TEST_F(AsioLoopTest, ATimerThatIsAlwaysDueForTheSamePastMomentLeavesRoomForLaterOnes) {
  const auto again = loop_.NewTimer();
  const auto later = loop_.NewTimer();
  const BootTime past = loop_.Now() - std::chrono::hours(1);
  int rounds = 0;
  std::function<void()> rearm = [&] {
    if (++rounds < 1'000) again->ArmAt(past, rearm);
  };
  again->ArmAt(past, rearm);
  later->ArmAt(past + milliseconds(1), [&] {
    notes_.push_back("later");
    rounds = 1'000;
  });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("later"));
  EXPECT_LT(rounds, 1'010);
}

TEST_F(AsioLoopTest, ATaskThatIsReplacedMayArmItsTimerWhenItIsDestroyed) {
  const auto timer = loop_.NewTimer();
  const auto other = loop_.NewTimer();
  const BootTime now = loop_.Now();
  std::shared_ptr<int> arms(new int(0), [&](const int* owned) {
    delete owned;
    timer->ArmAt(now, [this] { notes_.push_back("of the old task"); });
  });
  timer->ArmAt(now, [held = std::move(arms)] {});
  timer->ArmAt(now, [this] { notes_.push_back("new"); });
  other->ArmAt(now, [this] { notes_.push_back("other"); });
  context_.run();
  EXPECT_THAT(notes_, ElementsAre("of the old task", "other"));
}

TEST_F(AsioLoopTest, DisarmedTimersLetTheLoopEnd) {
  const auto timer = loop_.NewTimer();
  timer->ArmAt(loop_.Now() + std::chrono::hours(1), [this] { notes_.push_back("never"); });
  timer->Disarm();
  context_.run();
  EXPECT_THAT(notes_, IsEmpty());
}

}  // namespace
}  // namespace holdfast
