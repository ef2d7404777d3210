#include "common/rpc/status.h"
#include "tests/agent_service/service/service_test_base.h"
#include "tests/agent_service/session/event_samples.h"

namespace holdfast::agent {
namespace {

using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WatchTest : public ServiceTest {
 protected:
  // A session whose first call was begun and is silent.
  std::string RunningSession() {
    const std::string id = CreateSession();
    EXPECT_TRUE(SubmitTurn(id).ok());
    Watch(id)->Until(v1::SessionEvent::kModelCallStarted);
    return id;
  }

  static std::vector<std::string> Bytes(const std::vector<v1::SessionEvent>& events) {
    std::vector<std::string> bytes;
    for (const v1::SessionEvent& event : events) bytes.push_back(event.SerializeAsString());
    return bytes;
  }
};

TEST_F(WatchTest, TellsTheHistoryThenThatItIsCaughtUpThenWhatHappens) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  EXPECT_THAT(watch->History(), SizeIs(3));
  AnswerCall({Said("hi")});
  EXPECT_THAT(watch->Until(v1::SessionEvent::kTurnCompleted), SizeIs(2));
}

TEST_F(WatchTest, BeginsAfterItsCursor) {
  const std::string id = RunningSession();
  const auto watch = Watch(id, 2);
  const std::vector<v1::SessionEvent> history = watch->History();
  ASSERT_THAT(history, SizeIs(1));
  EXPECT_TRUE(history[0].has_model_call_started());
  EXPECT_THAT(Watch(id, 3)->History(), IsEmpty());
}

// Such a cursor is of another session, or of a store that was put back; to be silent until the log has grown would lose
// events.
TEST_F(WatchTest, ACursorBeyondTheLogIsRefused) {
  const std::string id = RunningSession();
  const auto watch = Watch(id, 4);
  EXPECT_FALSE(watch->Next());
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("after_sequence: 4"));
}

TEST_F(WatchTest, ACursorBeyondTheLogGetsTheSessionAsItIsWhereThatIsAccepted) {
  const std::string id = RunningSession();
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer token-a");
  v1::WatchRequest request;
  request.set_session_id(id);
  request.set_after_sequence(99);
  request.set_accept_snapshot(true);
  const auto reader = stub_->Watch(&context, request);
  v1::WatchEvent event;
  ASSERT_TRUE(reader->Read(&event));
  ASSERT_TRUE(event.has_cursor_expired());
  EXPECT_EQ(event.cursor_expired().session().last_sequence(), 3);
  EXPECT_EQ(event.cursor_expired().session().session_id(), id);
  ASSERT_EQ(event.cursor_expired().newest_size(), 1);
  EXPECT_EQ(event.cursor_expired().newest(0).message().parts(0).text(), "hello");
  EXPECT_FALSE(event.cursor_expired().more());
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.caught_up().last_sequence(), 3);
  AnswerCall({Said("hi")});
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.event().sequence(), 4);
  context.TryCancel();
}

TEST_F(WatchTest, PassesOnWhatIsTransientInItsOrder) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  watch->History();
  Send(AdmittedAfter(0.5));
  Send(DeltaOf("m1", 0, "hel"));
  Send(RestartedOf());
  Send(DeltaOf("m1", 0, "he"));
  Send(DeltaOf("m1", 2, "y"));
  AnswerCall({Said("hey")});
  EXPECT_DOUBLE_EQ(watch->Next()->admitted().waited_seconds(), 0.5);
  EXPECT_EQ(watch->Next()->delta().text(), "hel");
  EXPECT_EQ(watch->Next()->restarted().cause(), "begun anew");
  EXPECT_EQ(watch->Next()->delta().text(), "he");
  EXPECT_EQ(watch->Next()->delta().offset(), 2);
  EXPECT_TRUE(watch->Next()->event().has_model_answered());
  EXPECT_TRUE(watch->Next()->event().has_turn_completed());
}

TEST_F(WatchTest, AWaitThatIsUnderWayIsToldAfterCaughtUpWithWhatIsLeftOfIt) {
  const std::string id = RunningSession();
  Send(WaitOf(1000, loop_.WallNow()));
  Watch(id)->Until(v1::SessionEvent::kWaitNoted);
  const auto watch = Watch(id);
  EXPECT_THAT(watch->History(), SizeIs(4));
  const auto wait = watch->Next();
  ASSERT_TRUE(wait && wait->has_wait());
  EXPECT_LE(wait->wait().seconds(), 1000);
  EXPECT_GT(wait->wait().seconds(), 900);
  Send(AdmittedAfter(1));
  EXPECT_TRUE(watch->Next()->has_admitted());
  const auto late = Watch(id);
  late->History();
  Send(DeltaOf("m1", 0, "x"));
  EXPECT_TRUE(late->Next()->has_delta()) << "a wait that is over";
}

