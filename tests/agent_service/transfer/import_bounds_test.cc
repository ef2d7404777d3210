#include "agent_service/transfer/import_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

v1::SessionEvent RestoredEvent(int64_t to) {
  v1::SessionEvent event;
  event.mutable_session_restored()->set_to_sequence(to);
  return event;
}

v1::SessionEvent PlanEvent(int steps, const std::string& step = "a", const std::string& status = "pending",
                           const std::string& explanation = "") {
  v1::SessionEvent event;
  v1::Plan* plan = event.mutable_plan_updated()->mutable_plan();
  for (int i = 0; i < steps; ++i) {
    plan->add_steps()->set_step(step);
    plan->mutable_steps(i)->set_status(status);
  }
  plan->set_explanation(explanation);
  return event;
}

v1::SessionEvent AskingEvent(int tools) {
  std::vector<quota::v1::Item> items;
  items.reserve(static_cast<size_t>(tools));
  for (int i = 0; i < tools; ++i) items.push_back(Asked("c" + std::to_string(i)));
  return AnswerEvent(items);
}

// What is said of the first event that is too much; empty: all of them are taken.
std::string Refusal(const std::vector<v1::SessionEvent>& events) {
  ImportBounds bounds;
  for (const v1::SessionEvent& event : Numbered(events)) {
    const absl::Status status = bounds.Take(event);
    if (status.ok()) continue;
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    return std::string(status.message());
  }
  return "";
}

std::vector<v1::SessionEvent> Turns(int turns, size_t bytes, int restorings) {
  std::vector<v1::SessionEvent> events{CreatedEvent()};
  for (int i = 0; i < turns; ++i) {
    events.push_back(TurnEvent("k" + std::to_string(i), std::string(bytes, 'x')));
    events.push_back(AnswerEvent({Said("done")}));
    events.push_back(CompletedEvent());
  }
  const auto last = static_cast<int64_t>(events.size());
  for (int i = 0; i < restorings; ++i) events.push_back(RestoredEvent(last));
  return events;
}

