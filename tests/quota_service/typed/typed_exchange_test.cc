#include "quota_service/typed/typed_exchange.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "quota_service/typed/wire.h"
#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<v1::GenerateEvent> EventsOf(const TypedExchange& exchange) {
  std::vector<v1::GenerateEvent> events;
  int64_t cursor = 0;
  while (const v1::GenerateEvent* event = exchange.history().After(cursor)) {
    events.push_back(*event);
    cursor = event->event();
  }
  return events;
}

// Takes every event as it comes.
class Reader final : public EventReader {
 public:
  explicit Reader(TypedExchange& exchange) : exchange_(exchange) { exchange_.SetReader(this); }
  void OnProgress() override {
    while (const v1::GenerateEvent* event = exchange_.history().After(cursor_)) {
      cursor_ = event->event();
      events.push_back(*event);
    }
    if (exchange_.end() != nullptr) ++ends;
  }
  void OnReplaced() override { ++replaced; }

  std::vector<v1::GenerateEvent> events;
  int ends = 0;
  int replaced = 0;

 private:
  TypedExchange& exchange_;
  int64_t cursor_ = 0;
};

class TypedExchangeTest : public testing::Test {
 protected:
  Route route() {
    rig_.account.name = "acme";
    return {std::make_shared<Account>(rig_.account), "gpt-upstream", kGroup};
  }
  CallRig rig_;
  StreamText stream_{Wire::kTypedResponses};
};

