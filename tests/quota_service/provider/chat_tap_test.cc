#include "quota_service/provider/chat_tap.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/quota_service/provider/tap_recorder.h"
#include "tests/quota_service/provider/tap_samples.h"

namespace holdfast::quota {
namespace {

std::string Chunk(const std::string& delta, const std::string& finish = "null") {
  return R"({"id":"c1","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish + "}]}";
}

std::string Calls(const std::string& pieces) { return Chunk(R"({"tool_calls":[)" + pieces + "]}"); }

std::vector<v1::ToolCall> PlayCalls(std::vector<std::string> events) {
  events.push_back(Chunk("{}", R"("tool_calls")"));
  events.push_back("[DONE]");
  TapRecorder tap("chat");
  EXPECT_EQ(tap.Play(events).cls, EventClass::kDone);
  std::vector<v1::ToolCall> calls;
  for (const v1::Item& item : tap.Items()) calls.push_back(item.tool_call());
  return calls;
}

TEST(ChatTap, PassesAWholeAnswerOn) {
  TapRecorder tap("chat");
  const Verdict last = tap.Play(ChatAnswer());
  ASSERT_EQ(last.cls, EventClass::kDone);
  EXPECT_EQ(last.usage->input, 120);
  EXPECT_EQ(last.usage->cached_input, 64);
  EXPECT_EQ(last.usage->output, 40);
  EXPECT_EQ(last.usage->reasoning, 16);

  EXPECT_EQ(tap.Streamed(v1::Delta::CHANNEL_TEXT), "Größe ok");
  EXPECT_EQ(tap.Streamed(v1::Delta::CHANNEL_REASONING_SUMMARY), "Plan");
  const auto items = tap.Items();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].reasoning().summary(0), "Plan");
  EXPECT_EQ(items[0].reasoning().origin(), "acme");
  EXPECT_EQ(items[1].message().parts(0).text(), "Größe ok");
  EXPECT_EQ(items[1].message().id(), "chatcmpl-1/message");
  EXPECT_EQ(items[2].tool_call().call_id(), "call_1");
  EXPECT_EQ(items[2].tool_call().name(), "shell");
  EXPECT_EQ(items[2].tool_call().arguments(), R"({"cmd":"ls"})");

  const auto deltas = tap.Deltas();
  ASSERT_EQ(deltas.size(), 3u);
  EXPECT_EQ(deltas[0].item_id(), items[0].reasoning().id());
  EXPECT_EQ(deltas[1].item_id(), items[1].message().id());
  EXPECT_EQ(deltas[2].offset(), 7);

  ASSERT_NE(tap.Completion(), nullptr);
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(tap.Completion()->response_id(), "chatcmpl-1");
  EXPECT_EQ(tap.Completion()->upstream(), "acme");
}

TEST(ChatTap, OnlyWhatIsPassedOnIsOutputAndUsageComesWithItsChunk) {
  TapRecorder tap("chat");
  const auto answer = ChatAnswer();
  for (size_t i = 0; i + 1 < answer.size(); ++i) {
    const size_t before = tap.events().size();
    const Verdict verdict = tap.Feed(answer[i]);
    EXPECT_EQ(verdict.cls == EventClass::kOutput, tap.events().size() > before) << answer[i];
    EXPECT_EQ(verdict.usage.has_value(), i + 2 == answer.size()) << answer[i];
  }
}

TEST(ChatTap, MayEndWithoutTheDoneMarkerAfterAFinishReason) {
  auto events = ChatAnswer();
  events.pop_back();
  TapRecorder tap("chat");
  EXPECT_EQ(tap.Play(events).cls, EventClass::kDone);
  EXPECT_NE(tap.Completion(), nullptr);
}

TEST(ChatTap, AStreamThatEndsBeforeItsFinishReasonHasFailed) {
  TapRecorder tap("chat");
  const Verdict verdict = tap.Play({Chunk(R"({"content":"half"})")});
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kTransport);
  EXPECT_EQ(tap.Completion(), nullptr);
  EXPECT_TRUE(tap.Items().empty());
}

TEST(ChatTap, TheDoneMarkerAloneIsNoAnswer) {
  TapRecorder tap("chat");
  EXPECT_EQ(tap.Feed("[DONE]").cls, EventClass::kFailed);
}

TEST(ChatTap, WithoutUsageNoneIsClaimed) {
  TapRecorder tap("chat");
  const Verdict verdict = tap.Play({Chunk(R"({"content":"hi"})", R"("stop")"), "[DONE]"});
  ASSERT_EQ(verdict.cls, EventClass::kDone);
  EXPECT_FALSE(verdict.usage);
  EXPECT_FALSE(tap.Completion()->has_usage());
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_STOP);
}

