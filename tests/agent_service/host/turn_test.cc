#include "agent_service/host/log_row.h"
#include "tests/agent_service/host/forwarding_store.h"
#include "tests/agent_service/host/host_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class HostTurn : public HostTest {};

TEST_F(HostTurn, RunsThroughToolCallsToItsCompletion) {
  const std::string id = CreateSession();
  const TurnAnswer turn = Submit(id);
  ASSERT_TRUE(turn.has_value() && turn->ok());
  EXPECT_EQ((*turn)->sequence(), 2);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
  AnswerCall({Said("let me look"), Asked("c1"), Asked("c2")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer"));
  EXPECT_EQ(Summary(id).status(), v1::SESSION_STATUS_TOOLS);
  EXPECT_TRUE((*SubmitResult(id, "c2", "two"))->accepted());
  EXPECT_THAT(quota_.requests(), SizeIs(1));
  EXPECT_TRUE((*SubmitResult(id, "c1", "one"))->accepted());
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  AnswerCall({Said("done")});
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "result c2", "result c1", "call 2", "answer",
                                   "completed"));

  const v1::Session summary = Summary(id);
  EXPECT_EQ(summary.session_id(), id);
  EXPECT_EQ(summary.status(), v1::SESSION_STATUS_IDLE);
  EXPECT_EQ(summary.last_sequence(), 9);
  EXPECT_EQ(summary.title(), "hello");
  EXPECT_EQ(summary.usage().input_tokens(), 200);
  EXPECT_EQ(Events(id).back().turn_completed().usage().output_tokens(), 20);
  EXPECT_THAT(observer_.outcomes, ElementsAre("completed"));
  EXPECT_THAT(quota_.cancelled(), IsEmpty());
}

// Counts the events of each append.
class CountingStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  void Append(AppendRequest request, Callback<int64_t> done) override {
    appended.push_back(request.events.size());
    ForwardingStore::Append(std::move(request), std::move(done));
  }
  std::vector<size_t> appended;
};

class HostTurnOfAKnownModel : public HostTest {
 protected:
  // Of so many tokens, by a turn of another session.
  void Learn(int64_t largest_admissible) {
    quota::v1::GetModelResponse model;
    model.set_largest_admissible_tokens(largest_admissible);
    quota_.SetModel(grpc::Status::OK, model);
    Submit(CreateSession());
    AnswerCall({Said("hi")});
    ASSERT_EQ(quota_.models_asked(), 1);
    counting_.appended.clear();
  }
  void SetUp() override { Restart(&counting_); }

  CountingStore counting_{store_};
};

TEST_F(HostTurnOfAKnownModel, BeginsItsCallInTheSameCommit) {
  Learn(10'000);
  const std::string id = CreateSession();
  const TurnAnswer turn = Submit(id);
  EXPECT_EQ((*turn)->sequence(), 2);
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
  EXPECT_THAT(quota_.requests(), SizeIs(2));
  AnswerCall({Asked("c1"), Asked("c2")});
  SubmitResult(id, "c1");
  SubmitResult(id, "c2");
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "result c1", "result c2", "call 2"));
  EXPECT_THAT(counting_.appended, ElementsAre(1, 2, 1, 1, 2));
  EXPECT_EQ(quota_.models_asked(), 1);
  AnswerCall({Said("done")});
  EXPECT_EQ(Log(id).back(), "completed");
}

// Counts what is read.
class ReadCountingStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  void Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
            Callback<std::vector<LogRow>> done) override {
    ++reads;
    ForwardingStore::Read(std::move(tenant), std::move(session_id), after_sequence, limit, std::move(done));
  }
  int reads = 0;
};

TEST_F(HostTurn, OfASessionThatWasJustMadeReadsNothingAndOneThatWasLetGoIsReadOnce) {
  ReadCountingStore store(store_);
  Restart(&store);
  const std::string id = CreateSession();
  Submit(id);
  EXPECT_EQ(store.reads, 0);
  AnswerCall({Said("hi")});
  loop_.Advance(std::chrono::seconds(2));
  EXPECT_EQ(host_->active(), 0U);
  Submit(id, Turn("k2"));
  EXPECT_EQ(store.reads, 1);
  EXPECT_EQ(Log(id).back(), "call 1");
  Stop();
}

