// Compaction as a session does it: when, as which calls, and what a restart, a turn and a failure make of it.
#include "common/prompt/prompt_characters.h"
#include "common/rpc/status.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kRules[] =
    "Rules:\n1. Use tabs, never spaces.\n2. \"Quotes\" stay as they are.\n3. No new dependencies.\n4. Never touch "
    "vendor/.\n"
    "5. Tests first.\n6. Keep lines under 100 columns.\n7. Errors are values.\n8. Names in British English.\n"
    "9. Do not commit.\n10. Say “fertig” when done.";

class HostCompaction : public HostTest {
 protected:
  void SetLimits(int64_t window, int64_t admissible = 0) {
    quota::v1::GetModelResponse model;
    model.set_model("o4-mini");
    model.set_context_window(window);
    model.set_largest_admissible_tokens(admissible);
    quota_.SetModel(grpc::Status::OK, model);
  }

  // Whether the newest request is one that compacts.
  bool Compacts() const { return quota_.requests().back().call_id().find("/compact/") != std::string::npos; }

  void RunTurn(const std::string& id, const std::string& key, const std::string& text, const std::string& answer) {
    Submit(id, Turn(key, text));
    AnswerCall({Said(answer)});
  }

  // Answers calls that compact, as long as there are any. Returns how many.
  int AnswerCompactions(const std::string& answer = R"({"goal":"g","rules":["made up"],"done":["d"],"next":["n"]})") {
    int calls = 0;
    for (; quota_.attached() && Compacts() && calls < 100; ++calls) AnswerCall({Said(answer)});
    return calls;
  }

  // The newest turn that failed; a compaction may have begun after it.
  v1::TurnFailed Failure(const std::string& id) {
    v1::TurnFailed failure;
    for (const v1::SessionEvent& event : Events(id)) {
      if (event.has_turn_failed()) failure = event.turn_failed();
    }
    return failure;
  }

  std::string ContextText() const {
    std::string text;
    for (const quota::v1::Item& item : quota_.requests().back().items()) {
      for (const auto& part : item.message().parts()) text += part.text() + "\n";
    }
    return text;
  }