TEST(ImportBounds, TakeWhatPeopleDo) {
  EXPECT_THAT(Refusal(Turns(2'000, 1'000, 100)), IsEmpty());
  std::vector<v1::SessionEvent> parallel{CreatedEvent(), TurnEvent("k1", "one"), AskingEvent(1'000)};
  for (int i = 0; i < 1'000; ++i) parallel.push_back(ResultEvent("c" + std::to_string(i), "done"));
  EXPECT_THAT(Refusal(parallel), IsEmpty());
  std::vector<v1::SessionEvent> rounds{CreatedEvent(), TurnEvent("k1", "one")};
  for (int round = 0; round < 40; ++round) {
    rounds.push_back(AskingEvent(500));
    for (int i = 0; i < 500; ++i) rounds.push_back(ResultEvent("c" + std::to_string(i), "done"));
  }
  EXPECT_THAT(Refusal(rounds), IsEmpty());
  EXPECT_THAT(Refusal({CreatedEvent(), TurnEvent("k1", "one"), PlanEvent(100, std::string(500, 's'), "in_progress")}),
              IsEmpty());
}

TEST(ImportBounds, RefuseRestoringsThatCopyTooMuch) {
  EXPECT_THAT(Refusal(Turns(1, size_t{1} << 20, 2'000)), HasSubstr("event.session_restored: the session is restored"));
  EXPECT_THAT(Refusal(Turns(10'000, 1, 1'000)), HasSubstr("event.session_restored: the session is restored"))
      << "items count too, however small";
}

TEST(ImportBounds, RefuseRestoringsThatMultiplyOpenCalls) {
  std::vector<v1::SessionEvent> events{CreatedEvent(), TurnEvent("k1", "one"), AskingEvent(10'000)};
  events.insert(events.end(), 1'000, RestoredEvent(3));
  EXPECT_THAT(Refusal(events), HasSubstr("event.session_restored:"));
}

TEST(ImportBounds, RefuseResultsThatHaveToBeSearchedFor) {
  std::vector<v1::SessionEvent> events{CreatedEvent(), TurnEvent("k1", "one"), AskingEvent(20'000)};
  for (int i = 0; i < 20'000; ++i) events.push_back(ResultEvent("unknown", ""));
  EXPECT_THAT(Refusal(events), HasSubstr("event: too many calls"));
}

TEST(ImportBounds, RefuseToGoBackToWhatIsNotThere) {
  for (const int64_t to : {int64_t{-1}, int64_t{0}, int64_t{2}, INT64_MAX}) {
    EXPECT_THAT(Refusal({CreatedEvent(), RestoredEvent(to)}), HasSubstr("event.session_restored.to_sequence:")) << to;
  }
  EXPECT_THAT(Refusal({CreatedEvent(), RestoredEvent(1)}), IsEmpty());
}

TEST(ImportBounds, RefuseASnapshotOfWhatIsNotThere) {
  const auto snapshot = [](int64_t at) {
    v1::SessionEvent event;
    event.mutable_snapshot_taken()->set_name("s");
    event.mutable_snapshot_taken()->set_at_sequence(at);
    return event;
  };
  for (const int64_t at : {INT64_MIN, int64_t{-5}, int64_t{0}, int64_t{2}, INT64_MAX}) {
    EXPECT_THAT(Refusal({CreatedEvent(), snapshot(at)}), HasSubstr("event.snapshot_taken.at_sequence:")) << at;
  }
  EXPECT_THAT(Refusal({CreatedEvent(), snapshot(1)}), IsEmpty());
}

TEST(ImportBounds, RefuseAPlanThatWouldNotHaveBeenKept) {
  EXPECT_THAT(Refusal({CreatedEvent(), PlanEvent(101)}), HasSubstr("event.plan_updated.plan.steps: must be at most"));
  EXPECT_THAT(Refusal({CreatedEvent(), PlanEvent(2, std::string(501, 's'))}),
              HasSubstr("event.plan_updated.plan.steps[0].step:"));
  EXPECT_THAT(Refusal({CreatedEvent(), PlanEvent(1, "a", "never")}), HasSubstr("steps[0].status: must be pending"));
  EXPECT_THAT(Refusal({CreatedEvent(), PlanEvent(1, "a", "pending", std::string(2'001, 'e'))}),
              HasSubstr("event.plan_updated.plan.explanation:"));
}

TEST(ImportBounds, RefuseASessionThatIsCreatedTwice) {
  EXPECT_THAT(Refusal({CreatedEvent(), CreatedEvent("m", std::string(100'000, 'w'))}),
              HasSubstr("event.session_created: only the first"));
}

TEST(ImportBounds, CountTheConversationAsItIsRead) {
  const std::vector<v1::SessionEvent> events =
      Numbered({CreatedEvent(), AnswerEvent({Said("to nobody")}), TurnEvent("k1", "one"),
                AnswerEvent({Said("uno"), Asked("a"), Asked("b")}), ResultEvent("a", "x"),
                FailedEvent(),                                                     // answers b
                TurnEvent("k2", "two"), AskingEvent(3), RestoredEvent(8),          // answers three
                TurnEvent("k3", "three"), AskingEvent(2), TurnEvent("k4", "cut"),  // leaves two open
                RestoredEvent(12), RestoredEvent(4), RestoredEvent(1), TurnEvent("k5", "five"), CompletedEvent(),
                RestoredEvent(6)});
  ImportBounds bounds;
  SessionState state;
  for (const v1::SessionEvent& event : events) {
    ASSERT_TRUE(bounds.Take(event).ok());
    state.Apply(event);
    EXPECT_EQ(bounds.items(), state.conversation().size()) << event.sequence();
    EXPECT_EQ(state.restore_work().items(), state.conversation().size()) << event.sequence();
  }
}

}  // namespace
}  // namespace holdfast::agent