TEST_F(TypedExchangeTest, SaysCompletedOnlyWhenTheCallHasSettledAndKnowsItsWait) {
  rig_.Learn(200'000, 0);
  rig_.upstream.Push(Script().Break("connection refused"));
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("hello")).End());
  TestCall test(rig_, Wire::kTypedResponses, {.charge = 10'000});
  Reader reader(*test.typed);
  test.spy->on_event = [&] {
    for (const v1::GenerateEvent& event : reader.events) EXPECT_FALSE(event.has_completed());
  };
  test.Start();
  rig_.loop.Advance(minutes(1));
  ASSERT_TRUE(test.completed());
  ASSERT_FALSE(reader.events.empty());
  ASSERT_TRUE(reader.events.back().has_completed());
  const v1::Completed& completed = reader.events.back().completed();
  EXPECT_NEAR(completed.waited_seconds(), 3 + 0.25, 1e-6);
  EXPECT_EQ(completed.attempts(), 2);
  EXPECT_EQ(completed.upstream(), "acme");
  EXPECT_EQ(completed.response_id(), "resp_1");
  EXPECT_EQ(completed.finish_reason(), v1::FINISH_REASON_STOP);
  EXPECT_EQ(completed.usage().input_tokens(), 120);
  EXPECT_EQ(completed.usage().output_tokens(), 40);
  EXPECT_EQ(reader.ends, 1);
}

TEST_F(TypedExchangeTest, TellsTheIncidentsWaitAsTheProviderWouldHave) {
  rig_.Learn(200'000, 200'000 - 160'193);
  TestCall test(rig_, Wire::kTypedResponses, {.charge = 51'963});
  const WallTime now = rig_.loop.WallNow();
  test.Start();
  rig_.loop.Advance(seconds(0));
  const auto events = EventsOf(*test.typed);
  ASSERT_THAT(events, SizeIs(1));
  const v1::Wait& wait = events[0].wait();
  EXPECT_EQ(wait.reason(), v1::WAIT_REASON_RATE_LIMIT);
  EXPECT_EQ(wait.scope(), kGroup);
  EXPECT_EQ(wait.dimension(), "tokens");
  EXPECT_EQ(wait.limit(), 200'000);
  EXPECT_EQ(wait.window_seconds(), 60);
  EXPECT_EQ(wait.used(), 160'193);
  EXPECT_EQ(wait.requested(), 51'963);
  EXPECT_DOUBLE_EQ(wait.seconds(), 3.646);
  EXPECT_EQ(wait.position(), 1);
  EXPECT_EQ(wait.attempt(), 0);
  const WallTime retry_at(seconds(wait.retry_at().seconds()) + nanoseconds(wait.retry_at().nanos()));
  EXPECT_EQ(std::chrono::floor<milliseconds>(retry_at - now), milliseconds(3'646));
}

TEST_F(TypedExchangeTest, ABackoffNamesItsCauseAndNoLimit) {
  rig_.upstream.Push(Script::Answer(503, R"({"error":{"message":"The engine is overloaded."}})"));
  TestCall test(rig_, Wire::kTypedResponses);
  test.Start();
  rig_.loop.Advance(seconds(0));
  const auto events = EventsOf(*test.typed);
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_TRUE(events.front().has_admitted());
  const v1::Wait& wait = events.back().wait();
  EXPECT_EQ(wait.reason(), v1::WAIT_REASON_BACKOFF);
  EXPECT_EQ(wait.dimension(), "");
  EXPECT_EQ(wait.limit(), 0);
  EXPECT_EQ(wait.attempt(), 1);
  EXPECT_THAT(wait.detail(), HasSubstr("overloaded"));
}

TEST_F(TypedExchangeTest, ReadersSeeARestartAndThenTheAnswerOnce) {
  rig_.upstream.Push(
      Script::Stream().Body(stream_.Started() + stream_.Delta("hel")).After(seconds(1)).Break("reset by peer"));
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("hello")).End());
  TestCall test(rig_, Wire::kTypedResponses);
  Reader reader(*test.typed);
  test.Start();
  rig_.loop.Advance(minutes(1));
  std::vector<std::string> kinds;
  const google::protobuf::OneofDescriptor* kind = v1::GenerateEvent::descriptor()->FindOneofByName("kind");
  for (const v1::GenerateEvent& event : reader.events)
    kinds.push_back(event.GetReflection()->GetOneofFieldDescriptor(event, kind)->name());
  EXPECT_THAT(kinds, ElementsAre("admitted", "delta", "restarted", "wait", "admitted", "delta", "item", "completed"));
  EXPECT_THAT(reader.events[2].restarted().cause(), HasSubstr("reset by peer"));
  EXPECT_THAT(EventsOf(*test.typed), SizeIs(4)) << "restarted, admitted, the item, completed";
}

// Items that only the final event names are passed on one by one before one of them turns out to be broken.
TEST_F(TypedExchangeTest, AnAttemptThatFailsInItsLastEventLeavesNoItemsBehind) {
  const std::string broken =
      "event: response.completed\n"
      R"(data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[)"
      R"({"type":"message","id":"msg_0","role":"assistant","content":[{"type":"output_text","text":"void"}]},)"
      R"({"type":"function_call","call_id":"c","name":"","arguments":"{}"}]}})"
      "\n\n";
  rig_.upstream.Push(Script::Stream().Body(stream_.Started() + broken).End());
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("hello")).End());
  TestCall test(rig_, Wire::kTypedResponses);
  Reader reader(*test.typed);
  test.Start();
  rig_.loop.Advance(minutes(1));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(test.Text(), "hello");
}

TEST_F(TypedExchangeTest, ANewReaderReplacesTheOldOneAndGetsTheProgress) {
  TypedExchange exchange(MakeRequest(), *FindDialect("responses"), "incarnation-1");
  Reader first(exchange);
  exchange.OnAdmitted(route(), 1, seconds(0));
  Reader second(exchange);
  EXPECT_EQ(first.replaced, 1);
  exchange.OnRestarted("cut");
  EXPECT_THAT(first.events, SizeIs(1));
  EXPECT_THAT(second.events, SizeIs(1));
  EXPECT_TRUE(second.events[0].has_restarted());
  EXPECT_EQ(second.replaced, 0);
}

TEST_F(TypedExchangeTest, AReaderThatLeavesOrIsSetAgainIsNotReplaced) {
  TypedExchange exchange(MakeRequest(), *FindDialect("responses"), "incarnation-1");
  Reader reader(exchange);
  exchange.SetReader(&reader);
  EXPECT_EQ(reader.replaced, 0);
  exchange.SetReader(nullptr);
  EXPECT_EQ(reader.replaced, 0);
  exchange.OnAdmitted(route(), 1, seconds(0));
  EXPECT_THAT(reader.events, IsEmpty());
}

TEST_F(TypedExchangeTest, AFailureEndsItWithoutAnEventOfItsOwn) {
  TypedExchange exchange(MakeRequest(), *FindDialect("responses"), "incarnation-1");
  std::vector<bool> finished;
  exchange.set_on_finished([&](bool completed) {
    EXPECT_NE(exchange.end(), nullptr) << "its reader was told before";
    finished.push_back(completed);
  });
  Reader reader(exchange);
  CallOutcome outcome;
  outcome.failure = CallFailure{};
  outcome.failure->kind = CallFailure::Kind::kUpstreamAuth;
  outcome.failure->message = "no";
  exchange.OnFinished(outcome);
  EXPECT_THAT(reader.events, IsEmpty());
  EXPECT_EQ(reader.ends, 1);
  EXPECT_THAT(finished, ElementsAre(false));
  EXPECT_EQ(exchange.end()->failure.message, "no");
}

TEST_F(TypedExchangeTest, SaysWhichFieldTheDialectCannotExpress) {
  v1::GenerateRequest request = MakeRequest();
  request.add_items();  // of no kind
  TypedExchange exchange(request, *FindDialect("responses"), "incarnation-1");
  const auto body = exchange.BuildBody(route());
  EXPECT_EQ(body.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(body.status().message()), HasSubstr("items[1]"));
}

TEST_F(TypedExchangeTest, WaitsAreRoundedDownToWholeMilliseconds) {
  WaitEstimate estimate;
  estimate.reason = WaitEstimate::Reason::kLimit;
  estimate.wait = nanoseconds(3'646'999'999);
  v1::Wait wait;
  FillWait(estimate, &wait);
  EXPECT_DOUBLE_EQ(wait.seconds(), 3.646);
}

}  // namespace
}  // namespace holdfast::quota