  const std::string long_ = std::string(20'000, 's');
};

TEST_F(HostCompaction, RunsAfterATurnAndTheNextTurnSeesTheLedger) {
  SetLimits(0, 20'000);
  const std::string id = CreateSession();
  for (int i = 1; i <= 3; ++i) RunTurn(id, "k" + std::to_string(i), "request " + std::to_string(i), long_);
  EXPECT_THAT(Log(id),
              ElementsAre("created", "turn", "call 1", "answer", "completed", "turn", "call 1", "answer", "completed",
                          "turn", "call 1", "answer", "completed", "snapshot auto.13", "compaction"));
  ASSERT_TRUE(Compacts());
  EXPECT_EQ(quota_.requests().back().tenant(), "team");
  EXPECT_EQ(quota_.requests().back().session_id(), id);
  EXPECT_THAT(quota_.requests().back().tools(), IsEmpty());
  EXPECT_EQ(Summary(id).status(), v1::SESSION_STATUS_IDLE);
  EXPECT_EQ(AnswerCompactions(), 1);
  EXPECT_EQ(Log(id).back(), "compacted");
  EXPECT_EQ(Summary(id).usage().input_tokens(), 400) << "it is paid for";
  Submit(id, Turn("k4", "go on"));
  EXPECT_THAT(ContextText(), HasSubstr("- request 1\n"));
  EXPECT_THAT(ContextText(), Not(HasSubstr("made up")));
  EXPECT_THAT(ContextText(), HasSubstr("go on"));
  EXPECT_LT(CountPromptCharacters(quota_.requests().back()), 45'000);
}

TEST_F(HostCompaction, TenRulesStandWordForWordAfterThreeCompactionsAndNoCommandRunsTwice) {
  SetLimits(0, 20'000);
  const std::string id = CreateSession();
  RunTurn(id, "k0", kRules, "understood");
  int compactions = 0;
  std::map<std::string, int> dispatched;
  for (int i = 1; compactions < 3; ++i) {
    ASSERT_LT(i, 40);
    const std::string n = std::to_string(i);
    Submit(id, Turn("k" + n, "step " + n));
    AnswerCall({Asked("c" + n)});
    SubmitResult(id, "c" + n, "output " + n);
    AnswerCall({Said(long_)});
    compactions += AnswerCompactions();
  }
  for (const v1::SessionEvent& event : Events(id)) {
    for (const quota::v1::Item& item : event.model_answered().items())
      if (item.has_tool_call()) ++dispatched[item.tool_call().call_id()];
  }
  for (const auto& [call, times] : dispatched) EXPECT_EQ(times, 1) << call;
  EXPECT_EQ(Summary(id).status(), v1::SESSION_STATUS_IDLE) << "a tool is waited for";
  Restart();
  Submit(id, Turn("last", "go on"));
  EXPECT_THAT(ContextText(), HasSubstr(kRules));
}

TEST_F(HostCompaction, AContextOf180kTokensIsCompactedUnderALimitOf30k) {
  const std::string id = CreateSession();
  RunTurn(id, "k0", kRules, "understood");
  for (int i = 1; i <= 18; ++i) RunTurn(id, "k" + std::to_string(i), "request", std::string(40'000, 's'));
  SetLimits(200'000, 30'000);
  Restart();
  Submit(id, Turn("k19", "go on"));
  const size_t first = quota_.requests().size();
  ASSERT_TRUE(Compacts());
  const int calls = AnswerCompactions();
  EXPECT_GE(calls, 6);
  for (size_t i = first - 1; i < quota_.requests().size(); ++i) {
    const auto& request = quota_.requests()[i];
    EXPECT_LE(EstimateTokens(CountPromptCharacters(request)) + request.max_output_tokens(), 30'000) << i;
  }
  ASSERT_FALSE(Compacts());
  EXPECT_THAT(ContextText(), HasSubstr(kRules));
  EXPECT_THAT(ContextText(), HasSubstr("go on"));
  AnswerCall({Said("done")});
  EXPECT_THAT(Log(id), Contains("completed").Times(20));
}

// What was known of the model when the turn began is some seconds old.
TEST_F(HostCompaction, ALimitThatSankMeanwhileIsFoundByTheCallAndTheContextIsCompacted) {
  SetLimits(0, 1'000'000);
  const std::string id = CreateSession();
  for (int i = 1; i <= 4; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  SetLimits(0, 15'000);
  Submit(id, Turn("k5", "go on"));
  EXPECT_FALSE(Compacts());
  ErrorDetails details;
  details.violations.push_back({"model:o4-mini", "too large", "tokens", 15'000});
  EndCall(ToGrpc(absl::FailedPreconditionError("can never fit"), details));
  ASSERT_TRUE(Compacts());
  EXPECT_GE(AnswerCompactions(), 1);
  EXPECT_THAT(ContextText(), HasSubstr("go on"));
  AnswerCall({Said("done")});
  EXPECT_THAT(Log(id), Contains("completed").Times(5));
  EXPECT_THAT(Log(id), Not(Contains("failed 9")));
}

TEST_F(HostCompaction, ACallThatCanNeverFitWhateverIsCompactedFailsTheTurn) {
  SetLimits(0, 1'000'000);
  const std::string id = CreateSession();
  RunTurn(id, "k1", "request", "short");
  SetLimits(0, 15'000);
  Submit(id, Turn("k2", "go on"));
  ErrorDetails details;
  details.violations.push_back({"model:o4-mini", "too large", "tokens", 15'000});
  EndCall(ToGrpc(absl::FailedPreconditionError("can never fit"), details));
  EXPECT_EQ(Log(id).back(), "failed 9");
}

TEST_F(HostCompaction, ARestartTakesTheCallUpAgainWithTheSameBytes) {
  SetLimits(0, 20'000);
  const std::string id = CreateSession();
  for (int i = 1; i <= 3; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  ASSERT_TRUE(Compacts());
  const std::string sent = quota_.requests().back().SerializeAsString();
  Restart();
  ASSERT_THAT(quota_.requests(), SizeIs(5));
  EXPECT_EQ(quota_.requests().back().SerializeAsString(), sent);
  EXPECT_EQ(AnswerCompactions(), 1);
}

TEST_F(HostCompaction, AForkMeanwhileDoesNotMakeTheOriginalsCall) {
  SetLimits(0, 20'000);
  const std::string id = CreateSession();
  for (int i = 1; i <= 3; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  ASSERT_TRUE(Compacts());
  v1::ForkSessionRequest request;
  request.set_session_id(id);
  Answer<absl::StatusOr<v1::Session>> fork;
  host_->copies().Fork("team", request, fork.Callback());
  loop_.RunUntilIdle();
  ASSERT_TRUE(fork->ok()) << fork->status();
  const size_t calls = quota_.requests().size();
  host_->With("team", (*fork)->session_id(), [](const auto& session) { EXPECT_TRUE(session.ok()); });
  loop_.RunUntilIdle();
  EXPECT_THAT(quota_.requests(), SizeIs(calls));
}

TEST_F(HostCompaction, ATurnEndsTheCompactionThatRuns) {
  SetLimits(0, 20'000);
  const std::string id = CreateSession();
  for (int i = 1; i <= 3; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  const std::string compaction = quota_.requests().back().call_id();
  Submit(id, Turn("k4", "at once"));
  EXPECT_THAT(quota_.cancelled(), ElementsAre(compaction));
  EXPECT_FALSE(Compacts());
  EXPECT_THAT(ContextText(), HasSubstr("at once"));
  AnswerCall({Said("done")});
  EXPECT_TRUE(Compacts()) << "it is taken up after the turn";
}

TEST_F(HostCompaction, CancellingATurnEndsTheCompactionInIt) {
  const std::string id = CreateSession();
  for (int i = 1; i <= 4; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  SetLimits(0, 15'000);
  Submit(id, Turn("k5", "go on"));
  ASSERT_TRUE(Compacts());
  const std::string compaction = quota_.requests().back().call_id();
  EXPECT_TRUE((*Cancel(id))->cancelled());
  EXPECT_THAT(quota_.cancelled(), ElementsAre(compaction));
  EXPECT_THAT(Log(id), Contains("failed 1"));
}

TEST_F(HostCompaction, OneThatFailsInATurnIsNotTriedAgainInIt) {
  const std::string id = CreateSession();
  for (int i = 1; i <= 4; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  SetLimits(0, 15'000);
  Submit(id, Turn("k5", "go on"));
  ASSERT_TRUE(Compacts());
  EndCall({grpc::StatusCode::INVALID_ARGUMENT, "no"});
  EXPECT_THAT(Log(id), Contains("not compacted").Times(1));
  EXPECT_EQ(Failure(id).code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(Failure(id).never_fits());
}

TEST_F(HostCompaction, AWaitLongerThanTheTurnAllowsEndsTheTurnAndNotForEver) {
  const std::string id = CreateSession();
  for (int i = 1; i <= 4; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  SetLimits(0, 15'000);
  Submit(id, Turn("k5", "go on"));
  ASSERT_TRUE(Compacts());
  SendWait(30);
  EXPECT_EQ(Log(id).back(), "wait 30");
  EndCall({grpc::StatusCode::RESOURCE_EXHAUSTED, "too long"});
  EXPECT_EQ(Failure(id).code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_FALSE(Failure(id).never_fits());
  SetLimits(0);
  Submit(id, Turn("k6", "go on"));
  EXPECT_EQ(Log(id).back(), "call 1");
}

TEST_F(HostCompaction, WhatItSaysIsNotShownAsTheTurnsOwnWords) {
  const std::string id = CreateSession();
  for (int i = 1; i <= 4; ++i) RunTurn(id, "k" + std::to_string(i), "request", long_);
  SetLimits(0, 15'000);
  Submit(id, Turn("k5", "go on"));
  ASSERT_TRUE(Compacts());
  Send(DeltaOf("m", 0, "{"));
  EXPECT_GE(AnswerCompactions(), 1);
  EXPECT_EQ(Log(id).back(), "call 1");
}

TEST_F(HostCompaction, ThePlanIsKeptWithTheSession) {
  const std::string id = CreateSession();
  v1::SubmitTurnRequest request = Turn();
  request.add_tools()->set_name("update_plan");
  Submit(id, request);
  quota::v1::Item plan = Asked("c1", "update_plan");
  plan.mutable_tool_call()->set_arguments(R"({"plan":[{"step":"look","status":"in_progress"}]})");
  AnswerCall({plan});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "plan", "call 2"));
  EXPECT_EQ(Summary(id).plan().steps(0).step(), "look");
  EXPECT_EQ(quota_.requests().back().items(2).tool_result().output(), "The plan is kept.");
  Restart();
  EXPECT_EQ(Summary(id).plan().steps(0).step(), "look");
}

}  // namespace
}  // namespace holdfast::agent
