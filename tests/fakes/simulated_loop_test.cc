#include "tests/fakes/simulated_loop.h"

#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <vector>

namespace holdfast {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class SimulatedLoopTest : public testing::Test {
 protected:
  Loop::Task Note(std::string what) {
    return [this, what = std::move(what)] { notes_.push_back(what); };
  }

  SimulatedLoop loop_;
  std::vector<std::string> notes_;
};

TEST_F(SimulatedLoopTest, RunsPostedTasksInOrderAndNeverInsidePost) {
  loop_.Post([this] {
    notes_.push_back("first");
    loop_.Post(Note("third"));
  });
  loop_.Post(Note("second"));
  EXPECT_THAT(notes_, IsEmpty());
  loop_.RunUntilIdle();
  EXPECT_THAT(notes_, ElementsAre("first", "second", "third"));
}

TEST_F(SimulatedLoopTest, RunsTimersByTimeThenByArmingOrder) {
  const auto late = loop_.NewTimer();
  const auto early_b = loop_.NewTimer();
  const auto early_a = loop_.NewTimer();
  late->ArmAt(loop_.Now() + seconds(2), Note("late"));
  early_a->ArmAt(loop_.Now() + seconds(1), Note("a"));
  early_b->ArmAt(loop_.Now() + seconds(1), Note("b"));
  loop_.Advance(seconds(3));
  EXPECT_THAT(notes_, ElementsAre("a", "b", "late"));
}

TEST_F(SimulatedLoopTest, StepsBothClocksToEachTimerAndThenToTheEnd) {
  const BootTime start = loop_.Now();
  const WallTime wall_start = loop_.WallNow();
  const auto timer = loop_.NewTimer();
  BootTime fired{};
  timer->ArmAt(start + seconds(10), [&] { fired = loop_.Now(); });
  loop_.Advance(hours(24));
  EXPECT_EQ(fired - start, seconds(10));
  EXPECT_EQ(loop_.Now() - start, hours(24));
  EXPECT_EQ(loop_.WallNow() - wall_start, hours(24));
}

TEST_F(SimulatedLoopTest, RunsATimerThatRearmsItselfAtEachMoment) {
  const auto timer = loop_.NewTimer();
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    timer->ArmAt(loop_.Now() + seconds(1), [&] { tick(); });
  };
  timer->ArmAt(loop_.Now() + seconds(1), [&] { tick(); });
  loop_.Advance(seconds(60));
  EXPECT_EQ(ticks, 60);
}

TEST_F(SimulatedLoopTest, LeavesTimersAloneUntilTimeIsMoved) {
  const auto timer = loop_.NewTimer();
  timer->ArmAt(loop_.Now() - seconds(1), Note("past"));
  loop_.RunUntilIdle();
  EXPECT_THAT(notes_, IsEmpty());
  loop_.Advance(Duration::zero());
  EXPECT_THAT(notes_, ElementsAre("past"));
}

TEST_F(SimulatedLoopTest, DoesNotRunDisarmedReplacedOrDestroyedTimers) {
  const auto disarmed = loop_.NewTimer();
  const auto replaced = loop_.NewTimer();
  auto destroyed = loop_.NewTimer();
  disarmed->ArmAt(loop_.Now() + seconds(1), Note("disarmed"));
  replaced->ArmAt(loop_.Now() + seconds(1), Note("old"));
  destroyed->ArmAt(loop_.Now() + seconds(1), Note("destroyed"));
  disarmed->Disarm();
  replaced->ArmAt(loop_.Now() + seconds(2), Note("new"));
  destroyed.reset();
  loop_.Advance(seconds(5));
  EXPECT_THAT(notes_, ElementsAre("new"));
}

TEST_F(SimulatedLoopTest, LetsATimerDestroyItselfInItsTask) {
  auto timer = loop_.NewTimer();
  timer->ArmAt(loop_.Now(), [&] { timer.reset(); });
  loop_.Advance(Duration::zero());
  EXPECT_EQ(timer, nullptr);
}

TEST_F(SimulatedLoopTest, AdvancesToTheNextTimerOnly) {
  const BootTime start = loop_.Now();
  const auto first = loop_.NewTimer();
  const auto second = loop_.NewTimer();
  first->ArmAt(start + seconds(7), Note("first"));
  second->ArmAt(start + seconds(9), Note("second"));
  EXPECT_TRUE(loop_.AdvanceToNextTimer());
  EXPECT_THAT(notes_, ElementsAre("first"));
  EXPECT_EQ(loop_.Now() - start, seconds(7));
  EXPECT_TRUE(loop_.AdvanceToNextTimer());
  EXPECT_FALSE(loop_.AdvanceToNextTimer());
}

}  // namespace
}  // namespace holdfast
