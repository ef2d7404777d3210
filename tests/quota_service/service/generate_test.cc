#include <boost/json/serialize.hpp>
#include <map>

#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class GenerateTest : public QuotaServerTestBase {
 protected:
  GenerateTest() { StartServer(); }

  // What an answer must always be: numbered upwards in one incarnation, and completed last, once.
  static void ExpectWellFormed(const Generation& generation) {
    ASSERT_TRUE(generation.status.ok()) << generation.status.error_message();
    ASSERT_FALSE(generation.events.empty());
    EXPECT_EQ(generation.Count(v1::GenerateEvent::kCompleted), 1);
    EXPECT_TRUE(generation.events.back().has_completed());
    int64_t last = 0;
    for (const v1::GenerateEvent& event : generation.events) {
      EXPECT_GT(event.event(), last);
      EXPECT_EQ(event.incarnation(), generation.events.front().incarnation());
      EXPECT_FALSE(event.incarnation().empty());
      last = event.event();
    }
  }

  // Deltas, each at the end of those before it, joined by item.
  static std::map<std::string, std::string> Deltas(const Generation& generation, v1::Delta::Channel channel) {
    std::map<std::string, std::string> texts;
    for (const v1::GenerateEvent& event : generation.events) {
      if (!event.has_delta() || event.delta().channel() != channel) continue;
      std::string& text = texts[event.delta().item_id()];
      EXPECT_EQ(event.delta().offset(), static_cast<int64_t>(text.size()));
      text += event.delta().text();
    }
    return texts;
  }
};

constexpr char kScript[] = R"({"default": {
    "text": "Größe: 漢字 and more words", "reasoning": "I think about it.",
    "tool_calls": [{"name": "read_file", "arguments": {"path": "a.cc"}}, {"name": "shell", "arguments": "not json"}],
    "usage": {"input_tokens": 1100, "cached_tokens": 300, "output_tokens": 70, "reasoning_tokens": 20}, "chunks": 5,
    "event_delay_ms": 5}})";