TEST(ChatTap, ReadsUsageWhereKimiPutsIt) {
  TapRecorder tap("chat");
  const Verdict verdict = tap.Feed(
      R"({"id":"c1","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop","usage":{"prompt_tokens":9,"completion_tokens":1.0,"cached_tokens":4}}]})");
  ASSERT_TRUE(verdict.usage);
  EXPECT_EQ(verdict.usage->input, 9);
  EXPECT_EQ(verdict.usage->output, 1);
  EXPECT_EQ(verdict.usage->cached_input, 4);
}

TEST(ChatTap, UsageThatNoCallCouldHaveIsNotBelieved) {
  TapRecorder tap("chat");
  EXPECT_FALSE(tap.Feed(R"({"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":1e300}})").usage);
}

TEST(ChatTap, TellsWhyTheAnswerEnded) {
  struct Row {
    const char* reason;
    v1::FinishReason told;
  };
  for (const Row& row :
       {Row{R"("stop")", v1::FINISH_REASON_STOP}, Row{R"("length")", v1::FINISH_REASON_LENGTH},
        Row{R"("content_filter")", v1::FINISH_REASON_CONTENT_FILTER},
        Row{R"("sensitive")", v1::FINISH_REASON_CONTENT_FILTER}, Row{R"("eos")", v1::FINISH_REASON_STOP}}) {
    TapRecorder tap("chat");
    ASSERT_EQ(tap.Play({Chunk(R"({"content":"x"})", row.reason), "[DONE]"}).cls, EventClass::kDone);
    EXPECT_EQ(tap.Completion()->finish_reason(), row.told) << row.reason;
  }
}

TEST(ChatTap, AServerThatGivesUpHasFailed) {
  for (const char* reason : {R"("error")", R"("network_error")"}) {
    TapRecorder tap("chat");
    const Verdict verdict = tap.Feed(Chunk("{}", reason));
    ASSERT_EQ(verdict.cls, EventClass::kFailed) << reason;
    EXPECT_EQ(verdict.failure->cls, FailureClass::kOverloaded);
  }
}

TEST(ChatTap, AnErrorInMidStreamIsClassed) {
  struct Row {
    const char* event;
    FailureClass cls;
  };
  for (
      const Row& row :
      {Row{R"({"id":"gen-1","error":{"code":429,"message":"Rate limit exceeded"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]})",
           FailureClass::kRateLimited},
       Row{R"({"error":{"code":"server_error","message":"Provider disconnected"}})", FailureClass::kOverloaded},
       Row{R"({"error":"out of memory"})", FailureClass::kOverloaded},
       Row{R"({"object":"error","message":"maximum context length is 10","type":"BadRequestError","code":400})",
           FailureClass::kContextOverflow},
       Row{R"({"error":{"code":"1113","message":"arrears"}})", FailureClass::kQuotaExhausted}}) {
    TapRecorder tap("chat");
    const Verdict verdict = tap.Feed(row.event);
    ASSERT_EQ(verdict.cls, EventClass::kFailed) << row.event;
    EXPECT_STREQ(FailureClassName(verdict.failure->cls), FailureClassName(row.cls)) << row.event;
  }
}

TEST(ChatTap, AnEventNamedErrorHasFailedWhateverItHolds) {
  TapRecorder tap("chat");
  EXPECT_EQ(tap.Feed(R"({"message":"Rate limit reached"})", "error").failure->cls, FailureClass::kRateLimited);
}

TEST(ChatTap, ANullErrorIsNone) {
  TapRecorder tap("chat");
  EXPECT_EQ(tap.Feed(R"({"error":null,"choices":[{"delta":{"content":"x"}}]})").cls, EventClass::kOutput);
}

TEST(ChatTap, OtherChoicesAreIgnored) {
  TapRecorder tap("chat");
  EXPECT_EQ(tap.Feed(R"({"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":"stop"}]})").cls,
            EventClass::kBeforeOutput);
  EXPECT_EQ(tap.End().cls, EventClass::kFailed);
}