TEST_F(HostTurnOfAKnownModel, IsMeasuredAgainstAFreshAnswerWhereItMayNotFit) {
  Learn(1000);
  Submit(CreateSession(), Turn("k1", std::string(3900, 'x')));
  EXPECT_EQ(quota_.models_asked(), 2);
  EXPECT_THAT(counting_.appended, ElementsAre(1, 1, 1));
}

TEST_F(HostTurnOfAKnownModel, AsksAgainAfterTenSeconds) {
  Learn(10'000);
  loop_.Advance(std::chrono::seconds(11));
  Submit(CreateSession());
  EXPECT_EQ(quota_.models_asked(), 2);
  EXPECT_THAT(counting_.appended, ElementsAre(1, 1, 1));
}

TEST_F(HostTurnOfAKnownModel, AsksBesideItsCallAfterTwoSeconds) {
  Learn(10'000);
  loop_.Advance(std::chrono::seconds(3));
  Submit(CreateSession());
  EXPECT_THAT(counting_.appended, ElementsAre(1, 2));
  EXPECT_EQ(quota_.models_asked(), 2);
}

TEST_F(HostTurnOfAKnownModel, OfWhichNoLimitIsKnownAnyMoreIsAskedForItAgain) {
  Learn(10'000);
  quota_.SetModel(grpc::Status::OK, {});
  loop_.Advance(std::chrono::seconds(3));
  Submit(CreateSession());  // asks beside its call
  Submit(CreateSession());
  EXPECT_EQ(quota_.models_asked(), 3);
}

TEST_F(HostTurn, SendsTheConversationWithEveryCall) {
  const std::string id = CreateSession();
  const TurnAnswer turn = Submit(id);
  AnswerCall({Asked("c1")});
  SubmitResult(id, "c1", "output");
  const quota::v1::GenerateRequest& request = quota_.requests().back();
  EXPECT_EQ(request.call_id(), id + "/" + (*turn)->turn_id() + "/2");
  EXPECT_EQ(request.tenant(), "team");
  EXPECT_EQ(request.session_id(), id);
  EXPECT_EQ(request.model(), "o4-mini");
  ASSERT_EQ(request.items_size(), 3);
  EXPECT_EQ(request.items(0).message().parts(0).text(), "hello");
  EXPECT_EQ(request.items(1).tool_call().call_id(), "c1");
  EXPECT_EQ(request.items(2).tool_result().output(), "output");
}

TEST_F(HostTurn, RecordsWhatTheAnswerWas) {
  const std::string id = CreateSession();
  const TurnAnswer turn = Submit(id);
  AnswerCall({Said("hi")}, 2.5);
  const v1::ModelAnswered answered = Events(id)[3].model_answered();
  EXPECT_EQ(answered.turn_id(), (*turn)->turn_id());
  EXPECT_EQ(answered.call_id(), quota_.requests()[0].call_id());
  ASSERT_EQ(answered.items_size(), 1);
  EXPECT_EQ(answered.items(0).SerializeAsString(), Said("hi").SerializeAsString());
  EXPECT_EQ(answered.usage().input_tokens(), 100);
  EXPECT_EQ(answered.finish_reason(), quota::v1::FINISH_REASON_STOP);
  EXPECT_EQ(answered.upstream(), "openai");
  EXPECT_EQ(answered.response_id(), "resp_1");
  EXPECT_DOUBLE_EQ(answered.waited_seconds(), 2.5);
  EXPECT_DOUBLE_EQ(Events(id)[4].turn_completed().waited_seconds(), 2.5);
}

TEST_F(HostTurn, FillsInTheDefaultsOfATurn) {
  const std::string id = CreateSession();
  Submit(id);
  const v1::TurnStarted started = Events(id)[1].turn_started();
  EXPECT_EQ(started.model(), "o4-mini");
  EXPECT_EQ(started.max_wait().seconds(), 900);
  EXPECT_EQ(started.max_steps(), 100);
  EXPECT_EQ(started.client_key(), "k1");
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 900);
}

TEST_F(HostTurn, ATurnThatSomebodyLooksOnAtMayWaitLonger) {
  const std::string id = CreateSession();
  v1::SubmitTurnRequest request = Turn();
  request.set_attended(true);
  Submit(id, request);
  EXPECT_EQ(Events(id)[1].turn_started().max_wait().seconds(), 3600);
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 3600);
  const std::string bounded = CreateSession();
  request.mutable_max_wait()->set_seconds(7);
  Submit(bounded, request);
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 7) << "what is asked for goes before every default";
}

