#include "agent_service/context/compaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent_service/context/context_items.h"
#include "agent_service/context/context_size.h"
#include "common/prompt/prompt_characters.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Kind = CompactionStep::Kind;

quota::v1::GetModelResponse Model(int64_t window, int64_t admissible = 0) {
  quota::v1::GetModelResponse model;
  model.set_context_window(window);
  model.set_largest_admissible_tokens(admissible);
  return model;
}

// A turn that read a file of so many bytes, and said as many.
void AddTurn(std::vector<v1::SessionEvent>* log, int number, size_t read, size_t said) {
  const std::string n = std::to_string(number);
  log->push_back(TurnEvent("k" + n, "request " + n));
  log->push_back(CallEvent(1));
  log->push_back(AnswerEvent({Asked("c" + n)}));
  log->push_back(ResultEvent("c" + n, std::string(read, 'r')));
  log->push_back(CallEvent(2));
  log->push_back(AnswerEvent({Said(std::string(said, 's'))}));
  log->push_back(CompletedEvent());
}

SessionState Session(int turns, size_t read, size_t said) {
  std::vector<v1::SessionEvent> log = {CreatedEvent()};
  for (int turn = 1; turn <= turns; ++turn) AddTurn(&log, turn, read, said);
  return Fold(Numbered(log));
}

v1::SessionEvent Next(const SessionState& state, v1::SessionEvent event) {
  event.set_sequence(state.last_sequence() + 1);
  return event;
}

quota::v1::Completed Completed() {
  quota::v1::Completed completed;
  completed.mutable_usage()->set_input_tokens(10);
  return completed;
}

// Compacts until nothing is to be done; the model answers `answer`. Returns how many calls that took.
int Compact(SessionState* state, const quota::v1::GetModelResponse& model, const std::string& answer) {
  for (int calls = 0; calls < 100;) {
    CompactionStep step = DecideCompaction(*state, model, 0.7, 0.5);
    if (step.kind == Kind::kNone) return calls;
    v1::SessionEvent event;
    if (step.kind == Kind::kCut) {
      *event.mutable_context_compacted() = step.cut;
    } else {
      ++calls;
      step.call.set_call_id("call" + std::to_string(calls));
      *event.mutable_compaction_call_started() = step.call;
      state->Apply(Next(*state, event));
      const auto request = BuildCompactionRequest("t", "s", *state, *state->compaction());
      EXPECT_THAT(request.tools(), IsEmpty());
      const int64_t charge = EstimateTokens(CountPromptCharacters(request)) + request.max_output_tokens();
      if (model.largest_admissible_tokens() > 0) {
        EXPECT_LE(charge, model.largest_admissible_tokens());
      }
      event = ConcludeCompaction(*state, step.call, {Said(answer)}, Completed());
    }
    const int64_t before = CountCharacters(ContextItems(*state));
    state->Apply(Next(*state, event));
    if (!event.has_context_compacted()) return calls;
    EXPECT_LT(CountCharacters(ContextItems(*state)), before);
  }
  ADD_FAILURE() << "it does not end";
  return 0;
}

