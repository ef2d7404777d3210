#include "quota_service/provider/responses_tap.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "common/base/utf8.h"
#include "tests/quota_service/provider/tap_recorder.h"
#include "tests/quota_service/provider/tap_samples.h"

namespace holdfast::quota {
namespace {

TEST(ResponsesTap, PassesAWholeAnswerOn) {
  TapRecorder tap("responses");
  const Verdict last = tap.Play(ResponsesAnswer());
  ASSERT_EQ(last.cls, EventClass::kDone);
  EXPECT_EQ(last.usage->input, 120);
  EXPECT_EQ(last.usage->cached_input, 64);
  EXPECT_EQ(last.usage->output, 40);
  EXPECT_EQ(last.usage->reasoning, 16);

  EXPECT_EQ(tap.Streamed(v1::Delta::CHANNEL_TEXT), "Größe ok");
  EXPECT_EQ(tap.Streamed(v1::Delta::CHANNEL_REASONING_SUMMARY), "Plan\n\nAct");
  const auto items = tap.Items();
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[0].reasoning().id(), "rs_1");
  EXPECT_EQ(items[0].reasoning().origin(), "acme");
  EXPECT_EQ(items[0].reasoning().encrypted_content(), "gAAA");
  ASSERT_EQ(items[0].reasoning().summary_size(), 2);
  EXPECT_EQ(items[1].message().role(), v1::ROLE_ASSISTANT);
  EXPECT_EQ(items[1].message().id(), "msg_1");
  EXPECT_EQ(items[1].message().parts(0).text(), "Größe ok");
  EXPECT_EQ(items[2].tool_call().call_id(), "call_1");
  EXPECT_EQ(items[2].tool_call().id(), "fc_1");
  EXPECT_EQ(items[2].tool_call().name(), "shell");
  EXPECT_EQ(items[2].tool_call().arguments(), R"({"cmd":"ls"})");

  ASSERT_NE(tap.Completion(), nullptr);
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(tap.Completion()->response_id(), "resp_1");
  EXPECT_EQ(tap.Completion()->upstream(), "acme");
  EXPECT_EQ(tap.Completion()->usage().output_tokens(), 40);
  EXPECT_EQ(tap.Completion()->usage().cached_input_tokens(), 64);
}

TEST(ResponsesTap, OffsetsCountTheBytesOfTheChannelThatCameBefore) {
  TapRecorder tap("responses");
  tap.Play(ResponsesAnswer());
  const auto deltas = tap.Deltas();
  ASSERT_EQ(deltas.size(), 4u);
  EXPECT_EQ(deltas[0].offset(), 0);
  EXPECT_EQ(deltas[1].offset(), 4);
  EXPECT_EQ(deltas[2].offset(), 0);
  EXPECT_EQ(deltas[2].item_id(), "msg_1");
  EXPECT_EQ(deltas[3].offset(), 7);
}

TEST(ResponsesTap, OnlyWhatIsPassedOnIsOutput) {
  TapRecorder tap("responses");
  for (const std::string& event : ResponsesAnswer()) {
    const size_t before = tap.events().size();
    const Verdict verdict = tap.Feed(event);
    if (verdict.cls == EventClass::kDone) break;
    EXPECT_EQ(verdict.cls == EventClass::kOutput, tap.events().size() > before) << event;
  }
}

TEST(ResponsesTap, IgnoresKeepAlivesAndKindsThatItDoesNotKnow) {
  TapRecorder tap("responses");
  for (const char* event :
       {R"({"type":"keepalive","sequence_number":0})", R"({"type":"response.brand_new","delta":"x"})", "{}", "null",
        R"({"type":"response.output_item.done","item":{"type":"web_search_call","id":"ws_1"}})",
        R"({"type":"response.output_text.delta","item_id":"m","delta":""})", "[DONE]", ""}) {
    EXPECT_EQ(tap.Feed(event).cls, EventClass::kBeforeOutput) << event;
  }
  EXPECT_TRUE(tap.events().empty());
}

TEST(ResponsesTap, TakesTheKindFromTheEventLineWhereTheDataHasNone) {
  TapRecorder tap("responses");
  EXPECT_EQ(tap.Feed(R"({"item_id":"m","delta":"x"})", "response.output_text.delta").cls, EventClass::kOutput);
}

TEST(ResponsesTap, PassesItemsThatOnlyTheFinalResponseTells) {
  TapRecorder tap("responses");
  const Verdict verdict = tap.Feed(ResponsesAnswer().back());
  EXPECT_EQ(verdict.cls, EventClass::kDone);
  EXPECT_EQ(tap.Items().size(), 3u);
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_TOOL_CALLS);
}

