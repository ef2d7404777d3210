#include "common/loop/alarm_heap.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace holdfast {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

BootTime At(int second) { return BootTime(seconds(second)); }

std::vector<AlarmHeap::Alarm*> Drain(AlarmHeap& heap) {
  std::vector<AlarmHeap::Alarm*> order;
  while (!heap.empty()) {
    order.push_back(heap.first());
    heap.Remove(order.back());
  }
  return order;
}

TEST(AlarmHeapTest, RingsInOrderOfTheMomentsAndThenOfArming) {
  AlarmHeap heap;
  AlarmHeap::Alarm late, early, first_of_two, second_of_two;
  heap.Add(&late, At(9));
  heap.Add(&first_of_two, At(5));
  heap.Add(&second_of_two, At(5));
  heap.Add(&early, At(1));
  EXPECT_THAT(Drain(heap), ElementsAre(&early, &first_of_two, &second_of_two, &late));
}

TEST(AlarmHeapTest, TakesOutWhatIsNotArmedWithoutAWord) {
  AlarmHeap heap;
  AlarmHeap::Alarm alarm;
  heap.Remove(&alarm);
  heap.Add(&alarm, At(1));
  EXPECT_TRUE(alarm.armed());
  heap.Remove(&alarm);
  heap.Remove(&alarm);
  EXPECT_FALSE(alarm.armed());
  EXPECT_TRUE(heap.empty());
}

TEST(AlarmHeapTest, KeepsTheOrderHoweverItIsUsed) {
  std::mt19937 random(7);
  AlarmHeap heap;
  std::deque<AlarmHeap::Alarm> alarms(200);
  for (int round = 0; round < 20'000; ++round) {
    AlarmHeap::Alarm& alarm = alarms[random() % alarms.size()];
    if (alarm.armed()) {
      heap.Remove(&alarm);
    } else {
      heap.Add(&alarm, At(static_cast<int>(random() % 50)));
    }
  }
  std::vector<AlarmHeap::Alarm*> expected;
  for (auto& alarm : alarms) {
    if (alarm.armed()) expected.push_back(&alarm);
  }
  std::ranges::sort(expected, {}, [](const auto* alarm) { return std::pair(alarm->when, alarm->number); });
  EXPECT_EQ(Drain(heap), expected);
}

}  // namespace
}  // namespace holdfast