TEST_F(HostTurn, TakesWhatTheTurnNamesOverTheDefaults) {
  const std::string id = CreateSession();
  v1::SubmitTurnRequest request = Turn();
  request.set_model("bigger");
  request.mutable_max_wait()->set_nanos(500'000'000);
  request.set_max_steps(1);
  request.set_max_output_tokens(512);
  request.set_reasoning_effort("high");
  request.set_instructions("be brief");
  request.add_tools()->set_name("shell");
  Submit(id, request);
  const quota::v1::GenerateRequest& sent = quota_.requests().back();
  EXPECT_EQ(sent.model(), "bigger");
  EXPECT_EQ(sent.max_output_tokens(), 512);
  EXPECT_EQ(sent.reasoning_effort(), "high");
  EXPECT_EQ(sent.instructions(), "be brief");
  EXPECT_EQ(sent.tools_size(), 1);
  EXPECT_DOUBLE_EQ(MaxWaitSent(), 0.5);
  AnswerCall({Asked("c1")});
  SubmitResult(id, "c1");
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "result c1", "failed 11"));
  EXPECT_THAT(observer_.outcomes, ElementsAre("out_of_range"));
}

TEST_F(HostTurn, AnEmptyAnswerAfterToolsEndsTheTurn) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1")});
  SubmitResult(id, "c1");
  AnswerCall({});
  EXPECT_THAT(Log(id),
              ElementsAre("created", "turn", "call 1", "answer", "result c1", "call 2", "answer", "completed"));
}

TEST_F(HostTurn, ASecondTurnOnABusySessionIsAborted) {
  const std::string id = CreateSession();
  const TurnAnswer first = Submit(id);
  const TurnAnswer second = Submit(id, Turn("k2"));
  ASSERT_TRUE(second.has_value());
  EXPECT_TRUE(absl::IsAborted(second->status())) << second->status();
  EXPECT_THAT(std::string(second->status().message()), testing::HasSubstr((*first)->turn_id()));
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
}

TEST_F(HostTurn, TheSameClientKeyIsTheSameTurnWhileItRunsAndAfterwards) {
  const std::string id = CreateSession();
  const TurnAnswer first = Submit(id);
  for (int phase = 0; phase < 3; ++phase) {
    const TurnAnswer again = Submit(id);
    ASSERT_TRUE(again.has_value() && again->ok());
    EXPECT_EQ((*again)->turn_id(), (*first)->turn_id());
    EXPECT_EQ((*again)->sequence(), (*first)->sequence());
    if (phase == 0) AnswerCall({Said("hi")});
    if (phase == 1) Restart();
  }
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "completed"));
}

