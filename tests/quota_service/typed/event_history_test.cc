#include "quota_service/typed/event_history.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::GenerateEvent Delta(const std::string& item_id, const std::string& text) {
  v1::GenerateEvent event;
  event.mutable_delta()->set_item_id(item_id);
  event.mutable_delta()->set_text(text);
  return event;
}

v1::GenerateEvent Message(const std::string& id) {
  v1::GenerateEvent event;
  event.mutable_item()->mutable_message()->set_id(id);
  return event;
}

v1::GenerateEvent Wait(const std::string& detail) {
  v1::GenerateEvent event;
  event.mutable_wait()->set_detail(detail);
  return event;
}

v1::GenerateEvent Admitted() {
  v1::GenerateEvent event;
  event.mutable_admitted()->set_attempt(1);
  return event;
}

v1::GenerateEvent Restarted() {
  v1::GenerateEvent event;
  event.mutable_restarted()->set_cause("cut");
  return event;
}

// What a reader with this cursor is sent, by number.
std::vector<int64_t> NumbersAfter(const EventHistory& history, int64_t cursor) {
  std::vector<int64_t> numbers;
  while (const v1::GenerateEvent* event = history.After(cursor)) {
    cursor = event->event();
    numbers.push_back(cursor);
  }
  return numbers;
}

size_t BytesOf(const EventHistory& history) {
  size_t bytes = 0;
  int64_t cursor = 0;
  while (const v1::GenerateEvent* event = history.After(cursor)) {
    cursor = event->event();
    bytes += event->ByteSizeLong();
  }
  return bytes;
}

class EventHistoryTest : public testing::Test {
 protected:
  void Append(const std::vector<v1::GenerateEvent>& events) {
    for (const v1::GenerateEvent& event : events) history_.Append(event);
  }
  EventHistory history_{"incarnation-1"};
};

TEST_F(EventHistoryTest, NumbersFromOneAndNamesItsIncarnation) {
  EXPECT_EQ(history_.After(0), nullptr);
  Append({Admitted(), Delta("a", "x")});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(1, 2));
  EXPECT_EQ(history_.After(1)->incarnation(), "incarnation-1");
}

TEST_F(EventHistoryTest, NumbersAreItsOwnWhateverTheEventClaims) {
  v1::GenerateEvent event = Delta("a", "x");
  event.set_event(77);
  event.set_incarnation("another");
  Append({event});
  EXPECT_EQ(history_.After(0)->event(), 1);
  EXPECT_EQ(history_.After(0)->incarnation(), "incarnation-1");
}

TEST_F(EventHistoryTest, ACompletedItemReplacesItsDeltasAndNoOthers) {
  Append({Delta("a", "1"), Delta("b", "2"), Delta("a", "3"), Message("a")});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(2, 4));
  EXPECT_EQ(history_.After(0)->delta().item_id(), "b");
}

TEST_F(EventHistoryTest, ReasoningAndToolCallsReplaceTheirDeltasToo) {
  v1::GenerateEvent reasoning;
  reasoning.mutable_item()->mutable_reasoning()->set_id("r");
  v1::GenerateEvent call;
  call.mutable_item()->mutable_tool_call()->set_id("c");
  Append({Delta("r", "1"), Delta("c", "2"), reasoning, call});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(3, 4));
}

TEST_F(EventHistoryTest, AnItemStaysWhenAnotherOfTheSameIdComes) {
  Append({Message("a"), Message("a")});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(1, 2));
}

TEST_F(EventHistoryTest, OnlyTheLastWaitIsKeptAndNoneOnceAdmitted) {
  Append({Wait("first"), Wait("second")});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(2));
  EXPECT_EQ(history_.After(0)->wait().detail(), "second");
  Append({Admitted()});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(3));
}

TEST_F(EventHistoryTest, ARestartReplacesEverythingBeforeIt) {
  Append({Admitted(), Delta("a", "1"), Message("b"), Restarted(), Wait("backoff"), Admitted(), Delta("a", "2")});
  EXPECT_THAT(NumbersAfter(history_, 0), ElementsAre(4, 6, 7));
  EXPECT_THAT(NumbersAfter(history_, 2), ElementsAre(4, 6, 7)) << "also to one who had half of it";
}

TEST_F(EventHistoryTest, AnyCursorIsGivenWhatComesAfterIt) {
  Append({Admitted(), Delta("a", "1"), Delta("a", "2"), Message("a"), Delta("b", "3")});
  EXPECT_THAT(NumbersAfter(history_, -5), ElementsAre(1, 4, 5));
  EXPECT_THAT(NumbersAfter(history_, 1), ElementsAre(4, 5));
  EXPECT_THAT(NumbersAfter(history_, 2), ElementsAre(4, 5)) << "of what it has, half was replaced";
  EXPECT_THAT(NumbersAfter(history_, 4), ElementsAre(5));
  EXPECT_THAT(NumbersAfter(history_, 5), IsEmpty());
  EXPECT_THAT(NumbersAfter(history_, INT64_MAX), IsEmpty());
}

TEST_F(EventHistoryTest, CountsTheBytesOfWhatItHolds) {
  EXPECT_EQ(history_.bytes(), 0u);
  std::mt19937 generator(11);
  const std::vector<std::string> ids = {"a", "b", "c"};
  for (int i = 0; i < 2000; ++i) {
    const std::string& id = ids[generator() % ids.size()];
    switch (generator() % 20) {
      case 0:
        Append({Restarted()});
        break;
      case 1:
        Append({Wait(std::string(generator() % 300, 'w'))});
        break;
      case 2:
        Append({Admitted()});
        break;
      case 3:
        Append({Message(id)});
        break;
      default:
        Append({Delta(id, std::string(generator() % 300, 'd'))});
    }
    ASSERT_EQ(history_.bytes(), BytesOf(history_));
    ASSERT_THAT(NumbersAfter(history_, i), ElementsAre(i + 1)) << "what came last is there, and last";
  }
}

}  // namespace
}  // namespace holdfast::quota