TEST(Compaction, IsNotDoneBelowItsThresholdNorWithoutKnowledgeOfTheModel) {
  const SessionState state = Session(4, 4000, 4000);
  EXPECT_EQ(DecideCompaction(state, Model(100'000), 0.7, 0.5).kind, Kind::kNone);
  EXPECT_EQ(DecideCompaction(state, Model(0), 0.7, 0.5).kind, Kind::kNone);
  EXPECT_NE(DecideCompaction(state, Model(10'000), 0.7, 0.5).kind, Kind::kNone);
}

TEST(Compaction, CutsOldOutputsOfToolsBeforeItAsksAModel) {
  SessionState state = Session(10, 40'000, 100);
  const CompactionStep step = DecideCompaction(state, Model(100'000), 0.7, 0.5);
  ASSERT_EQ(step.kind, Kind::kCut);
  EXPECT_EQ(Compact(&state, Model(100'000), "never asked"), 0);
  EXPECT_FALSE(state.compaction_due());
  const auto items = ContextItems(state);
  EXPECT_EQ(items.size(), state.conversation().size());
  EXPECT_LE(items[2].tool_result().output().size(), 2048u);
  EXPECT_EQ(state.conversation()[2].tool_result().output().size(), 40'000u) << "the original is kept";
  EXPECT_EQ(items[items.size() - 2].tool_result().output().size(), 40'000u) << "the newest stay as they were";
}

TEST(Compaction, PutsALedgerInThePlaceOfOldItemsAndKeepsTheNewest) {
  SessionState state = Session(10, 100, 20'000);
  EXPECT_GE(Compact(&state, Model(60'000), R"({"goal":"the goal","done":["all of it"]})"), 1);
  const auto items = ContextItems(state);
  EXPECT_EQ(items[0].message().role(), quota::v1::ROLE_USER);
  EXPECT_THAT(items[0].message().parts(0).text(), HasSubstr("the goal"));
  EXPECT_THAT(items[0].message().parts(0).text(), HasSubstr("- request 1\n"));
  EXPECT_EQ(items.back().SerializeAsString(), state.conversation().back().SerializeAsString());
  EXPECT_EQ(state.conversation().size(), 40u);
}

TEST(Compaction, WorksInPiecesWhereAllOfItCannotBeAdmitted) {
  SessionState state = Session(18, 10, 40'000);  // 180k tokens
  const int calls = Compact(&state, Model(200'000, 30'000), R"({"goal":"g","done":["d"]})");
  EXPECT_GE(calls, 6);
  const ContextSize size = MeasureContext(state, 0);
  EXPECT_LE(Fill(size, Model(200'000, 30'000), 0), 0.51);
  for (int turn = 1; turn <= 17; ++turn) {
    EXPECT_THAT(ContextItems(state)[0].message().parts(0).text(),
                HasSubstr("- request " + std::to_string(turn) + "\n"));
  }
}

TEST(Compaction, OneItemThatIsLargerThanAPieceIsCut) {
  SessionState state = Session(1, 10, 800'000);
  EXPECT_GE(Compact(&state, Model(0, 30'000), R"({"goal":"g","done":["d"]})"), 1);
  EXPECT_LE(Fill(MeasureContext(state, 0), Model(0, 30'000), 0), 0.5);
}

TEST(Compaction, NeverPartsAToolCallFromItsResult) {
  std::vector<v1::SessionEvent> log = {CreatedEvent(), TurnEvent("k1", "go")};
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    log.push_back(CallEvent(i + 1));
    log.push_back(AnswerEvent({Said(std::string(1500, 's')), Asked("a" + n), Asked("b" + n)}));
    log.push_back(ResultEvent("b" + n, "r"));
    log.push_back(ResultEvent("a" + n, "r"));
  }
  SessionState state = Fold(Numbered(log));
  EXPECT_GE(Compact(&state, Model(12'000), R"({"goal":"g","done":["d"]})"), 1);
  std::vector<std::string> open;
  for (const quota::v1::Item& item : ContextItems(state)) {
    if (item.has_tool_call()) open.push_back(item.tool_call().call_id());
    if (item.has_tool_result()) {
      EXPECT_EQ(std::erase(open, item.tool_result().call_id()), 1u);
    }
  }
  EXPECT_THAT(open, IsEmpty());
  // The turn's own words stand in it, although its beginning is compacted.
  EXPECT_EQ(ContextItems(state)[1].message().parts(0).text(), "go");
}

TEST(Compaction, AResultThatIsNotSmallerIsRefused) {
  SessionState state = Session(10, 100, 20'000);
  CompactionStep step = DecideCompaction(state, Model(60'000), 0.7, 0.5);
  ASSERT_EQ(step.kind, Kind::kCall);
  std::string much = R"({"goal":"g","done":[)";
  for (int i = 0; i < 199; ++i) much += "\"" + std::string(1000, 'd') + "\",";
  const v1::SessionEvent event = ConcludeCompaction(state, step.call, {Said(much + "\"\"]}")}, Completed());
  ASSERT_TRUE(event.has_compaction_failed());
  EXPECT_THAT(event.compaction_failed().message(), HasSubstr("no less than"));
  EXPECT_EQ(event.compaction_failed().usage().input_tokens(), 10);
  EXPECT_TRUE(ConcludeCompaction(state, step.call, {}, Completed()).has_compaction_failed());
}

TEST(Compaction, ToolCallsInItsAnswerAreNothing) {
  SessionState state = Session(10, 100, 20'000);
  const CompactionStep step = DecideCompaction(state, Model(60'000), 0.7, 0.5);
  const v1::SessionEvent event =
      ConcludeCompaction(state, step.call, {Asked("c99"), Said(R"({"goal":"g"})")}, Completed());
  ASSERT_TRUE(event.has_context_compacted());
  state.Apply(Next(state, event));
  EXPECT_FALSE(state.HasToolCall("c99"));
}

TEST(Compaction, TheSameLogGivesTheSameRequest) {
  SessionState state = Session(10, 100, 20'000);
  const CompactionStep step = DecideCompaction(state, Model(60'000), 0.7, 0.5);
  EXPECT_EQ(BuildCompactionRequest("t", "s", state, step.call).SerializeAsString(),
            BuildCompactionRequest("t", "s", Session(10, 100, 20'000), step.call).SerializeAsString());
  EXPECT_THAT(BuildCompactionRequest("t", "s", state, step.call).items(0).message().parts(0).text(),
              Not(HasSubstr(std::string(20'001, 's'))));
}

TEST(Compaction, RestoringToBeforeItGivesTheContextOfBefore) {
  std::vector<v1::SessionEvent> log = {CreatedEvent()};
  for (int turn = 1; turn <= 10; ++turn) AddTurn(&log, turn, 100, 20'000);
  SessionState state = Fold(Numbered(log));
  const int64_t before = state.last_sequence();
  const std::string whole = ContextItems(state).front().SerializeAsString();
  Compact(&state, Model(60'000), R"({"goal":"g"})");
  const int64_t after = state.last_sequence();
  const size_t compacted = ContextItems(state).size();
  v1::SessionEvent restored;
  restored.mutable_session_restored()->set_to_sequence(before);
  state.Apply(Next(state, restored));
  EXPECT_EQ(ContextItems(state).size(), 40u);
  EXPECT_EQ(ContextItems(state).front().SerializeAsString(), whole);
  restored.mutable_session_restored()->set_to_sequence(after);
  state.Apply(Next(state, restored));
  EXPECT_EQ(ContextItems(state).size(), compacted);
}

TEST(ContextSize, IsWhatTheModelCountedAndAnEstimateForWhatCameSince) {
  // 4,000 characters, of which the model counted 2,000 tokens; then 1,000 characters more.
  std::vector<v1::SessionEvent> log = {CreatedEvent(), TurnEvent("k1", std::string(3990, 'x')), CallEvent(1),
                                       AnswerEvent({Said(std::string(10, 'y'))}, 1990, 20),  // half of it reasoning
                                       CompletedEvent()};
  EXPECT_EQ(MeasureContext(Fold(Numbered(log)), 0).tokens, 2000);
  log.push_back(TurnEvent("k2", std::string(1000, 'z')));
  const ContextSize size = MeasureContext(Fold(Numbered(log)), 0);
  EXPECT_EQ(size.tokens, 2500);
  EXPECT_EQ(size.charge, 1252);
  EXPECT_DOUBLE_EQ(size.tokens_per_character, 0.5);
}

TEST(ContextSize, FillIsTheFullerOfWindowAndGate) {
  const ContextSize size{.tokens = 600, .charge = 300};
  EXPECT_DOUBLE_EQ(Fill(size, Model(1000), 0), 0.6);
  EXPECT_DOUBLE_EQ(Fill(size, Model(1100, 400), 100), 1.0);
  EXPECT_DOUBLE_EQ(Fill(size, Model(0), 0), 0);
}

}  // namespace
}  // namespace holdfast::agent
