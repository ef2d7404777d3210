#include "tests/upstream_simulator/script.h"

#include "boost/json/parse.hpp"
#include "gtest/gtest.h"

namespace holdfast::simulator {
namespace {

std::string Refused(std::string_view script) { return std::string(ParseScript(script).status().message()); }

TEST(Script, ReadsEveryKey) {
  const absl::StatusOr<Script> script = ParseScript(R"({
    "limits": {"tokens": {"limit": 200000, "per": 60, "kind": "sliding", "used": 7}, "requests": null},
    "used_at_next_request": {"requests": 3},
    "answers": [{"when": {"last_user_contains": "x", "step": 1, "path": "chat", "model": "m"},
      "text": "t", "reasoning": "r", "tool_calls": [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": "{broken"}],
      "usage": {"input_tokens": 1, "cached_tokens": 2, "output_tokens": 3, "reasoning_tokens": 4},
      "finish": "length", "set_used": {"tokens": 160193, "requests": 2}, "delay_ms": 1, "first_event_delay_ms": 2,
      "event_delay_ms": 3, "last_event_delay_ms": 4, "chunks": 5, "fault": "cut", "after_events": 2, "seconds": 0.5}],
    "default": {"text": "d"}})");
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_EQ((*script->limits.tokens)->limit.kind, WindowKind::kSliding);
  EXPECT_EQ((*script->limits.tokens)->used, 7);
  EXPECT_TRUE(script->limits.requests.has_value());
  EXPECT_FALSE(script->limits.requests->has_value());
  EXPECT_EQ(script->used_at_next_request.requests, 3);
  const Answer& answer = script->answers.at(0);
  EXPECT_EQ(answer.when.path, Dialect::kChat);
  EXPECT_EQ(answer.when.step, 1);
  EXPECT_EQ(answer.tool_calls.at(0).arguments, R"({"a":1})");
  EXPECT_EQ(answer.tool_calls.at(1).arguments, "{broken");
  EXPECT_EQ(answer.usage.reasoning_tokens, 4);
  EXPECT_TRUE(answer.cut_by_length);
  EXPECT_EQ(answer.set_used.tokens, 160193);
  EXPECT_EQ(answer.last_event_delay_ms, 4);
  EXPECT_EQ(answer.chunks, 5);
  EXPECT_EQ(answer.fault->kind, FaultKind::kCut);
  EXPECT_EQ(answer.fault->after_events, 2);
  EXPECT_EQ(script->otherwise.text, "d");
}

TEST(Script, NamesTheUnknownKeyAndItsPlace) {
  EXPECT_EQ(Refused(R"({"answer": []})"),
            "answer: unknown key; known here: answers, default, limits, used_at_next_request");
  EXPECT_EQ(Refused(R"({"answers": [{}, {"when": {"steps": 1}}]})"),
            "answers[1].when.steps: unknown key; known here: last_user_contains, model, path, step");
  EXPECT_EQ(Refused(R"({"limits": {"tokens": {"limit": 1, "window": 2}}})"),
            "limits.tokens.window: unknown key; known here: kind, limit, per, used");
  EXPECT_EQ(Refused(R"({"answers": [{"tool_calls": [{"name": "f", "id": "x"}]}]})"),
            "answers[0].tool_calls[0].id: unknown key; known here: arguments, name");
}

TEST(Script, NamesTheBadValue) {
  EXPECT_EQ(Refused(R"({"limits": {"tokens": {"limit": 0}}})"),
            "limits.tokens.limit: expected an integer from 1 to 1000000000000");
  EXPECT_EQ(Refused(R"({"limits": {"tokens": {}}})"), "limits.tokens.limit: is required");
  EXPECT_EQ(Refused(R"({"limits": {"tokens": {"limit": 1, "kind": "leaky"}}})"),
            "limits.tokens.kind: expected one of continuous, sliding, fixed");
  EXPECT_EQ(Refused(R"({"default": {"text": 1}})"), "default.text: expected a string");
  EXPECT_EQ(Refused(R"({"default": {"when": {}}})").substr(0, 25), "default.when: unknown key");
  EXPECT_EQ(Refused(R"({"default": {"seconds": 2}})"), "default.seconds: means nothing without `fault`");
  EXPECT_EQ(Refused(R"({"default": {"fault": "404"}})").substr(0, 31), "default.fault: expected one of ");
  EXPECT_EQ(Refused("[]"), "document: expected an object");
  EXPECT_EQ(Refused("{").substr(0, 22), "the script is not JSON");
}

TEST(Script, ChoosesTheFirstAnswerWhoseConditionsHold) {
  const absl::StatusOr<Script> script = ParseScript(R"({"answers": [
    {"when": {"last_user_contains": "refactor", "step": 0}, "text": "first"},
    {"when": {"last_user_contains": "refactor"}, "text": "later"},
    {"when": {"path": "chat"}, "text": "chat"},
    {"when": {"model": "gpt-5"}, "text": "model"}]})");
  ASSERT_TRUE(script.ok());
  GenerationRequest request;
  request.last_user = "please refactor this";
  EXPECT_EQ(ChooseAnswer(*script, request).text, "first");
  EXPECT_EQ(ChooseAnswer(*script, request).text, "first");
  request.step = 1;
  EXPECT_EQ(ChooseAnswer(*script, request).text, "later");
  request.last_user = "hello";
  request.dialect = Dialect::kChat;
  EXPECT_EQ(ChooseAnswer(*script, request).text, "chat");
  request.dialect = Dialect::kResponses;
  request.model = "gpt-5";
  EXPECT_EQ(ChooseAnswer(*script, request).text, "model");
  request.model = "o4-mini";
  EXPECT_EQ(ChooseAnswer(*script, request).text, "OK.");
}

TEST(Faults, AreTakenInOrderAndAsOftenAsAsked) {
  FaultQueue queue;
  const GenerationRequest any;
  ASSERT_TRUE(PushFaults(boost::json::object{{"fault", "503"}, {"count", 2}, {"seconds", 2}}, queue).ok());
  ASSERT_TRUE(PushFaults(boost::json::object{{"fault", "cut"}}, queue).ok());
  EXPECT_EQ(queue.size(), 3);
  queue.Take(any);
  EXPECT_EQ(queue.For(any)->kind, FaultKind::kUnavailable);
  EXPECT_EQ(queue.For(any)->seconds, 2);
  queue.Take(any);
  EXPECT_EQ(queue.For(any)->kind, FaultKind::kCut);
  queue.Take(any);
  EXPECT_EQ(queue.For(any), nullptr);
}

TEST(Faults, WaitForTheRequestsThatTheyAreFor) {
  FaultQueue queue;
  ASSERT_TRUE(PushFaults(boost::json::parse(R"({"fault": "cut", "when": {"model": "a", "step": 1}})"), queue).ok());
  ASSERT_TRUE(PushFaults(boost::json::parse(R"({"fault": "503", "when": {"model": "b"}})"), queue).ok());
  GenerationRequest request;
  request.model = "a";
  EXPECT_EQ(queue.For(request), nullptr);
  request.step = 1;
  EXPECT_EQ(queue.For(request)->kind, FaultKind::kCut);
  request.model = "b";
  EXPECT_EQ(queue.For(request)->kind, FaultKind::kUnavailable);
  queue.Take(request);
  EXPECT_EQ(queue.For(request), nullptr);
  EXPECT_EQ(queue.size(), 1);
}

TEST(Faults, SayWhatDoesNotGoTogether) {
  FaultQueue queue;
  EXPECT_EQ(PushFaults(boost::json::parse(R"({"fault": "cut", "after": "text", "after_events": 1})"), queue).message(),
            "after: excludes `after_events`");
  EXPECT_EQ(PushFaults(boost::json::parse(R"({"fault": "redirect"})"), queue).message(),
            "location: is what `redirect` needs, and no other fault");
  EXPECT_EQ(queue.size(), 0);
}

TEST(Faults, NeedAName) {
  FaultQueue queue;
  EXPECT_EQ(PushFaults(boost::json::object{{"count", 2}}, queue).message(), "fault: is required");
  EXPECT_EQ(queue.size(), 0);
}

}  // namespace
}  // namespace holdfast::simulator