TEST_F(GenerateTest, OnResponsesPassesTextReasoningToolCallsAndUsageOn) {
  upstream().SetScript(kScript);
  const Generation generation = Generate(Request("c1"));
  ExpectWellFormed(generation);
  EXPECT_EQ(generation.Count(v1::GenerateEvent::kAdmitted), 1);

  const std::vector<v1::Item> items = generation.items();
  ASSERT_THAT(items, SizeIs(4));
  EXPECT_EQ(items[0].reasoning().origin(), "sim");
  EXPECT_NE(items[0].reasoning().encrypted_content(), "");
  EXPECT_THAT(items[0].reasoning().summary(), ElementsAre("I think about it."));
  EXPECT_EQ(items[1].message().role(), v1::ROLE_ASSISTANT);
  EXPECT_EQ(generation.text(), "Größe: 漢字 and more words");
  EXPECT_EQ(items[2].tool_call().name(), "read_file");
  EXPECT_EQ(items[2].tool_call().arguments(), R"({"path":"a.cc"})");
  EXPECT_NE(items[2].tool_call().call_id(), items[3].tool_call().call_id());
  EXPECT_EQ(items[3].tool_call().arguments(), "not json");

  EXPECT_THAT(Deltas(generation, v1::Delta::CHANNEL_TEXT),
              ElementsAre(testing::Pair(items[1].message().id(), generation.text())));
  EXPECT_THAT(Deltas(generation, v1::Delta::CHANNEL_REASONING_SUMMARY),
              ElementsAre(testing::Pair(items[0].reasoning().id(), "I think about it.")));

  const v1::Completed completed = generation.completed();
  EXPECT_EQ(completed.usage().input_tokens(), 1100);
  EXPECT_EQ(completed.usage().cached_input_tokens(), 300);
  EXPECT_EQ(completed.usage().output_tokens(), 70);
  EXPECT_EQ(completed.usage().reasoning_tokens(), 20);
  EXPECT_EQ(completed.finish_reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(completed.upstream(), "sim");
  EXPECT_EQ(completed.attempts(), 1);
  EXPECT_NE(completed.response_id(), "");
  EXPECT_EQ(upstream().Requests().at(0).at("path"), "responses");
}

TEST_F(GenerateTest, OnChatPassesTextToolCallsAndUsageOn) {
  upstream().SetScript(kScript);
  v1::GenerateRequest request = Request("c1");
  request.set_model("chat-model");
  const Generation generation = Generate(request);
  ExpectWellFormed(generation);
  EXPECT_EQ(generation.text(), "Größe: 漢字 and more words");
  std::vector<std::string> calls;
  for (const v1::Item& item : generation.items()) {
    if (item.has_tool_call()) calls.push_back(item.tool_call().name() + item.tool_call().arguments());
  }
  EXPECT_THAT(calls, ElementsAre(R"(read_file{"path":"a.cc"})", "shellnot json"));
  const auto deltas = Deltas(generation, v1::Delta::CHANNEL_TEXT);
  ASSERT_THAT(deltas, SizeIs(1));
  EXPECT_EQ(deltas.begin()->second, generation.text());

  const v1::Completed completed = generation.completed();
  EXPECT_EQ(completed.usage().input_tokens(), 1100);
  EXPECT_EQ(completed.usage().cached_input_tokens(), 300);
  EXPECT_EQ(completed.usage().output_tokens(), 70);
  EXPECT_EQ(completed.usage().reasoning_tokens(), 20);
  EXPECT_EQ(completed.finish_reason(), v1::FINISH_REASON_TOOL_CALLS);
  EXPECT_EQ(completed.upstream(), "sim-chat");
  EXPECT_EQ(upstream().Requests().at(0).at("path"), "chat");
}

TEST_F(GenerateTest, AnAnswerThatWasCutByItsCapSaysSo) {
  upstream().SetScript(R"({"default": {"text": "begun", "finish": "length"}})");
  for (const char* model : {"m", "chat-model"}) {
    v1::GenerateRequest request = Request(std::string("c-") + model);
    request.set_model(model);
    request.set_max_output_tokens(100);
    const Generation generation = Generate(request);
    ExpectWellFormed(generation);
    EXPECT_EQ(generation.completed().finish_reason(), v1::FINISH_REASON_LENGTH) << model;
  }
}

TEST_F(GenerateTest, SendsTheWholeConversationOnceAndNothingThatIsOurs) {
  v1::GenerateRequest request = Request("secret-call-id", "What does it say?");
  request.set_instructions("Be brief.");
  request.set_session_id("secret-session");
  v1::ToolCall* call = request.add_items()->mutable_tool_call();
  call->set_call_id("t1");
  call->set_name("read_file");
  call->set_arguments("{}");
  v1::ToolResult* result = request.add_items()->mutable_tool_result();
  result->set_call_id("t1");
  result->set_output("the file");
  v1::Tool* tool = request.add_tools();
  tool->set_name("read_file");
  for (const char* model : {"m", "chat-model"}) {
    request.set_call_id(std::string("secret-call-id-") + model);
    request.set_model(model);
    ExpectWellFormed(Generate(request));
  }
  ASSERT_EQ(Sent(), 2U);
  for (const auto& record : upstream().Requests()) {
    const std::string body = boost::json::serialize(upstream().RequestBody(record.at("index").as_int64()));
    for (const char* word : {"What does it say?", "Be brief.", "the file", "read_file"})
      EXPECT_THAT(body, HasSubstr(word));
    EXPECT_THAT(body, testing::Not(HasSubstr("secret-")));
    EXPECT_EQ(record.at("stream"), true);
  }
}

TEST_F(GenerateTest, ASecondCallIsAnotherRequest) {
  ExpectWellFormed(Generate(Request("c1")));
  ExpectWellFormed(Generate(Request("c2")));
  EXPECT_EQ(Sent(), 2U);
}

TEST_F(GenerateTest, ManyCallsAtOnceAllComplete) {
  constexpr int kCalls = 50;
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < kCalls; ++i) readers.push_back(Open(Request("c" + std::to_string(i), std::string(100, 'x'))));
  for (const auto& reader : readers) ExpectWellFormed(reader->Drain());
  EXPECT_EQ(Sent(), static_cast<size_t>(kCalls));
}