TEST_F(WatchTest, AWaitThatBarelyMovesIsToldButNotWritten) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  watch->History();
  Send(WaitOf(1000, loop_.WallNow()));
  EXPECT_EQ(watch->Next()->wait().seconds(), 1000);
  EXPECT_EQ(watch->Next()->event().wait_noted().wait().seconds(), 1000);
  Send(WaitOf(1001, loop_.WallNow()));
  EXPECT_EQ(watch->Next()->wait().seconds(), 1001);
}

// The disk may be slower than the wait is long.
TEST_F(WatchTest, AWaitIsToldBeforeItIsOverHoweverLateItIsWritten) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  watch->History();
  OnLoop([this] { store_.HoldAppends(); });
  Send(WaitOf(0.01, loop_.WallNow()));
  Send(AdmittedAfter(0.01));
  EXPECT_TRUE(watch->Next()->has_wait());
  EXPECT_TRUE(watch->Next()->has_admitted());
  OnLoop([this] { store_.ReleaseAppends(); });
  EXPECT_TRUE(watch->Next()->event().has_wait_noted());
}

TEST_F(WatchTest, WhileTheLogCannotBeWrittenWatchersAreRefusedWithTheReason) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  watch->History();
  store_.FailNextAppends(1'000'000, absl::ResourceExhaustedError("no space left for /x/sessions.db"));
  AnswerCall({Said("hi")});
  const auto expect_refused = [](WatchCall& call) {
    EXPECT_FALSE(call.Next());
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("no space left for /x/sessions.db"));
    EXPECT_TRUE(DetailsOf(status).retry_delay);
  };
  expect_refused(*watch);
  expect_refused(*Watch(id, 3));
  const grpc::Status command = SubmitToolResult(id, "c1", "r");
  EXPECT_EQ(command.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_TRUE(DetailsOf(command).retry_delay);

  store_.FailNextAppends(0, absl::OkStatus());
  std::optional<v1::WatchEvent> first;
  std::unique_ptr<WatchCall> again;
  const BootTime give_up = BootClock::now() + std::chrono::seconds(30);
  while (!first && BootClock::now() < give_up) {
    again = Watch(id, 3);
    first = again->Next();
  }
  ASSERT_TRUE(first && first->has_event());
  EXPECT_TRUE(first->event().has_model_answered());
  EXPECT_THAT(again->Until(v1::SessionEvent::kTurnCompleted), SizeIs(1));
}

TEST_F(WatchTest, QuotaServiceBeingAwayIsAWaitUntilTheCallIsHeardOfAgain) {
  const std::string id = RunningSession();
  Send(AdmittedAfter(0));
  const auto watch = Watch(id);
  watch->History();
  OnLoop([this] {
    quota_.Play({{}, grpc::Status(StatusCode::UNAVAILABLE, "bytes \xff")});
    quota_.Play({{DeltaOf("m1", 0, "x")}, std::nullopt});
    quota_.End({StatusCode::UNAVAILABLE, "connection refused"});
  });
  const auto wait = watch->Next();
  ASSERT_TRUE(wait && wait->has_wait());
  EXPECT_EQ(wait->wait().reason(), quota::v1::WAIT_REASON_QUOTA_SERVICE);
  EXPECT_TRUE(watch->Next()->event().has_wait_noted());
  EXPECT_TRUE(watch->Next()->has_delta());
  const auto late = Watch(id);
  late->History();
  Send(DeltaOf("m1", 1, "y"));
  EXPECT_TRUE(late->Next()->has_delta()) << "a wait that is over";
}

TEST_F(WatchTest, ManyWatchersSeeTheSame) {
  const std::string id = RunningSession();
  std::vector<std::unique_ptr<WatchCall>> watches;
  std::vector<std::vector<std::string>> seen;
  for (int i = 0; i < 8; ++i) watches.push_back(Watch(id));
  AnswerCall({Said("hi")});
  for (const auto& watch : watches) seen.push_back(Bytes(watch->Until(v1::SessionEvent::kTurnCompleted)));
  for (const auto& one : seen) EXPECT_EQ(one, seen[0]);
}

TEST_F(WatchTest, LiveReplayedAndAfterARestartTheEventsAreTheSame) {
  const std::string id = CreateSession();
  const auto watch = Watch(id);
  ASSERT_TRUE(SubmitTurn(id).ok());
  std::vector<v1::SessionEvent> live = watch->Until(v1::SessionEvent::kModelCallStarted);
  Send(WaitOf(30, loop_.WallNow()));
  AnswerCall({Said("let me look"), Asked("c1")});
  for (const auto& event : watch->Until(v1::SessionEvent::kModelAnswered)) live.push_back(event);
  ASSERT_TRUE(SubmitToolResult(id, "c1", "out\nput").ok());
  for (const auto& event : watch->Until(v1::SessionEvent::kModelCallStarted)) live.push_back(event);
  AnswerCall({Said("done")});
  for (const auto& event : watch->Until(v1::SessionEvent::kTurnCompleted)) live.push_back(event);

  EXPECT_EQ(Bytes(Watch(id)->History()), Bytes(live));
  Restart();
  EXPECT_EQ(Bytes(Watch(id)->History()), Bytes(live));
  const std::vector<v1::SessionEvent> tail = Watch(id, 4)->History();
  EXPECT_EQ(Bytes(tail), Bytes({live.begin() + 4, live.end()}));
}

