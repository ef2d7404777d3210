#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Takes about a second, in twenty pieces.
constexpr char kSlow[] = R"({"default": {"text": "one two three four five six seven eight nine ten", "chunks": 20,
                                         "event_delay_ms": 40}})";

class AttachTest : public QuotaServerTestBase {
 protected:
  AttachTest() { StartServer(); }

  // Breaks the link after the first text has come; the events that were read.
  std::vector<v1::GenerateEvent> ReadABitAndBreak(const v1::GenerateRequest& request) {
    std::vector<v1::GenerateEvent> events;
    const auto reader = Open(request);
    EXPECT_TRUE(reader->ReadUntil(v1::GenerateEvent::kDelta, &events));
    reader->context.TryCancel();
    EXPECT_EQ(reader->stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    return events;
  }
  static v1::GenerateRequest From(v1::GenerateRequest request, const v1::GenerateEvent& last) {
    request.set_after_event(last.event());
    request.set_after_incarnation(last.incarnation());
    return request;
  }
};

TEST_F(AttachTest, ABrokenStreamGoesOnFromItsCursorAndTheUpstreamSeesOneCall) {
  upstream().SetScript(kSlow);
  const auto before = ReadABitAndBreak(Request("c1"));
  const Generation after = Generate(From(Request("c1"), before.back()));
  ASSERT_TRUE(after.status.ok()) << after.status.error_message();
  ASSERT_GE(after.events.size(), 2U);
  EXPECT_TRUE(after.events[0].has_admitted()) << "it runs";
  EXPECT_GT(after.events[1].event(), before.back().event());
  EXPECT_EQ(after.events[1].incarnation(), before.back().incarnation());
  EXPECT_EQ(after.text(), "one two three four five six seven eight nine ten");
  EXPECT_EQ(after.Count(v1::GenerateEvent::kRestarted), 0);
  EXPECT_TRUE(after.events.back().has_completed());
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, MaxWaitAndCursorAreNotPartOfTheRequest) {
  upstream().SetScript(kSlow);
  const auto before = ReadABitAndBreak(Request("c1"));
  v1::GenerateRequest again = From(Request("c1"), before.back());
  again.mutable_max_wait()->set_seconds(7);
  EXPECT_TRUE(Generate(again).status.ok());
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, ACallRunsOnWhileNobodyReads) {
  upstream().SetScript(R"({"default": {"text": "finished meanwhile", "chunks": 4, "event_delay_ms": 20}})");
  ReadABitAndBreak(Request("c1"));
  ASSERT_TRUE(upstream().AwaitRequests([](const auto& requests) { return requests.at(0).at("completed") == true; }));
  const Generation after = Generate(Request("c1"));
  EXPECT_TRUE(after.status.ok());
  EXPECT_EQ(after.text(), "finished meanwhile");
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, ACompletedCallIsReplayed) {
  const Generation first = Generate(Request("c1"));
  const Generation second = Generate(Request("c1"));
  ASSERT_TRUE(second.status.ok());
  EXPECT_EQ(second.text(), first.text());
  EXPECT_EQ(second.events.back().SerializeAsString(), first.events.back().SerializeAsString());
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, WhoHasEverythingGetsOnlyTheStatus) {
  const Generation first = Generate(Request("c1"));
  const Generation second = Generate(From(Request("c1"), first.events.back()));
  EXPECT_TRUE(second.status.ok());
  EXPECT_THAT(second.events, IsEmpty());
}

// Whoever lost the link shows that it is lost; the upstream may be silent for minutes.
TEST_F(AttachTest, WhoComesBackToACallThatIsSilentIsToldThatItRuns) {
  upstream().PushFault(R"({"fault": "silence", "after_events": 6})");
  const auto before = ReadABitAndBreak(Request("c1"));
  const auto reader = Open(From(Request("c1"), before.back()));
  std::vector<v1::GenerateEvent> events;
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kAdmitted, &events));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].event(), before.back().event()) << "the reader stays where it is";
  EXPECT_EQ(events[0].incarnation(), before.back().incarnation());
  EXPECT_EQ(events[0].admitted().attempt(), 1);
  EXPECT_EQ(events[0].admitted().upstream(), "sim");
  EXPECT_TRUE(Cancel("c1"));
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, AnotherIncarnationIsReplayedFromTheStartAfterRestarted) {
  const Generation first = Generate(Request("c1"));
  v1::GenerateRequest again = From(Request("c1"), first.events.back());
  again.set_after_incarnation("of another process");
  const Generation second = Generate(again);
  ASSERT_TRUE(second.status.ok());
  ASSERT_GE(second.events.size(), 2U);
  EXPECT_TRUE(second.events[0].has_restarted());
  EXPECT_EQ(second.events[0].incarnation(), first.events[0].incarnation());
  EXPECT_EQ(second.events[1].event(), first.events[0].event());
  EXPECT_EQ(second.text(), first.text());
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, AfterARestartOfTheServiceTheCallIsBegunAnew) {
  const Generation first = Generate(Request("c1"));
  StopServer();
  StartServer();
  const Generation second = Generate(From(Request("c1"), first.events.back()));
  ASSERT_TRUE(second.status.ok()) << second.status.error_message();
  EXPECT_TRUE(second.events[0].has_restarted());
  EXPECT_NE(second.events[0].incarnation(), first.events[0].incarnation());
  EXPECT_EQ(second.text(), first.text());
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(AttachTest, ANewerReaderEndsTheOlderWithAborted) {
  upstream().SetScript(kSlow);
  const auto older = Open(Request("c1"));
  ASSERT_TRUE(older->ReadUntil(v1::GenerateEvent::kAdmitted));
  const auto newer = Open(Request("c1"));
  EXPECT_EQ(older->Drain().status.error_code(), grpc::StatusCode::ABORTED);
  const Generation generation = newer->Drain();
  EXPECT_TRUE(generation.status.ok());
  EXPECT_EQ(generation.text(), "one two three four five six seven eight nine ten");
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, AnotherRequestUnderTheSameIdAlreadyExists) {
  EXPECT_TRUE(Generate(Request("c1", "one")).status.ok());
  const Generation other = Generate(Request("c1", "another"));
  EXPECT_EQ(other.status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(other.status.error_message(), HasSubstr("c1"));
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(AttachTest, AFailureIsNotKept) {
  upstream().PushFault(R"({"fault": "context_length"})");
  EXPECT_FALSE(Generate(Request("c1")).status.ok());
  EXPECT_TRUE(Generate(Request("c1")).status.ok());
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(AttachTest, CancelCallClosesTheConnectionToTheUpstream) {
  upstream().PushFault(R"({"fault": "silence"})");
  const auto reader = Open(Request("c1"));
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kAdmitted));
  ASSERT_TRUE(upstream().AwaitRequestCount(1));
  EXPECT_TRUE(Cancel("c1"));
  EXPECT_EQ(reader->Drain().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(upstream().AwaitRequests([](const auto& requests) { return requests.at(0).at("client_gone") == true; }));
}

TEST_F(AttachTest, CancelCallEndsACallThatNobodyReads) {
  upstream().PushFault(R"({"fault": "silence", "after_events": 6})");
  ReadABitAndBreak(Request("c1"));
  EXPECT_TRUE(Cancel("c1"));
  EXPECT_TRUE(upstream().AwaitRequests([](const auto& requests) { return requests.at(0).at("client_gone") == true; }));
}

TEST_F(AttachTest, CancellingWhatIsUnknownOrOverIsNoError) {
  EXPECT_FALSE(Cancel("never-seen"));
  EXPECT_TRUE(Generate(Request("c1")).status.ok());
  EXPECT_FALSE(Cancel("c1"));
}

TEST_F(AttachTest, ACancelledCallIsForgotten) {
  upstream().PushFault(R"({"fault": "silence"})");
  const auto reader = Open(Request("c1"));
  ASSERT_TRUE(upstream().AwaitRequestCount(1));
  ASSERT_TRUE(Cancel("c1"));
  reader->Drain();
  EXPECT_TRUE(Generate(Request("c1", "another request")).status.ok());
}

class WaitingTest : public QuotaServerTestBase {
 protected:
  WaitingTest() {
    config_.upstreams[0].limits.push_back({{}, {}, 1});
    StartServer();
  }
};

TEST_F(WaitingTest, ADetachedCallKeepsItsPlaceInTheQueue) {
  upstream().SetScript(R"({"default": {"text": "x", "delay_ms": 400}})");
  const auto running = Open(Request("first"));
  ASSERT_TRUE(running->ReadUntil(v1::GenerateEvent::kAdmitted));
  auto waiting = Open(Request("second"));
  ASSERT_TRUE(waiting->ReadUntil(v1::GenerateEvent::kWait));
  waiting->context.TryCancel();
  waiting->stream->Finish();
  const auto later = Open(Request("third"));
  ASSERT_TRUE(later->ReadUntil(v1::GenerateEvent::kWait));

  EXPECT_TRUE(Generate(Request("second")).status.ok());
  EXPECT_TRUE(later->Drain().status.ok());
  const auto requests = upstream().Requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(running->Drain().completed().attempts(), 1);
}

TEST_F(WaitingTest, WhoComesBackIsToldTheWaitAgainWithTheSecondsThatAreLeft) {
  upstream().PushFault(R"({"fault": "429", "seconds": 60})");
  std::vector<v1::GenerateEvent> told;
  auto reader = Open(Request("c1"));
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kWait, &told));
  const double first = told.back().wait().seconds();
  EXPECT_GT(first, 50);
  const BootTime begin = BootClock::now();
  double left = first;
  while (left > first - 1.5 && BootClock::now() - begin < std::chrono::seconds(20)) {
    reader->context.TryCancel();
    reader->stream->Finish();
    v1::GenerateRequest again = Request("c1");
    again.set_after_event(told.back().event());
    again.set_after_incarnation(told.back().incarnation());
    reader = Open(again);
    told.clear();
    ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kWait, &told));
    ASSERT_EQ(told.size(), 1U) << "nothing comes before it";
    EXPECT_LE(told.back().wait().seconds(), left);
    left = told.back().wait().seconds();
  }
  EXPECT_LE(left, first - 1.5);
  EXPECT_GE(left, first - 1.5 - 20);
  EXPECT_TRUE(Cancel("c1"));
  EXPECT_EQ(Sent(), 1U);
}

