#include "tests/upstream_simulator/charge.h"

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace holdfast::simulator {
namespace {

GenerationRequest Read(Dialect dialect, std::string_view body) {
  absl::StatusOr<GenerationRequest> request = ReadGenerationRequest(dialect, body);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.value_or(GenerationRequest{});
}

std::string Refused(Dialect dialect, std::string_view body) {
  return std::string(ReadGenerationRequest(dialect, body).status().message());
}

TEST(Charge, OfResponsesCountsTextsArgumentsAndOutputsOnly) {
  const GenerationRequest request = Read(Dialect::kResponses, R"({
    "model": "o4-mini", "instructions": "1234567890",
    "tools": [{"type": "function", "name": "not_counted", "parameters": {"type": "object"}}],
    "input": [
      {"role": "user", "content": "12345"},
      {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "abc"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
      {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA", "summary": []},
      {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "de"},
        {"type": "refusal", "refusal": "no"}]},
      {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": "{}x"},
      {"type": "function_call_output", "call_id": "call_1", "output": "1234567"},
      {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "12"}]}]})");
  EXPECT_EQ(request.chars, 10 + 5 + 3 + 2 + 2 + 3 + 7 + 2);
  EXPECT_EQ(request.charge, 34 / 4 + 2);
  EXPECT_EQ(request.input_items, 7);
  EXPECT_EQ(request.last_user, "abc");
  EXPECT_EQ(request.step, 1);
}

TEST(Charge, OfChatCountsContentsArgumentsAndToolResultsOnly) {
  const GenerationRequest request = Read(Dialect::kChat, R"({
    "model": "o4-mini", "messages": [
      {"role": "system", "content": "123"},
      {"role": "user", "content": [{"type": "text", "text": "1234"}]},
      {"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "12345"}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "123456"}]})");
  EXPECT_EQ(request.chars, 3 + 4 + 5 + 6);
  EXPECT_EQ(request.charge, 18 / 4 + 2);
}

TEST(Charge, CountsCodePointsNotBytes) {
  const GenerationRequest request = Read(Dialect::kResponses, R"({"model": "m", "input": "äöü€\ud83d\ude00"})");
  EXPECT_EQ(request.chars, 5);
  EXPECT_EQ(request.charge, 3);
}

TEST(Charge, IsTheCapOnOutputWhereThatIsLarger) {
  EXPECT_EQ(Read(Dialect::kResponses, R"({"model": "m", "input": "x", "max_output_tokens": 51963})").charge, 51963);
  EXPECT_EQ(Read(Dialect::kChat, R"({"model": "m", "messages": [], "max_completion_tokens": 700})").charge, 700);
  EXPECT_EQ(Read(Dialect::kChat, R"({"model": "m", "messages": [], "max_tokens": 32000})").charge, 32000);
}

TEST(Charge, OfTheMeasuredRequestIsTheMeasuredOne) {
  const std::string body = fmt::format(R"({{"model": "m", "input": "{}"}})", std::string(720'000, 'a'));
  EXPECT_EQ(Read(Dialect::kResponses, body).charge, 180002);
}

TEST(Step, CountsRunsOfTheAssistantAfterTheLastUserMessage) {
  const GenerationRequest request = Read(Dialect::kResponses, R"({"model": "m", "input": [
      {"role": "user", "content": "first"}, {"role": "assistant", "content": "old"},
      {"role": "user", "content": "second"},
      {"type": "reasoning", "summary": []}, {"type": "function_call", "name": "a", "arguments": "", "call_id": "1"},
      {"type": "function_call", "name": "b", "arguments": "", "call_id": "2"},
      {"type": "function_call_output", "call_id": "1", "output": ""},
      {"type": "function_call_output", "call_id": "2", "output": ""},
      {"type": "function_call", "name": "a", "arguments": "", "call_id": "3"},
      {"type": "function_call_output", "call_id": "3", "output": ""}]})");
  EXPECT_EQ(request.step, 2);
  EXPECT_EQ(request.last_user, "second");
}

TEST(Step, IsTheSameInBothDialects) {
  const GenerationRequest request = Read(Dialect::kChat, R"({"model": "m", "messages": [
      {"role": "user", "content": "go"}, {"role": "assistant", "content": "a"}, {"role": "tool", "content": "r"},
      {"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"}, {"role": "tool", "content": "r"}]})");
  EXPECT_EQ(request.step, 2);
}

TEST(Step, OfOutputsWhoseAnswerIsOnlyNamedIsOne) {
  const GenerationRequest request = Read(Dialect::kResponses, R"({
      "model": "m", "previous_response_id": "resp_1", "input": [
      {"type": "function_call_output", "call_id": "1", "output": ""},
      {"type": "function_call_output", "call_id": "2", "output": ""}]})");
  EXPECT_EQ(request.step, 1);
}

TEST(GenerationRequest, NamesTheBadField) {
  EXPECT_EQ(Refused(Dialect::kChat, "{"),
            "We could not parse the JSON body of your request: a JSON object is expected.");
  EXPECT_EQ(Refused(Dialect::kChat, R"({"messages": []})"), "Missing required parameter: 'model'.");
  EXPECT_EQ(Refused(Dialect::kChat, R"({"model": "m"})"), "Missing required parameter: 'messages'.");
  EXPECT_EQ(Refused(Dialect::kResponses, R"({"model": "m", "input": [1]})"),
            "Invalid type for 'input[0]': expected an object.");
  EXPECT_EQ(Refused(Dialect::kResponses, R"({"model": "m", "input": "x", "max_output_tokens": "many"})"),
            "Invalid value for 'max_output_tokens': expected an integer of at least 1.");
}

}  // namespace
}  // namespace holdfast::simulator