TEST_F(WatchTest, ALongHistoryComesWholeAndInOrder) {
  const std::string id = CreateSession();
  auto watch = Watch(id);
  ASSERT_TRUE(SubmitTurn(id).ok());
  watch->Until(v1::SessionEvent::kModelCallStarted);
  std::vector<quota::v1::Item> calls;
  for (int i = 0; i < 450; ++i) calls.push_back(Asked("c" + std::to_string(i)));
  AnswerCall(calls);
  watch->Until(v1::SessionEvent::kModelAnswered);
  watch.reset();
  for (int i = 0; i < 450; ++i) {
    ASSERT_TRUE(SubmitToolResult(id, "c" + std::to_string(i), std::string(20'000, 'x')).ok());
  }
  Watch(id, 454)->Until(v1::SessionEvent::kModelCallStarted);
  EXPECT_EQ(Watch(id)->History().size(), 455U);
}

TEST_F(WatchTest, AWatcherMoreThanAMebibyteBehindIsCutOffAndContinuesByItsCursor) {
  const std::string id = RunningSession();
  const auto slow = Watch(id);
  slow->History();
  for (int i = 0; i < 512; ++i) Send(DeltaOf("m1", i * 65'536, std::string(65'536, 'x')));
  AnswerCall({Said("hi")});
  Watch(id)->Until(v1::SessionEvent::kTurnCompleted);

  size_t deltas = 0;
  while (const auto next = slow->Next()) {
    ASSERT_TRUE(next->has_delta());
    ++deltas;
  }
  EXPECT_LT(deltas, 512U);
  const grpc::Status status = slow->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailsOf(status).empty()) << "it would be taken for a quota";
  EXPECT_THAT(Watch(id, 3)->History(), SizeIs(2));
}

TEST_F(WatchTest, AHistoryBehindASlowReaderIsNotCutOff) {
  const std::string id = CreateSession();
  const auto watch = Watch(id);
  ASSERT_TRUE(SubmitTurn(id).ok());
  watch->Until(v1::SessionEvent::kModelCallStarted);
  AnswerCall({Asked("c1"), Asked("c2"), Asked("c3"), Asked("c4"), Asked("c5")});
  watch->Until(v1::SessionEvent::kModelAnswered);
  for (const char* call : {"c1", "c2", "c3", "c4"}) {
    ASSERT_TRUE(SubmitToolResult(id, call, std::string(7 * 1024 * 1024, 'x')).ok());
    watch->Until(v1::SessionEvent::kToolResultRecorded);
  }
  const auto slow = Watch(id);
  ASSERT_TRUE(SubmitToolResult(id, "c5", "x").ok());
  watch->Until(v1::SessionEvent::kModelCallStarted);
  EXPECT_EQ(slow->History().size(), 10U);
}

TEST_F(WatchTest, EndsWithTheSession) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  watch->History();
  v1::DeleteSessionRequest request;
  request.set_session_id(id);
  v1::DeleteSessionResponse response;
  ASSERT_TRUE(stub_->DeleteSession(Context().get(), request, &response).ok());
  EXPECT_FALSE(watch->Next());
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::NOT_FOUND);
}

TEST_F(WatchTest, EndsWithTheServiceAndAsksToComeBack) {
  const std::string id = RunningSession();
  const auto watch = Watch(id);
  watch->History();
  Restart();
  EXPECT_FALSE(watch->Next());
  EXPECT_EQ(watch->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_THAT(Watch(id, 3)->History(), IsEmpty());
}

TEST_F(WatchTest, KeepsItsSessionInMemoryUntilTheClientLeaves) {
  const std::string id = CreateSession();
  auto watch = Watch(id);
  watch->History();
  OnLoop([this] { EXPECT_EQ(host_->active(), 1U); });
  watch.reset();
  size_t active = 1;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (active != 0 && std::chrono::steady_clock::now() < deadline) {
    OnLoop([&] { active = host_->active(); });
    std::this_thread::yield();
  }
  EXPECT_EQ(active, 0U);
}

TEST_F(WatchTest, EventsOfKindsThatWeDoNotKnowArePassedOn) {
  const std::string id = CreateSession();
  AppendRequest append;
  append.session.tenant = "team-a";
  append.session.session_id = id;
  append.expected_sequence = 1;
  append.generation = 1;
  LogRow row;
  row.type = 999;
  row.bytes = FutureEvent().SerializeAsString();
  append.events.push_back(row);
  store_.Append(std::move(append), [](const absl::StatusOr<int64_t>& last) { EXPECT_TRUE(last.ok()); });
  const std::vector<v1::SessionEvent> history = Watch(id)->History();
  ASSERT_THAT(history, SizeIs(2));
  EXPECT_EQ(history[1].GetReflection()->GetUnknownFields(history[1]).field_count(), 1);
}

}  // namespace
}  // namespace holdfast::agent
