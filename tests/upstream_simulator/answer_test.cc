#include "boost/json/parse.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/upstream_simulator/chat_answer.h"
#include "tests/upstream_simulator/responses_answer.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;
using testing::ElementsAre;

struct Given {
  Given() {
    request.model = "o4-mini";
    request.chars = 40;
    request.body_sha256 = Sha256("a body");
    answer.text = "größer";
    answer.chunks = 2;
  }
  AnswerContext Context() const {
    return {request, answer, UsageOf(request, answer), Ids(request.body_sha256), 1700000000};
  }

  GenerationRequest request;
  Answer answer;
};

json::value DataOf(const Event& event) {
  const std::size_t at = event.bytes.find("data: ") + 6;
  return json::parse(event.bytes.substr(at, event.bytes.size() - at - 2));
}

std::vector<std::string> TypesOf(const std::vector<Event>& events) {
  std::vector<std::string> types;
  for (const Event& event : events) {
    const json::value data = DataOf(event);
    types.emplace_back(data.at("type").as_string());
    EXPECT_EQ(event.bytes.rfind("event: " + types.back() + "\ndata: ", 0), 0U);
    EXPECT_EQ(data.at("sequence_number").to_number<std::size_t>(), types.size() - 1);
  }
  return types;
}

TEST(ResponsesStream, OfTextHasOpenAisOrder) {
  const Given given;
  EXPECT_THAT(TypesOf(ResponsesStream(given.Context())),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                          "response.output_text.done", "response.content_part.done", "response.output_item.done",
                          "response.completed"));
}

TEST(ResponsesStream, OfReasoningAndACallHasOpenAisOrder) {
  Given given;
  given.answer.text.clear();
  given.answer.reasoning = "think";
  given.answer.tool_calls = {{"read_file", R"({"path":"a"})"}};
  EXPECT_THAT(TypesOf(ResponsesStream(given.Context())),
              ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                          "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
                          "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
                          "response.reasoning_summary_part.done", "response.output_item.done",
                          "response.output_item.added", "response.function_call_arguments.delta",
                          "response.function_call_arguments.delta", "response.function_call_arguments.delta",
                          "response.function_call_arguments.done", "response.output_item.done", "response.completed"));
}

TEST(ResponsesStream, CompletesWithTheFullResponse) {
  Given given;
  given.answer.reasoning = "think";
  given.answer.tool_calls = {{"read_file", R"({"path":"a"})"}};
  const std::vector<Event> events = ResponsesStream(given.Context());

  const json::value response = DataOf(events.back()).at("response");

  EXPECT_EQ(response.at("status"), "completed");
  EXPECT_EQ(response.at("id"), DataOf(events.front()).at("response").at("id"));
  const json::array& output = response.at("output").as_array();
  ASSERT_EQ(output.size(), 3U);
  EXPECT_EQ(output[0].at("type"), "reasoning");
  EXPECT_EQ(output[0].at("summary").at(0).at("text"), "think");
  EXPECT_TRUE(output[0].at("encrypted_content").is_string());
  EXPECT_EQ(output[1].at("content").at(0).at("text"), "größer");
  EXPECT_EQ(output[2].at("arguments"), R"({"path":"a"})");
  EXPECT_EQ(response.at("usage"),
            json::parse(R"({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 9,
                            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 19})"));
}

TEST(ResponsesStream, DeltasMakeUpTheText) {
  const Given given;
  std::string text;
  for (const Event& event : ResponsesStream(given.Context())) {
    const json::value data = DataOf(event);
    if (data.at("type") == "response.output_text.delta") text += data.at("delta").as_string();
  }
  EXPECT_EQ(text, "größer");
}

TEST(ResponsesStream, CutByLengthEndsIncomplete) {
  Given given;
  given.answer.cut_by_length = true;
  const json::value last = DataOf(ResponsesStream(given.Context()).back());
  EXPECT_EQ(last.at("type"), "response.incomplete");
  EXPECT_EQ(last.at("response").at("incomplete_details").at("reason"), "max_output_tokens");
}

TEST(ResponsesStream, IsTheSameForTheSameBodyAndDiffersForAnother) {
  Given given;
  given.answer.tool_calls = {{"f", "{}"}, {"f", "{}"}};
  const json::value first = json::parse(ResponsesBody(given.Context()));
  EXPECT_EQ(json::parse(ResponsesBody(given.Context())), first);
  EXPECT_NE(first.at("output").at(1).at("call_id"), first.at("output").at(2).at("call_id"));
  given.request.body_sha256 = Sha256("another body");
  const json::value second = json::parse(ResponsesBody(given.Context()));
  EXPECT_NE(second.at("id"), first.at("id"));
  EXPECT_NE(second.at("output").at(1).at("call_id"), first.at("output").at(1).at("call_id"));
}

TEST(ChatStream, OfTextAndACallHasOpenAisChunks) {
  Given given;
  given.request.include_usage = true;
  given.answer.tool_calls = {{"read_file", R"({"path":"a"})"}};

  const std::vector<Event> events = ChatStream(given.Context());

  ASSERT_EQ(events.size(), 10U);  // role, 2 of text, 4 of the call, finish, usage, [DONE]
  EXPECT_EQ(DataOf(events[0]).at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_EQ(DataOf(events[1]).at("choices").at(0).at("delta").at("content"), "grö");
  const json::value call = DataOf(events[3]).at("choices").at(0).at("delta").at("tool_calls").at(0);
  EXPECT_EQ(call.at("function").at("name"), "read_file");
  std::string arguments;
  for (std::size_t i = 4; i < 7; ++i) {
    arguments += DataOf(events[i])
                     .at("choices")
                     .at(0)
                     .at("delta")
                     .at("tool_calls")
                     .at(0)
                     .at("function")
                     .at("arguments")
                     .as_string();
  }
  EXPECT_EQ(arguments, R"({"path":"a"})");
  EXPECT_EQ(DataOf(events[7]).at("choices").at(0).at("finish_reason"), "tool_calls");
  EXPECT_TRUE(DataOf(events[8]).at("choices").as_array().empty());
  EXPECT_EQ(DataOf(events[8]).at("usage").at("prompt_tokens"), 10);
  EXPECT_EQ(events[9].bytes, "data: [DONE]\n\n");
}

TEST(ChatStream, SendsUsageOnlyWhenAsked) {
  const Given given;
  for (const Event& event : ChatStream(given.Context())) {
    EXPECT_EQ(event.bytes.find("usage"), std::string::npos);
  }
}

TEST(ChatBody, HasTheAnswerAndItsUsage) {
  Given given;
  given.answer.usage.input_tokens = 1000;
  given.answer.usage.cached_tokens = 600;
  const json::value body = json::parse(ChatBody(given.Context()));
  EXPECT_EQ(body.at("choices").at(0).at("message").at("content"), "größer");
  EXPECT_EQ(body.at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_EQ(body.at("usage").at("prompt_tokens"), 1000);
  EXPECT_EQ(body.at("usage").at("prompt_tokens_details").at("cached_tokens"), 600);
}

TEST(SplitText, CutsBetweenCodePoints) {
  EXPECT_THAT(SplitText("äöü", 2), ElementsAre("ä", "öü"));
  EXPECT_THAT(SplitText("ab", 5), ElementsAre("a", "b"));
  EXPECT_TRUE(SplitText("", 3).empty());
}

}  // namespace
}  // namespace holdfast::simulator
