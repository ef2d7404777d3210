#include "quota_service/frontdoor/door_call.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/quota_service/call/call_rig.h"
#include "tests/quota_service/frontdoor/fake_reply.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kRefusal[] = R"({"error":{"message":"Rate limit reached for gpt. Please try again in 30s.",)"
                            R"("type":"tokens","code":"rate_limit_exceeded"}})";
constexpr char kChatRole[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
constexpr char kChatText[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
constexpr char kChatStop[] = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
constexpr char kChatDone[] = "data: [DONE]\n\n";

// One request at the door, over a simulated ledger and upstream.
class DoorCallTest : public testing::Test {
 protected:
  struct Ask {
    Api api = Api::kResponses;
    bool streaming = true;
    Duration max_wait = std::chrono::hours(1);
    int64_t charge = 1000;
    std::string body = R"({"model":"gpt"})";
    std::vector<BodyField<int64_t>> caps = {};
    std::shared_ptr<Appraisal> appraisal = nullptr;
  };

  void Start() { Start(Ask()); }
  void Start(const Ask& ask) {
    DoorRequest request;
    request.api = ask.api;
    request.streaming = ask.streaming;
    request.envelope =
        MakeEnvelope(rig_.account, {.charge = ask.charge, .max_wait = ask.max_wait, .appraisal = ask.appraisal});
    request.body = {ask.api == Api::kResponses ? "/responses" : "/chat/completions", ask.body};
    request.caps = ask.caps;
    request.splices = {{9, 14, "\"gpt-upstream\""}};
    call_ = std::make_unique<DoorCall>(
        rig_.services(), std::move(request), reply_,
        DoorCall::Events{[this](DoorCall*) { ++ended_; },
                         [this](const Envelope&, const std::string& id, const TokenUsage& usage) {
                           response_ = id;
                           usage_ = usage;
                         }});
    call_->Start();
    rig_.loop.Advance(Duration::zero());
  }
  void Push(Script script) { rig_.upstream.Push(std::move(script)); }
  Script Good() const { return Script::Stream().Body(stream_.Answer("hello")).End(); }

  CallRig rig_;
  const StreamText stream_{Wire::kTypedResponses};
  std::shared_ptr<FakeReply> reply_ = std::make_shared<FakeReply>();
  int ended_ = 0;
  std::string response_;
  TokenUsage usage_;
  std::unique_ptr<DoorCall> call_;
};

TEST_F(DoorCallTest, PassesEachEventOnAsItIsAndOnItsOwn) {
  Push(Good());
  Start();
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_TRUE(reply_->ended);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(reply_->body, stream_.Answer("hello"));
  for (const std::string& piece : reply_->pieces) EXPECT_THAT(piece, AllOf(StartsWith("event: "), EndsWith("}\n\n")));
  EXPECT_EQ(rig_.upstream.seen().at(0).request.body, R"({"model":"gpt-upstream"})");
  EXPECT_EQ(usage_.input, 120);
  EXPECT_EQ(usage_.output, 40);
}

TEST_F(DoorCallTest, HoldsTheBeginningBackUntilThereIsOutput) {
  Push(Script::Stream().Body(stream_.Started()).After(seconds(1)).Body(stream_.Delta("hello")));
  Start();
  EXPECT_EQ(reply_->status, 0U);
  rig_.loop.Advance(seconds(1));
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_EQ(reply_->body, stream_.Started() + stream_.Delta("hello"));
}

TEST_F(DoorCallTest, AStreamThatMustWaitIsHeldAndKeptAlive) {
  Push(Script::Answer(429, kRefusal));
  Push(Good());
  Start();
  rig_.loop.Advance(milliseconds(1999));
  EXPECT_EQ(reply_->status, 0U);
  rig_.loop.Advance(milliseconds(1));
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_EQ(reply_->Header("Content-Type"), "text/event-stream");
  EXPECT_EQ(reply_->Header("X-Holdfast-Waited-Ms"), "2000");
  EXPECT_EQ(reply_->body, "");
  rig_.loop.Advance(seconds(10));
  EXPECT_EQ(reply_->body, "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":0}\n\n");
  rig_.loop.Advance(seconds(10));
  EXPECT_EQ(reply_->Count("keepalive\n"), 2);
  rig_.loop.Advance(seconds(8));
  EXPECT_TRUE(reply_->ended);
  EXPECT_THAT(reply_->body, EndsWith(stream_.Answer("hello")));
  EXPECT_EQ(reply_->Count("response.created"), 2) << "an event's name and its type";
}

TEST_F(DoorCallTest, AChatStreamIsKeptAliveByComments) {
  Push(Script::Answer(429, kRefusal));
  Push(Script::Stream().Body(std::string(kChatRole) + kChatText + kChatStop + kChatDone).End());
  Start({.api = Api::kChat});
  rig_.loop.Advance(seconds(25));
  EXPECT_EQ(reply_->body, ": keep-alive\n\n: keep-alive\n\n");
  rig_.loop.Advance(seconds(5));
  EXPECT_THAT(reply_->body, EndsWith(std::string(kChatRole) + kChatText + kChatStop + kChatDone));
  EXPECT_TRUE(reply_->ended);
}

TEST_F(DoorCallTest, AnUpstreamThatThinksIsBridgedToo) {
  Push(Script::Stream().Body(stream_.Started() + stream_.Delta("he")).After(seconds(35)).Body(stream_.Delta("llo")));
  Start();
  rig_.loop.Advance(seconds(36));
  EXPECT_EQ(reply_->Count("keepalive\n"), 3);
}

TEST_F(DoorCallTest, FaultsBeforeTheFirstOutputAreAbsorbed) {
  const std::vector<Script> faults = {
      Script::Answer(503, "{}"),
      Script::Answer(429, kRefusal),
      Script().Break("reset"),
      Script::Stream().Body(stream_.Started()).Break("cut"),
      Script::Stream().Body(stream_.Started() + stream_.Failed("rate_limit_exceeded", "Please try again in 1s.")),
      Script::Stream().Body(stream_.Error("rate_limit_exceeded", "Rate limit reached. Please try again in 1s.")),
      Script::Stream().Body("data: no json\n\n"),
      Script::Stream().Body(stream_.Started()).End(),
  };
  for (size_t i = 0; i < faults.size(); ++i) {
    reply_ = std::make_shared<FakeReply>();
    Push(faults[i]);
    Push(Good());
    Start();
    rig_.loop.Advance(minutes(2));
    EXPECT_TRUE(reply_->ended) << i;
    EXPECT_THAT(reply_->body, EndsWith(stream_.Answer("hello"))) << i;
    EXPECT_THAT(reply_->body, AllOf(Not(HasSubstr("event: error")), Not(HasSubstr("response.failed")))) << i;
  }
}

TEST_F(DoorCallTest, AnImmediateRefusalKeepsItsOwnStatus) {
  Push(Script::Answer(
      404, R"({"error":{"message":"no such model","type":"invalid_request_error","code":"model_not_found"}})"));
  Start();
  EXPECT_EQ(reply_->status, 404U);
  EXPECT_FALSE(reply_->streamed);
  EXPECT_THAT(reply_->body, AllOf(HasSubstr("no such model"), HasSubstr("model_not_found")));
  EXPECT_EQ(ended_, 1);
}

TEST_F(DoorCallTest, AWaitThatCannotFitTheBoundIsA429) {
  Push(Script::Answer(429, kRefusal));
  Start({.max_wait = seconds(5)});
  EXPECT_EQ(reply_->status, 429U);
  EXPECT_EQ(reply_->Header("Retry-After"), "30");
  EXPECT_THAT(reply_->body, HasSubstr("Please try again in 30.000s."));
}

TEST_F(DoorCallTest, AnUpstreamThatIsDownForTooLongIsNotCalledARateLimit) {
  for (int i = 0; i < 20; ++i) Push(Script::Answer(500, R"({"error":{"message":"it broke"}})"));
  Start({.max_wait = milliseconds(1500)});
  rig_.loop.Advance(milliseconds(1600));
  EXPECT_EQ(reply_->status, 429U) << "as clients wait for";
  EXPECT_THAT(reply_->body, AllOf(HasSubstr("gives no answer. Please try again in "), HasSubstr("it broke"),
                                  Not(HasSubstr("Rate limit"))));
}

TEST_F(DoorCallTest, GivingUpAfterTheStatusIsAFailureThatClientsSurvive) {
  Push(Script::Answer(429, kRefusal));
  Push(Script::Answer(429, kRefusal));
  Start({.max_wait = seconds(40)});
  rig_.loop.Advance(minutes(2));
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_TRUE(reply_->ended);
  EXPECT_THAT(reply_->pieces.back(), AllOf(StartsWith("event: response.failed\n"), HasSubstr("rate_limit_exceeded"),
                                           HasSubstr("Please try again in")));
}

TEST_F(DoorCallTest, GivingUpOnChatIsAnErrorChunkAndTheEndOfTheStream) {
  Push(Script::Answer(429, kRefusal));
  Push(Script::Answer(429, kRefusal));
  Start({.api = Api::kChat, .max_wait = seconds(40)});
  rig_.loop.Advance(minutes(2));
  EXPECT_TRUE(reply_->ended);
  EXPECT_THAT(reply_->pieces.back(), AllOf(StartsWith("data: {\"error\":"), HasSubstr("rate_limit_exceeded")));
}

TEST_F(DoorCallTest, WhatBreaksAfterOutputEndsTheStream) {
  Push(Script::Stream().Body(stream_.Started() + stream_.Delta("he")).Break("cut"));
  Start();
  EXPECT_TRUE(reply_->ended);
  EXPECT_THAT(reply_->pieces.back(), AllOf(StartsWith("event: response.failed\n"), HasSubstr("server_error")));
  EXPECT_EQ(rig_.upstream.seen().size(), 1U) << "what the client has seen is not said twice";
}

TEST_F(DoorCallTest, TheUpstreamsOwnFailureAfterOutputIsPassedOn) {
  const std::string failed = stream_.Failed("server_error", "The model failed.");
  Push(Script::Stream().Body(stream_.Started() + stream_.Delta("he") + failed));
  Start();
  EXPECT_EQ(reply_->pieces.back(), failed);
}

TEST_F(DoorCallTest, AnErrorEventNeverReachesTheClient) {
  Push(Script::Stream().Body(stream_.Started() + stream_.Delta("he") + stream_.Error("server_error", "Gone wrong.")));
  Start();
  EXPECT_THAT(reply_->body, Not(HasSubstr("event: error")));
  EXPECT_THAT(reply_->pieces.back(), StartsWith("event: response.failed\n"));
}

TEST_F(DoorCallTest, AClientThatGoesCancelsItsCallAndGivesItsPlaceBack) {
  Push(Script::Stream().Body(stream_.Started()));
  Start();
  EXPECT_EQ(rig_.upstream.open(), 1U);
  reply_->on_gone();
  EXPECT_EQ(rig_.upstream.open(), 0U);
  EXPECT_EQ(rig_.State().in_flight, 0U);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(reply_->body, "");
}

TEST_F(DoorCallTest, AClientThatGoesWhileItWaitsLeavesTheQueue) {
  Push(Script::Answer(429, kRefusal));
  Start();
  rig_.loop.Advance(seconds(5));
  EXPECT_EQ(rig_.State().queued, 1U);
  reply_->on_gone();
  EXPECT_EQ(rig_.State().queued, 0U);
  rig_.loop.Advance(minutes(5));
  EXPECT_EQ(rig_.upstream.seen().size(), 1U);
}

TEST_F(DoorCallTest, AClientThatStopsReadingHoldsItsUpstreamUp) {
  rig_.account.stall_timeout = minutes(10);
  const std::string piece = stream_.Delta(std::string(600'000, 'x'));
  Push(Script::Stream()
           .Body(stream_.Started() + piece)
           .After(seconds(1))
           .Body(piece)
           .After(seconds(1))
           .Body(piece)
           .After(minutes(4))
           .Body(stream_.Answer("hello"))
           .End());
  Start();
  reply_->reads = false;
  rig_.loop.Advance(seconds(1));
  EXPECT_FALSE(rig_.upstream.seen()[0].paused) << "600 KB";
  rig_.loop.Advance(seconds(1));
  EXPECT_TRUE(rig_.upstream.seen()[0].paused);
  rig_.loop.Advance(seconds(50));
  EXPECT_LE(reply_->low, size_t{1} << 20);
  reply_->reads = true;
  reply_->unsent_bytes = 0;
  reply_->on_drained();
  EXPECT_FALSE(rig_.upstream.seen()[0].paused);
  rig_.loop.Advance(minutes(3));
  EXPECT_FALSE(reply_->cut) << "it has caught up";
  EXPECT_FALSE(reply_->ended);
  rig_.loop.Advance(minutes(2));
  EXPECT_TRUE(reply_->ended);
  EXPECT_THAT(reply_->body, EndsWith(stream_.Answer("hello")));
}

TEST_F(DoorCallTest, AClientThatStaysBehindIsCutAfterAMinute) {
  Push(Script::Stream().Body(stream_.Started() + stream_.Delta(std::string(1'100'000, 'x'))));
  reply_->reads = false;
  Start();
  EXPECT_TRUE(rig_.upstream.seen()[0].paused);
  rig_.loop.Advance(seconds(59));
  EXPECT_FALSE(reply_->cut);
  rig_.loop.Advance(seconds(1));
  EXPECT_TRUE(reply_->cut);
  EXPECT_EQ(ended_, 1);
  EXPECT_EQ(rig_.upstream.open(), 0U);
  EXPECT_EQ(rig_.State().in_flight, 0U);
}

TEST_F(DoorCallTest, APausedUpstreamIsNotCalledSilent) {
  rig_.account.stall_timeout = seconds(30);
  const std::string piece = stream_.Delta(std::string(1'100'000, 'x'));
  Push(Script::Stream().Body(stream_.Started() + piece).After(seconds(20)).Body(stream_.Answer("hello")).End());
  reply_->reads = false;
  Start();
  rig_.loop.Advance(seconds(50));
  EXPECT_FALSE(reply_->ended);
  reply_->unsent_bytes = 0;
  reply_->on_drained();
  rig_.loop.Advance(seconds(20));
  EXPECT_THAT(reply_->body, EndsWith(stream_.Answer("hello")));
}

TEST_F(DoorCallTest, APlainRequestIsHeldAndAnsweredWhole) {
  const std::string answer = R"({"id":"resp_7","object":"response","status":"completed","output":[],)"
                             R"("usage":{"input_tokens":3,"output_tokens":4}})";
  Push(Script::Answer(429, kRefusal));
  Push(Script::Answer(200, answer, {{"content-type", "application/json"}, {"x-codex-turn-state", "s"}}));
  Start({.streaming = false});
  rig_.loop.Advance(seconds(29));
  EXPECT_EQ(reply_->status, 0U);
  rig_.loop.Advance(seconds(1));
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_EQ(reply_->body, answer);
  EXPECT_EQ(reply_->Header("Content-Type"), "application/json");
  EXPECT_EQ(reply_->Header("x-codex-turn-state"), "s");
  EXPECT_EQ(reply_->Header("X-Holdfast-Waited-Ms"), "30000");
  EXPECT_EQ(response_, "resp_7");
  EXPECT_EQ(usage_.output, 4);
}

TEST_F(DoorCallTest, APlainAnswerThatSaysThatItFailedIsAbsorbed) {
  Push(Script::Answer(200,
                      R"({"object":"response","status":"failed","error":{"code":"rate_limit_exceeded",)"
                      R"("message":"Please try again in 5s."}})",
                      {{"content-type", "application/json"}}));
  Push(Script::Answer(200, R"({"object":"response","status":"completed","output":[]})"));
  Start({.streaming = false});
  rig_.loop.Advance(seconds(6));
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_THAT(reply_->body, HasSubstr("completed"));
}

// Of a provider that charges caps for good, where the operator allows less than callers ask for.
std::shared_ptr<Appraisal> Lowered(const std::shared_ptr<Estimator>& estimator, int64_t asked_cap, bool may_ask_again) {
  return std::make_shared<Appraisal>(estimator, ProfileOf("moonshot"),
                                     Appraisal::Terms{.key = {"acme/gpt"},
                                                      .prompt = {.characters = 400},
                                                      .asked_cap = asked_cap,
                                                      .may_lower_cap = true,
                                                      .may_name_cap = false,
                                                      .may_ask_again = may_ask_again});
}

TEST_F(DoorCallTest, ALowerCapIsSplicedInAndNothingElseIsTouched) {
  const auto estimator = std::make_shared<Estimator>();
  for (int i = 0; i < 99; ++i) Lowered(estimator, 32'000, false)->Learn({.input = 100, .output = 900}, false);
  Push(Good());
  Start({.body = R"({"model":"gpt", "max_tokens" : 500,"max_completion_tokens":32000, "x":1.50})",
         .caps = {{500, 31, 34}, {32'000, 59, 64}},
         .appraisal = Lowered(estimator, 32'000, false)});
  EXPECT_EQ(rig_.upstream.seen().at(0).request.body,
            R"({"model":"gpt-upstream", "max_tokens" : 500,"max_completion_tokens":1800, "x":1.50})");
  EXPECT_TRUE(reply_->ended);
}

TEST_F(DoorCallTest, APlainAnswerThatOurCapHasCutIsAskedForAgain) {
  const auto answer = [](std::string_view reason, int tokens) {
    return fmt::format(R"({{"choices":[{{"index":0,"message":{{"content":"{}"}},"finish_reason":"{}"}}],)"
                       R"("usage":{{"prompt_tokens":90,"completion_tokens":{}}}}})",
                       reason, reason, tokens);
  };
  Push(Script::Answer(200, answer("length", 4096)));
  Push(Script::Answer(200, answer("stop", 5000)));
  Start({.api = Api::kChat,
         .streaming = false,
         .body = R"({"model":"gpt","max_tokens":32000})",
         .caps = {{32'000, 28, 33}},
         .appraisal = Lowered(std::make_shared<Estimator>(), 32'000, true)});
  ASSERT_EQ(rig_.upstream.seen().size(), 2U);
  EXPECT_THAT(rig_.upstream.seen()[0].request.body, HasSubstr(R"("max_tokens":4096})"));
  EXPECT_THAT(rig_.upstream.seen()[1].request.body, HasSubstr(R"("max_tokens":16384})"));
  EXPECT_EQ(reply_->body, answer("stop", 5000));
}

TEST_F(DoorCallTest, ACutAnswerIsGivenWhereNoLargerOneCanBeWaitedFor) {
  const std::string cut = R"({"object":"response","status":"incomplete","output":[],"incomplete_details":)"
                          R"({"reason":"max_output_tokens"},"usage":{"input_tokens":90,"output_tokens":4096}})";
  rig_.Learn(12'000, 12'000);
  Push(Script::Answer(200, cut));
  Start({.streaming = false, .appraisal = Lowered(std::make_shared<Estimator>(), 32'000, true)});
  rig_.loop.Advance(seconds(1));
  EXPECT_EQ(reply_->status, 200U);
  EXPECT_EQ(reply_->body, cut);
}

TEST_F(DoorCallTest, OtherApisGetWhateverTheUpstreamSays) {
  Push(std::move(Script().Headers(201, {{"content-type", "audio/mpeg"}}).Body("any bytes").End()));
  Start({.api = Api::kOther, .streaming = false, .charge = 0});
  EXPECT_EQ(reply_->status, 201U);
  EXPECT_EQ(reply_->body, "any bytes");
  EXPECT_EQ(reply_->Header("Content-Type"), "audio/mpeg");
}

TEST_F(DoorCallTest, TheKeyOfTheUpstreamNeverComesOut) {
  Push(Script::Stream({{"openai-key", "key-of-acme"}}).Body(stream_.Answer("your key is key-of-acme")).End());
  Start();
  EXPECT_TRUE(reply_->ended);
  EXPECT_THAT(reply_->body, Not(HasSubstr("key-of-acme")));
  EXPECT_THAT(reply_->Header("openai-key"), Not(HasSubstr("key-of-acme")));
}

TEST_F(DoorCallTest, TellsTheLimitsOfTheLedgerAndNotTheUpstreams) {
  rig_.Learn(200'000, 150'000);
  Push(Script::Stream({{"x-ratelimit-remaining-tokens", "7"}})
           .After(milliseconds(1))
           .Body(stream_.Answer("hello"))
           .End());
  Start({.charge = 50'000});
  rig_.loop.Advance(seconds(1));
  EXPECT_EQ(reply_->Header("x-ratelimit-limit-tokens"), "200000");
  EXPECT_EQ(reply_->Header("x-ratelimit-remaining-tokens"), "100000");
  EXPECT_EQ(reply_->Header("x-ratelimit-reset-tokens"), "30s");
}

TEST_F(DoorCallTest, ShuttingDownEndsWhatWaitsAndNothingElse) {
  Push(Script::Answer(429, kRefusal));
  Start();
  call_->CancelWaiting();
  EXPECT_EQ(reply_->status, 503U);
  EXPECT_EQ(reply_->Header("Retry-After"), "1");
  reply_ = std::make_shared<FakeReply>();
  CallRig other;
  Push(Script::Stream().Body(stream_.Started()));
  rig_.loop.Advance(minutes(1));
  Start();
  call_->CancelWaiting();
  EXPECT_FALSE(reply_->ended);
}

}  // namespace
}  // namespace holdfast::quota
