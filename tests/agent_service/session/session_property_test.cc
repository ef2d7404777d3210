#include <gtest/gtest.h>

#include <random>

#include "agent_service/session/session_state.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

// Any events in any order: also such as no session would write.
std::vector<v1::SessionEvent> AnyLog(std::mt19937& random) {
  const auto pick = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const auto id = [&pick] { return "c" + std::to_string(pick(4)); };
  std::vector<v1::SessionEvent> events = {CreatedEvent()};
  const int length = 1 + pick(40);
  while (static_cast<int>(events.size()) < length) {
    const auto now = static_cast<int64_t>(events.size()) + 1;
    switch (pick(13)) {
      case 0:
        events.push_back(TurnEvent("k" + std::to_string(pick(10)), pick(3) == 0 ? "\nlate" : "words", id()));
        break;
      case 1:
        events.push_back(CallEvent(pick(5)));
        break;
      case 2:
        events.push_back(WaitEvent(now, pick(100)));
        break;
      case 3:
        events.push_back(AnswerEvent({Said("x"), Asked(id()), Asked(id())}, pick(1000), pick(100), pick(10)));
        break;
      case 4:
        events.push_back(AnswerEvent({}, pick(1000), pick(100), pick(10)));
        break;
      case 5:
        events.push_back(ResultEvent(id(), "r"));
        break;
      case 6:
        events.push_back(pick(2) == 0 ? CompletedEvent() : FailedEvent());
        break;
      case 7:
        events.push_back(FutureEvent());
        break;
      case 8: {
        v1::SessionEvent event;
        event.mutable_session_restored()->set_to_sequence(pick(static_cast<int>(now) + 2));
        events.push_back(event);
        break;
      }
      case 9: {
        v1::SessionEvent event;
        v1::ContextCompacted* compacted = event.mutable_context_compacted();
        compacted->set_through_item(pick(30) - 3);
        compacted->set_pinned_item(pick(30) - 3);
        compacted->set_cut_through_item(pick(30) - 3);
        compacted->set_tool_output_bytes(pick(30) - 3);
        compacted->mutable_usage()->set_input_tokens(pick(100));
        compacted->set_more(pick(2) == 0);
        events.push_back(event);
        break;
      }
      case 10: {
        v1::SessionEvent event;
        switch (pick(3)) {
          case 0:
            event.mutable_compaction_call_started()->set_call_id(id());
            break;
          case 1:
            event.mutable_compaction_failed()->set_call_id(id());
            break;
          default:
            event.mutable_plan_updated()->mutable_plan()->add_steps()->set_step(id());
            event.mutable_plan_updated()->mutable_result()->set_call_id(id());
        }
        events.push_back(event);
        break;
      }
      case 11: {
        v1::SessionEvent event;
        if (pick(2) == 0) event.mutable_snapshot_taken()->set_name(id());
        if (event.kind_case() == v1::SessionEvent::KIND_NOT_SET) event.mutable_session_forked();
        events.push_back(event);
        break;
      }
      default:
        events.push_back(CreatedEvent("model" + std::to_string(pick(3))));
    }
  }
  return Numbered(std::move(events));
}

TEST(SessionStateProperties, HeadAgreesWithTheWholeFoldOnTheSummaryOfEveryNextEvent) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    SessionState whole;
    for (const v1::SessionEvent& event : AnyLog(random)) {
      SessionState head = whole.Head();
      head.Apply(event);
      whole.Apply(event);
      ASSERT_EQ(head.Summary().DebugString(), whole.Summary().DebugString())
          << "seed " << seed << ", event " << event.DebugString();
    }
  }
}

TEST(SessionStateProperties, AHeadCarriesOnThroughAnyNumberOfEvents) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const std::vector<v1::SessionEvent> log = AnyLog(random);
    const size_t cut = random() % log.size();
    SessionState whole = Fold({log.begin(), log.begin() + static_cast<std::ptrdiff_t>(cut)});
    SessionState head = whole.Head();
    for (size_t i = cut; i < log.size(); ++i) {
      head.Apply(log[i]);
      whole.Apply(log[i]);
    }
    ASSERT_EQ(head.Summary().DebugString(), whole.Summary().DebugString()) << "seed " << seed << ", cut " << cut;
  }
}

TEST(SessionStateProperties, AnySplitIntoPagesGivesTheSameState) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const std::vector<v1::SessionEvent> log = AnyLog(random);
    SessionState paged;
    for (size_t begin = 0; begin < log.size();) {
      const size_t end = std::min(log.size(), begin + 1 + random() % 7);
      SessionState next = paged;
      for (size_t i = begin; i < end; ++i) {
        v1::SessionEvent read;
        ASSERT_TRUE(read.ParseFromString(log[i].SerializeAsString()));
        next.Apply(read);
      }
      paged = std::move(next);
      begin = end;
    }
    ASSERT_EQ(Fingerprint(paged), Fingerprint(Fold(log))) << "seed " << seed;
  }
}

TEST(SessionStateProperties, NoToolCallIsLeftWithoutAResultWhenNoTurnRuns) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    std::vector<v1::SessionEvent> log;
    for (const v1::SessionEvent& event : AnyLog(random)) {
      if (event.has_turn_started()) log.push_back(FailedEvent());  // no session begins a turn in another
      log.push_back(event);
    }
    log.push_back(FailedEvent());
    const SessionState state = Fold(Numbered(log));
    ASSERT_EQ(state.turn(), nullptr);
    std::vector<std::string> open;
    for (const quota::v1::Item& item : state.conversation()) {
      if (item.has_tool_call()) open.push_back(item.tool_call().call_id());
      std::erase(open, item.tool_result().call_id());
    }
    ASSERT_TRUE(open.empty()) << "seed " << seed << ": " << open.front();
  }
}

}  // namespace
}  // namespace holdfast::agent