TEST(ResponsesTap, ItemsWithoutIdAndIndexAreAllPassedOn) {
  TapRecorder tap("responses");
  tap.Feed(
      R"({"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"a"}]}})");
  tap.Feed(R"({"type":"response.output_text.delta","delta":"b"})");
  tap.Feed(
      R"({"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"b"}]}})");
  ASSERT_EQ(tap.Items().size(), 2u);
  EXPECT_EQ(tap.Items()[1].message().id(), tap.Deltas()[0].item_id());
}

TEST(ResponsesTap, AnAnswerCutAtItsCapIsDoneWithLength) {
  TapRecorder tap("responses");
  const Verdict verdict = tap.Feed(
      R"({"type":"response.incomplete","response":{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"id":"m","type":"message","status":"incomplete","content":[{"type":"output_text","text":"half"}]},{"id":"f","type":"function_call","status":"incomplete","call_id":"c","name":"shell","arguments":"{\"cm"}],"usage":{"input_tokens":1,"output_tokens":2}}})");
  EXPECT_EQ(verdict.cls, EventClass::kDone);
  EXPECT_EQ(verdict.usage->output, 2);
  ASSERT_EQ(tap.Items().size(), 1u);  // a call that was cut must never run
  EXPECT_EQ(tap.Items()[0].message().parts(0).text(), "half");
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_LENGTH);
}

TEST(ResponsesTap, AFilteredAnswerSaysSo) {
  TapRecorder tap("responses");
  tap.Feed(R"({"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"}}})");
  ASSERT_NE(tap.Completion(), nullptr);
  EXPECT_EQ(tap.Completion()->finish_reason(), v1::FINISH_REASON_CONTENT_FILTER);
  EXPECT_FALSE(tap.Completion()->has_usage());
}

TEST(ResponsesTap, RefusalsAreWordsForTheUser) {
  TapRecorder tap("responses");
  tap.Feed(R"({"type":"response.refusal.delta","item_id":"m","content_index":0,"delta":"I can't."})");
  tap.Feed(
      R"({"type":"response.output_item.done","item":{"id":"m","type":"message","content":[{"type":"refusal","refusal":"I can't."}]}})");
  EXPECT_EQ(tap.Streamed(v1::Delta::CHANNEL_TEXT), "I can't.");
  EXPECT_EQ(tap.Items()[0].message().parts(0).refusal(), "I can't.");
}

TEST(ResponsesTap, AMessageWithoutWordsIsNotPassedOn) {
  TapRecorder tap("responses");
  const Verdict verdict = tap.Feed(
      R"({"type":"response.output_item.done","item":{"id":"m","type":"message","content":[{"type":"output_text","text":""}]}})");
  EXPECT_EQ(verdict.cls, EventClass::kBeforeOutput);
  EXPECT_TRUE(tap.events().empty());
}

TEST(ResponsesTap, TheIncidentAsAnErrorEventIsARateLimit) {
  for (
      const char* event :
      {R"({"type":"error","code":"rate_limit_exceeded","message":"Rate limit reached for o4-mini on tokens per min (TPM): Limit 200000, Used 160193, Requested 51963. Please try again in 3.646s.","param":null})",
       R"({"type":"error","error":{"type":"tokens","code":"rate_limit_exceeded","message":"Rate limit reached for o4-mini on tokens per min (TPM): Limit 200000, Used 160193, Requested 51963. Please try again in 3.646s."}})",
       R"({"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached for o4-mini on tokens per min (TPM): Limit 200000, Used 160193, Requested 51963. Please try again in 3.646s."}}})",
       R"({"type":"response.completed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"Please try again in 3.646s. Limit 200000"}}})"}) {
    TapRecorder tap("responses");
    const Verdict verdict = tap.Feed(event);
    ASSERT_EQ(verdict.cls, EventClass::kFailed) << event;
    EXPECT_EQ(verdict.failure->cls, FailureClass::kRateLimited) << event;
    EXPECT_EQ(verdict.failure->code, "rate_limit_exceeded");
    EXPECT_EQ(verdict.failure->hint.retry_after, Duration(std::chrono::milliseconds(3646)));
    EXPECT_TRUE(tap.events().empty());
  }
}