struct Absorbed {
  const char* fault;
  bool restarts;  // after output
};

class AbsorbedFaultTest : public GenerateTest, public testing::WithParamInterface<Absorbed> {};

TEST_P(AbsorbedFaultTest, IsInvisibleButForAWait) {
  upstream().SetScript(R"({"default": {"text": "a whole answer"}})");
  upstream().PushFault(R"({"fault": ")" + std::string(GetParam().fault) + R"(", "seconds": 0.1, "after_events": 6})");
  const Generation generation = Generate(Request("c1"));
  ExpectWellFormed(generation);
  EXPECT_EQ(generation.completed().attempts(), 2);
  EXPECT_EQ(Sent(), 2U);
  EXPECT_EQ(generation.Count(v1::GenerateEvent::kRestarted) > 0, GetParam().restarts);

  // After a restart, what came before is void.
  Generation valid = generation;
  for (size_t i = generation.events.size(); i-- > 0;) {
    if (!generation.events[i].has_restarted()) continue;
    valid.events.erase(valid.events.begin(), valid.events.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  EXPECT_EQ(valid.text(), "a whole answer");
}

INSTANTIATE_TEST_SUITE_P(Faults, AbsorbedFaultTest,
                         testing::Values(Absorbed{"429", false}, Absorbed{"429_no_headers", false},
                                         Absorbed{"500", false}, Absorbed{"503", false},
                                         Absorbed{"cut_before_headers", false}, Absorbed{"garbage_body", false},
                                         Absorbed{"cut", true}, Absorbed{"end_without_completed", true},
                                         Absorbed{"stream_429", true}),
                         [](const auto& test) { return std::string(test.param.fault); });

// A provider that charges the output cap for good.
class SizedCapTest : public QuotaServerTestBase {
 protected:
  SizedCapTest() {
    config_.upstreams.at(1).account.profile = "moonshot";
    StartServer();
  }
  std::vector<int64_t> CapsSent() const {
    std::vector<int64_t> caps;
    for (const auto& request : upstream().Requests()) {
      const auto& cap = request.at("max_output_tokens");
      caps.push_back(cap.is_null() ? 0 : cap.as_int64());
    }
    return caps;
  }
};

TEST_F(SizedCapTest, OursIsSentWhereNoneIsNamedAndRaisedTwiceForAnAnswerThatItCuts) {
  upstream().SetScript(R"({"default": {"text": "begun", "finish": "length", "usage": {"output_tokens": 40000}}})");
  v1::GenerateRequest request = Request("c1");
  request.set_model("chat-model");
  const Generation generation = Generate(request);
  ASSERT_TRUE(generation.status.ok()) << generation.status.error_message();
  EXPECT_THAT(CapsSent(), ElementsAre(4096, 16384, 32768));
  EXPECT_EQ(generation.Count(v1::GenerateEvent::kRestarted), 2);
  EXPECT_EQ(generation.completed().finish_reason(), v1::FINISH_REASON_LENGTH);
  EXPECT_EQ(generation.completed().attempts(), 3);
}

TEST_F(SizedCapTest, TheCallersOwnIsSentAsItIs) {
  upstream().SetScript(R"({"default": {"text": "begun", "finish": "length", "usage": {"output_tokens": 20000}}})");
  v1::GenerateRequest request = Request("c1");
  request.set_model("chat-model");
  request.set_max_output_tokens(20'000);
  const Generation generation = Generate(request);
  EXPECT_THAT(CapsSent(), ElementsAre(20'000));
  EXPECT_EQ(generation.completed().attempts(), 1);
}

TEST_F(SizedCapTest, IsSizedByWhatAnswersTook) {
  upstream().SetScript(R"({"default": {"text": "done", "usage": {"input_tokens": 9, "output_tokens": 1000}}})");
  for (int i = 0; i < 20; ++i) {
    v1::GenerateRequest request = Request("c" + std::to_string(i));
    request.set_model("chat-model");
    ASSERT_TRUE(Generate(request).status.ok());
  }
  EXPECT_EQ(CapsSent().front(), 4096);
  EXPECT_EQ(CapsSent().back(), 1250 + 16);
}

}  // namespace
}  // namespace holdfast::quota