TEST_F(WaitingTest, ACancelledWaiterIsNeverSent) {
  upstream().SetScript(R"({"default": {"text": "x", "delay_ms": 300}})");
  const auto running = Open(Request("first"));
  ASSERT_TRUE(running->ReadUntil(v1::GenerateEvent::kAdmitted));
  const auto waiting = Open(Request("second"));
  ASSERT_TRUE(waiting->ReadUntil(v1::GenerateEvent::kWait));
  EXPECT_TRUE(Cancel("second"));
  EXPECT_EQ(waiting->Drain().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(running->Drain().status.ok());
  EXPECT_TRUE(Generate(Request("third")).status.ok());
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(WaitingTest, IsToldWhatItWaitsForAndItsPosition) {
  upstream().SetScript(R"({"default": {"text": "x", "delay_ms": 300}})");
  const auto running = Open(Request("first"));
  ASSERT_TRUE(running->ReadUntil(v1::GenerateEvent::kAdmitted));
  const auto waiting = Open(Request("second"));
  std::vector<v1::GenerateEvent> events;
  ASSERT_TRUE(waiting->ReadUntil(v1::GenerateEvent::kWait, &events));
  const v1::Wait& wait = events.back().wait();
  EXPECT_EQ(wait.reason(), v1::WAIT_REASON_RATE_LIMIT);
  EXPECT_EQ(wait.dimension(), "concurrent");
  EXPECT_EQ(wait.limit(), 1);
  EXPECT_EQ(wait.position(), 1);
  EXPECT_EQ(wait.scope(), "sim/*");
  EXPECT_GE(wait.seconds(), 0);
  EXPECT_GT(wait.retry_at().seconds(), 0);
  EXPECT_TRUE(waiting->Drain().status.ok());
  EXPECT_TRUE(running->Drain().status.ok());
}

}  // namespace
}  // namespace holdfast::quota
