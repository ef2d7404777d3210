#include "agent_service/turn/patience.h"

#include <gtest/gtest.h>

#include <limits>

#include "agent_service/session/timestamp.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The running turn after these events; max_wait is 900 s.
TurnState TurnAfter(std::vector<v1::SessionEvent> events) { return *Fold(Numbered(std::move(events))).turn(); }

TEST(Patience, IsMaxWaitBeforeAnyWait) {
  const TurnState turn = TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(100'000)), seconds(900));
}

TEST(Patience, ShrinksByTheWaitsOfAnsweredCalls) {
  const TurnState turn =
      TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), AnswerEvent({Asked("c1")}, 0, 0, 100.25),
                 ResultEvent("c1", "r"), CallEvent(2), AnswerEvent({Asked("c2")}, 0, 0, 50)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(9)), milliseconds(749'750));
}

TEST(Patience, ShrinksWhileThePresentCallWaits) {
  const TurnState turn = TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), WaitEvent(4, 60)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(4)), seconds(900));
  EXPECT_EQ(PatienceLeft(turn, LogTime(14)), seconds(890));
}

TEST(Patience, CountsFromTheFirstNoteToTheEndThatTheLastOneNames) {
  const TurnState turn =
      TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), WaitEvent(4, 60), WaitEvent(5, 100)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(50)), seconds(900 - 46));
}

TEST(Patience, DoesNotCountTheRunningOfACallBetweenItsWaits) {
  std::vector<v1::SessionEvent> events =
      Numbered({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), WaitEvent(4, 60), WaitEvent(5, 30)});
  events.back().mutable_wait_noted()->mutable_wait()->mutable_retry_at()->set_seconds(
      std::chrono::system_clock::to_time_t(std::chrono::floor<seconds>(LogTime(3630))));
  SetTimestamp(LogTime(3600), events.back().mutable_time());
  EXPECT_EQ(PatienceLeft(*Fold(events).turn(), LogTime(3610)), seconds(900 - 60 - 10));
}

TEST(Patience, DoesNotCountTheRunningOfACall) {
  const TurnState turn = TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), WaitEvent(4, 60)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(64 + 3600)), seconds(840));
}

v1::SessionEvent OutageEvent(int64_t now) {
  v1::SessionEvent event = WaitEvent(now, 0);
  event.mutable_wait_noted()->mutable_wait()->set_reason(quota::v1::WAIT_REASON_QUOTA_SERVICE);
  return event;
}

v1::SessionEvent OutageOverEvent() {
  v1::SessionEvent event;
  event.mutable_wait_noted()->set_turn_id("t1");
  return event;
}

// The events from the fourth on are one hundred seconds apart.
TurnState TurnWithNotes(const std::vector<v1::SessionEvent>& notes) {
  std::vector<v1::SessionEvent> events = {CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1)};
  events.insert(events.end(), notes.begin(), notes.end());
  events = Numbered(std::move(events));
  for (size_t i = 3; i < events.size(); ++i)
    SetTimestamp(LogTime(static_cast<int64_t>(i - 2) * 100), events[i].mutable_time());
  return *Fold(events).turn();
}

TEST(Patience, CountsAnOutageOfQuotaServiceUntilNow) {
  EXPECT_EQ(PatienceLeft(TurnWithNotes({OutageEvent(100)}), LogTime(700)), seconds(300));
  EXPECT_EQ(PatienceLeft(TurnWithNotes({OutageEvent(100)}), LogTime(5000)), Duration::zero());
}

TEST(Patience, CountsAnOutageThatInterruptsAWaitBesideIt) {
  EXPECT_EQ(PatienceLeft(TurnWithNotes({WaitEvent(100, 400), OutageEvent(200)}), LogTime(700)), seconds(300));
}

TEST(Patience, CountsAnOutageUntilTheNextNoteAndThenWhatThatSays) {
  const TurnState turn = TurnWithNotes({OutageEvent(100), WaitEvent(200, 50)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(220)), seconds(900 - 100 - 20));
  EXPECT_EQ(PatienceLeft(turn, LogTime(5000)), seconds(900 - 100 - 50));
}

TEST(Patience, DoesNotCountTheRunningOfACallAfterAnOutage) {
  EXPECT_EQ(PatienceLeft(TurnWithNotes({OutageEvent(100), OutageOverEvent()}), LogTime(5000)), seconds(800));
  const TurnState again = TurnWithNotes({OutageEvent(100), OutageOverEvent(), OutageEvent(300)});
  EXPECT_EQ(PatienceLeft(again, LogTime(350)), seconds(750)) << "nor between two";
}

TEST(Patience, OfTheNextCallKnowsNothingOfOutagesOfTheOneBefore) {
  const TurnState turn =
      TurnWithNotes({OutageEvent(100), OutageOverEvent(), AnswerEvent({Asked("c1")}, 0, 0, 7), CallEvent(2)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(5000)), seconds(893));
}

TEST(Patience, IsNeverNegative) {
  const TurnState turn =
      TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), AnswerEvent({Asked("c1")}, 0, 0, 800),
                 ResultEvent("c1", "r"), CallEvent(2), WaitEvent(7, 5000)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(4000)), Duration::zero());
}

TEST(Patience, DoesNotGrowWhenTheWallClockIsSetBack) {
  const TurnState turn = TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), WaitEvent(4, 60)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(-5000)), seconds(900));
}

TEST(Patience, TakesTheLargestBoundThatCanBeWritten) {
  v1::SessionEvent event = TurnEvent("k1", "a");
  event.mutable_turn_started()->mutable_max_wait()->set_seconds(315'576'000'000);
  const TurnState turn = TurnAfter({CreatedEvent(), event, CallEvent(1), WaitEvent(4, 60)});
  EXPECT_GT(PatienceLeft(turn, LogTime(14)), std::chrono::hours(24 * 365 * 100));
}

TEST(Patience, StandsUpToAWaitThatEndsNowhere) {
  v1::SessionEvent wait = WaitEvent(4, 60);
  wait.mutable_wait_noted()->mutable_wait()->mutable_retry_at()->set_seconds(std::numeric_limits<int64_t>::min());
  const std::vector<v1::SessionEvent> events = {CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1), wait};
  EXPECT_EQ(PatienceLeft(TurnAfter(events), LogTime(14)), seconds(900));
  wait.mutable_wait_noted()->mutable_wait()->mutable_retry_at()->set_seconds(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(PatienceLeft(TurnAfter({events[0], events[1], events[2], wait}), LogTime(14)), seconds(890));
}

TEST(Patience, StandsUpToAnAnswerThatWaitedForEver) {
  const TurnState turn = TurnAfter({CreatedEvent(), TurnEvent("k1", "a"), CallEvent(1),
                                    AnswerEvent({Asked("c1")}, 0, 0, 1e300), CallEvent(2), WaitEvent(6, 60)});
  EXPECT_EQ(PatienceLeft(turn, LogTime(10)), Duration::zero());
}

}  // namespace
}  // namespace holdfast::agent