TEST_F(HostTurn, TheSameClientKeyForOtherWordsIsRefused) {
  const std::string id = CreateSession();
  Submit(id);
  v1::SubmitTurnRequest input = Turn("k1", "something else");
  v1::SubmitTurnRequest more = Turn();
  more.add_input()->set_text("and more");
  v1::SubmitTurnRequest instructions = Turn();
  instructions.set_instructions(instructions.instructions() + "Be brief.");
  v1::SubmitTurnRequest model = Turn();
  model.set_model("another");
  for (const bool restarted : {false, true}) {
    if (restarted) Restart();
    for (const v1::SubmitTurnRequest& request : {input, more, instructions, model}) {
      const TurnAnswer refused = Submit(id, request);
      EXPECT_TRUE(absl::IsAlreadyExists(refused->status())) << refused->status();
      EXPECT_THAT(std::string(refused->status().message()), testing::HasSubstr("client_key: k1 was used before"));
    }
    EXPECT_TRUE(Submit(id)->ok());
    v1::SubmitTurnRequest named = Turn();
    named.set_model("o4-mini");
    EXPECT_TRUE(Submit(id, named)->ok()) << "the session's model by its name";
  }
  AnswerCall({Said("hi")});
  EXPECT_TRUE(absl::IsAlreadyExists(Submit(id, input)->status()));
  EXPECT_TRUE(Submit(id)->ok());
}

TEST_F(HostTurn, TheSameClientKeyTwiceAtOnceStartsOneTurn) {
  const std::string id = CreateSession();
  store_.HoldAppends();
  const TurnAnswer first = Submit(id);
  const TurnAnswer second = Submit(id);
  EXPECT_FALSE(first.has_value());
  EXPECT_FALSE(second.has_value());
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ((*first)->turn_id(), (*second)->turn_id());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
}

TEST_F(HostTurn, ATurnIsAcknowledgedOnlyOnceItIsDurable) {
  const std::string id = CreateSession();
  store_.HoldAppends();
  const TurnAnswer turn = Submit(id);
  EXPECT_FALSE(turn.has_value());
  EXPECT_THAT(quota_.requests(), IsEmpty());
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_TRUE(turn.has_value() && turn->ok());
}

TEST_F(HostTurn, ACallIsSentOnlyOnceItsStartIsDurable) {
  const std::string id = CreateSession();
  quota_.HoldModels();
  Submit(id);
  store_.HoldAppends();
  quota_.ReleaseModels();
  loop_.RunUntilIdle();
  EXPECT_EQ(store_.held(), 1);
  EXPECT_THAT(quota_.requests(), IsEmpty());
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_THAT(quota_.requests(), SizeIs(1));
}

TEST_F(HostTurn, TheFirstResultOfAToolCallWins) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1"), Asked("c2")});
  EXPECT_TRUE((*SubmitResult(id, "c1", "first"))->accepted());
  EXPECT_FALSE((*SubmitResult(id, "c1", "second"))->accepted());
  const std::vector<v1::SessionEvent> events = Events(id);
  ASSERT_THAT(events, SizeIs(5));
  EXPECT_EQ(events[4].tool_result_recorded().result().output(), "first");
}

TEST_F(HostTurn, TwoResultsAtOnceForOneCallAreOne) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1"), Asked("c2")});
  store_.HoldAppends();
  const ResultAnswer first = SubmitResult(id, "c1", "first");
  const ResultAnswer second = SubmitResult(id, "c1", "second");
  EXPECT_FALSE(first.has_value());
  store_.ReleaseAppends();
  loop_.RunUntilIdle();
  EXPECT_TRUE((*first)->accepted());
  EXPECT_FALSE((*second)->accepted());
}

TEST_F(HostTurn, ResultsOfUnknownCallsAndOfEndedTurnsAreIgnored) {
  const std::string id = CreateSession();
  EXPECT_FALSE((*SubmitResult(id, "c1"))->accepted());
  Submit(id);
  EXPECT_FALSE((*SubmitResult(id, "c1"))->accepted());
  AnswerCall({Asked("c1")});
  EXPECT_FALSE((*SubmitResult(id, "c9"))->accepted());
  Cancel(id);
  EXPECT_FALSE((*SubmitResult(id, "c1"))->accepted());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1", "answer", "failed 1"));
}