TEST(ChatTap, RefusalsAreWordsForTheUser) {
  TapRecorder tap("chat");
  tap.Play({Chunk(R"({"refusal":"I can't."})"), Chunk("{}", R"("stop")"), "[DONE]"});
  EXPECT_EQ(tap.Streamed(v1::Delta::CHANNEL_TEXT), "I can't.");
  EXPECT_EQ(tap.Items()[0].message().parts(0).refusal(), "I can't.");
}

TEST(ChatTap, AzuresFirstChunkDoesNotNameTheAnswer) {
  TapRecorder tap("chat");
  tap.Play(
      {R"({"id":"","choices":[],"prompt_filter_results":[]})", Chunk(R"({"content":"x"})", R"("stop")"), "[DONE]"});
  EXPECT_EQ(tap.Completion()->response_id(), "c1");
}

TEST(ChatToolCalls, PiecesOfSeveralCallsInterleave) {
  const auto calls =
      PlayCalls({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}})"),
                 Calls(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}})"),
                 Calls(R"({"index":0,"function":{"arguments":":1}"}},{"index":1,"function":{"arguments":":2}"}})")});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].arguments(), R"({"x":1})");
  EXPECT_EQ(calls[1].arguments(), R"({"y":2})");
  EXPECT_EQ(calls[1].call_id(), "b");
}

TEST(ChatToolCalls, AMissingIndexContinuesTheCall) {
  const auto calls = PlayCalls(
      {Calls(R"({"id":"a","function":{"name":"f","arguments":"{"}})"), Calls(R"({"function":{"arguments":"}"}})")});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].arguments(), "{}");
}

TEST(ChatToolCalls, ARepeatedOrInventedIdIsStillTheSameCall) {
  const auto calls = PlayCalls({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{"}})"),
                                Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":" "}})"),
                                Calls(R"({"index":0,"id":"zz","function":{"name":null,"arguments":"}"}})")});
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].call_id(), "a");
  EXPECT_EQ(calls[0].name(), "f");
  EXPECT_EQ(calls[0].arguments(), "{ }");
}

TEST(ChatToolCalls, WholeCallsThatShareAnIndexAreTwo) {
  const auto calls = PlayCalls({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"),
                                Calls(R"({"index":0,"id":"b","function":{"name":"f","arguments":{"k":[1]}}})")});
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].arguments(), R"({"k":[1]})");
}

TEST(ChatToolCalls, MissingAndDoubleIdsAreMadeUpTheSameWayEachTime) {
  const std::vector<std::string> events = {Calls(R"({"index":0,"function":{"name":"f","arguments":"{}"}})"),
                                           Calls(R"({"index":1,"id":"d","function":{"name":"f"}})"),
                                           Calls(R"({"index":2,"id":"d","function":{"name":"f"}})")};
  const auto calls = PlayCalls(events);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].call_id(), "call_c1_0");
  EXPECT_EQ(calls[1].call_id(), "d");
  EXPECT_EQ(calls[1].arguments(), "{}");
  EXPECT_EQ(calls[2].call_id(), "call_c1_2");
  EXPECT_EQ(PlayCalls(events)[2].call_id(), "call_c1_2");
}

TEST(ChatToolCalls, ACallThatWasCutNeverRuns) {
  TapRecorder tap("chat");
  tap.Play({Calls(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"),
            Calls(R"({"index":1,"id":"b","function":{"name":"rm","arguments":"{\"path\":\"/"}})"),
            Chunk("{}", R"("length")"), "[DONE]"});
  ASSERT_EQ(tap.Items().size(), 1u);
  EXPECT_EQ(tap.Items()[0].tool_call().call_id(), "a");
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_LENGTH);
}

TEST(ChatToolCalls, ACallWithoutANameIsABrokenStream) {
  TapRecorder tap("chat");
  const Verdict verdict = tap.Play(
      {Calls(R"({"index":0,"id":"a","function":{"arguments":"{}"}})"), Chunk("{}", R"("tool_calls")"), "[DONE]"});
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kTransport);
  EXPECT_EQ(tap.Completion(), nullptr);
}

TEST(ChatToolCalls, ThereAreAtMost1024) {
  TapRecorder tap("chat");
  Verdict verdict;
  int sent = 0;
  while (sent < 2000 && verdict.cls != EventClass::kFailed) {
    verdict = tap.Feed(Calls(R"({"function":{"name":"f"},"index":)" + std::to_string(sent++) + "}"));
  }
  EXPECT_EQ(sent, 1025);
}

TEST(ChatTap, WhatItKeepsIsBounded) {
  TapRecorder tap("chat");
  const std::string event = Chunk(R"({"content":")" + std::string(9 << 20, 'x') + R"("})");
  Verdict verdict;
  int sent = 0;
  while (sent < 20 && verdict.cls != EventClass::kFailed) {
    verdict = tap.Feed(event);
    ++sent;
  }
  EXPECT_EQ(sent, 8);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kUnusable);
}

}  // namespace
}  // namespace holdfast::quota