TEST(ResponsesTap, AFailureWithoutReasonsIsTheUpstreamsOwn) {
  TapRecorder tap("responses");
  const Verdict verdict = tap.Feed(R"({"type":"response.failed","response":null})");
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kOverloaded);
}

TEST(ResponsesTap, AStreamThatEndsBeforeItsCompletionHasFailed) {
  auto events = ResponsesAnswer();
  events.pop_back();
  TapRecorder tap("responses");
  const Verdict verdict = tap.Play(events);
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kTransport);
}

TEST(ResponsesTap, AnEventThatIsNotJsonIsABrokenStream) {
  TapRecorder tap("responses");
  const Verdict verdict = tap.Feed("<html>");
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kTransport);
  EXPECT_EQ(tap.End().cls, EventClass::kBeforeOutput);  // said once
}

TEST(ResponsesTap, AToolCallWithoutANameIsABrokenStream) {
  TapRecorder tap("responses");
  const Verdict verdict = tap.Feed(
      R"({"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","arguments":"{}"}})");
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kTransport);
}

TEST(ResponsesTap, AFinalResponseWithOneItemThatIsWrongPassesNoneOn) {
  TapRecorder tap("responses");
  const Verdict verdict =
      tap.Feed(R"({"type":"response.completed","response":{"id":"r","status":"completed","output":[)"
               R"({"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"yes"}]},)"
               R"({"id":"f","type":"function_call","call_id":"c","name":"","arguments":"{}"}]}})");
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_TRUE(tap.events().empty());
}

TEST(ResponsesTap, AToolCallWithoutArgumentsHasAnEmptyObject) {
  TapRecorder tap("responses");
  tap.Feed(
      R"({"type":"response.output_item.done","item":{"id":"f","type":"function_call","call_id":"c","name":"now","arguments":""}})");
  EXPECT_EQ(tap.Items()[0].tool_call().arguments(), "{}");
}

TEST(ResponsesTap, DeltasAreValidUtf8WhateverComes) {
  TapRecorder tap("responses");
  tap.Feed(R"({"type":"response.output_text.delta","item_id":"m","delta":"a\ud83d"})");
  tap.Feed("{\"type\":\"response.output_text.delta\",\"item_id\":\"m\",\"delta\":\"\xe6\xbc\"}");
  ASSERT_EQ(tap.Deltas().size(), 2u);
  for (const v1::Delta& delta : tap.Deltas()) EXPECT_TRUE(IsValidUtf8(delta.text()));
}

TEST(ResponsesTap, WhatItKeepsIsBounded) {
  TapRecorder tap("responses");
  Verdict verdict;
  for (int i = 0; i < 70 && verdict.cls != EventClass::kFailed; ++i) {
    const std::string id = std::to_string(i) + std::string(1 << 20, 'i');
    verdict = tap.Feed(R"({"type":"response.output_text.delta","delta":"x","item_id":")" + id + R"("})");
  }
  ASSERT_EQ(verdict.cls, EventClass::kFailed);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kUnusable);
}

TEST(ResponsesTap, TheEventsThatItPassesOnAreBoundedTogether) {
  TapRecorder tap("responses");
  const std::string text(4 << 20, 'x');
  Verdict verdict;
  int sent = 0;
  while (sent < 100 && verdict.cls != EventClass::kFailed) {
    verdict = tap.Feed(R"({"type":"response.output_text.delta","item_id":"m","delta":")" + text + R"("})");
    ++sent;
  }
  EXPECT_EQ(sent, 32);
  EXPECT_EQ(verdict.failure->cls, FailureClass::kUnusable);
}

TEST(ResponsesTap, TheFinalResponseCountsToo) {
  TapRecorder tap("responses");
  const std::string text(15 << 20, 'x');
  for (int i = 0; i < 8; ++i) {
    tap.Feed(R"({"type":"response.output_text.delta","item_id":"m","delta":")" + text + R"("})");
  }
  const Verdict verdict = tap.Feed(
      R"({"type":"response.completed","response":{"id":"r","status":"completed","output":[{"id":"m","type":"message",)"
      R"("role":"assistant","content":[{"type":"output_text","text":")" +
      text + R"("}]}]}})");
  ASSERT_EQ(verdict.cls, EventClass::kFailed) << "and not completed without its item";
  EXPECT_EQ(verdict.failure->cls, FailureClass::kUnusable);
}

}  // namespace
}  // namespace holdfast::quota