TEST_F(HostTurn, TwoSessionsDoNotDisturbEachOther) {
  const std::string a = CreateSession();
  const std::string b = CreateSession();
  Submit(a);
  Submit(b);
  ASSERT_THAT(quota_.requests(), SizeIs(2));
  for (auto& event : AnswerOf({Asked("c1")}).events) quota_.SendTo(0, std::move(event));
  quota_.EndOf(0, grpc::Status::OK);
  quota_.EndOf(1, {grpc::StatusCode::INVALID_ARGUMENT, "model: unknown"});
  loop_.RunUntilIdle();
  EXPECT_THAT(Log(a), ElementsAre("created", "turn", "call 1", "answer"));
  EXPECT_THAT(Log(b), ElementsAre("created", "turn", "call 1", "failed 3"));
  EXPECT_FALSE((*SubmitResult(b, "c1"))->accepted());
  EXPECT_TRUE((*SubmitResult(a, "c1"))->accepted());
}

TEST_F(HostTurn, CreatingAnotherSessionWithTheSameClientKeyIsRefused) {
  v1::CreateSessionRequest request;
  request.set_client_key("key");
  request.set_model("o4-mini");
  request.set_workspace("/w");
  const CreateAnswer made = Create(request);
  ASSERT_TRUE(made->ok());
  request.set_workspace("/elsewhere");
  const CreateAnswer elsewhere = Create(request);
  request.set_workspace("/w");
  request.set_model("o3");
  const CreateAnswer other = Create(request);
  for (const CreateAnswer& refused : {elsewhere, other}) {
    EXPECT_TRUE(absl::IsAlreadyExists(refused->status())) << refused->status();
    EXPECT_THAT(std::string(refused->status().message()), HasSubstr("client_key: key was used before"));
    EXPECT_THAT(std::string(refused->status().message()), HasSubstr("o4-mini in workspace /w"));
  }
  request.clear_model();
  const CreateAnswer again = Create(request, "a default that changed");
  ASSERT_TRUE(again->ok()) << again->status();
  EXPECT_EQ((*again)->session_id(), (*made)->session_id());
}

TEST_F(HostTurn, CreatingWithTheSameClientKeyGivesTheSameSession) {
  const std::string id = CreateSession("job-1");
  Submit(id);
  EXPECT_EQ(CreateSession("job-1"), id);
  EXPECT_NE(CreateSession("job-2"), id);
  EXPECT_NE(CreateSession(), CreateSession());
  EXPECT_THAT(Log(id), ElementsAre("created", "turn", "call 1"));
}

TEST_F(HostTurn, SessionsOfOtherTenantsAreNotFound) {
  const std::string id = CreateSession();
  Answer<absl::StatusOr<std::shared_ptr<ActiveSession>>> other;
  host_->With("rivals", id, other.Callback());
  loop_.RunUntilIdle();
  ASSERT_TRUE(other.has_value());
  EXPECT_TRUE(absl::IsNotFound(other->status()));
}

TEST_F(HostTurn, SessionsAreLetGoOnceNothingRuns) {
  const std::string id = CreateSession();
  Submit(id);
  loop_.Advance(std::chrono::seconds(5));
  EXPECT_EQ(host_->active(), 1U);
  AnswerCall({Said("hi")});
  loop_.Advance(std::chrono::seconds(5));
  EXPECT_EQ(host_->active(), 0U);
  EXPECT_TRUE(Submit(id, Turn("k2"))->ok());
}

TEST_F(HostTurn, ALogOfManyPagesIsReadWhole) {
  const std::string id = CreateSession();
  Submit(id);
  AnswerCall({Asked("c1"), Asked("last")});
  for (int i = 0; i < 2100; ++i) {
    v1::SessionEvent note = WaitEvent(1, 1);
    AppendRequest append;
    append.session.tenant = "team";
    append.session.session_id = id;
    append.session.running = true;
    append.session.summary = Summary(id).SerializeAsString();
    append.expected_sequence = 4 + i;
    append.generation = 1;
    append.events.push_back(RowOfEvent(note, loop_.WallNow()));
    store_.Append(std::move(append), [](const absl::StatusOr<int64_t>&) {});
  }
  Restart();
  EXPECT_TRUE((*SubmitResult(id, "last"))->accepted());
  EXPECT_EQ(Events(id).back().sequence(), 2105);
}

}  // namespace
}  // namespace holdfast::agent
