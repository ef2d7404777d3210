// Whatever breaks a stream, wherever it does: before output nobody sees it, after output the reader is told to begin
// again and has one whole answer at the end, and where it never ends the error names the last cause.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <map>

#include "common/rpc/status.h"
#include "quota_service/service/failure_status.h"
#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

enum class Breakage {
  kCut,
  kSilence,
  kSilenceButForComments,
  kBadJson,
  kBinary,
  kEndWithoutCompletion,
  kErrorEvent,
  kFailedEvent,
  kRefusal,
};
enum class Moment { kBeforeAnything, kStarted, kInToolCall, kInReasoning, kInText };

struct Case {
  Breakage breakage;
  Moment moment;
  Wire wire;
};

std::string Name(const testing::TestParamInfo<Case>& info) {
  static constexpr const char* kBreakages[] = {"Cut",        "Silence",     "SilenceButForComments",
                                               "BadJson",    "Binary",      "EndWithoutCompletion",
                                               "ErrorEvent", "FailedEvent", "Refusal"};
  static constexpr const char* kMoments[] = {"BeforeAnything", "Started", "InToolCall", "InReasoning", "InText"};
  return fmt::format("{}_{}_{}", kBreakages[static_cast<int>(info.param.breakage)],
                     kMoments[static_cast<int>(info.param.moment)],
                     info.param.wire == Wire::kTypedChat ? "Chat" : "Responses");
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const Wire wire : {Wire::kTypedResponses, Wire::kTypedChat}) {
    for (int breakage = 0; breakage <= static_cast<int>(Breakage::kRefusal); ++breakage) {
      for (int moment = 0; moment <= static_cast<int>(Moment::kInText); ++moment) {
        cases.push_back({static_cast<Breakage>(breakage), static_cast<Moment>(moment), wire});
      }
    }
  }
  return cases;
}

// Follows a call as agent_service does: what it had is void after `restarted`, deltas are replaced by their item.
class Follower final : public EventReader {
 public:
  explicit Follower(TypedExchange& exchange) : exchange_(exchange) { exchange_.SetReader(this); }
  void OnProgress() override {
    while (const v1::GenerateEvent* event = exchange_.history().After(cursor_)) {
      cursor_ = event->event();
      if (event->has_restarted()) {
        ++restarts;
        deltas.clear();
        items.clear();
      }
      if (event->has_delta()) deltas[event->delta().item_id()] += event->delta().text();
      if (event->has_item()) items.push_back(event->item());
      if (event->has_completed()) ++completions;
    }
  }
  void OnReplaced() override {}

  std::map<std::string, std::string> deltas;
  std::vector<v1::Item> items;
  int restarts = 0;
  int completions = 0;

 private:
  TypedExchange& exchange_;
  int64_t cursor_ = 0;
};

class MidStream : public testing::TestWithParam<Case> {
 protected:
  bool chat() const { return GetParam().wire == Wire::kTypedChat; }
  bool HasOutput() const { return GetParam().moment >= Moment::kInReasoning; }

  // What comes before the breakage.
  Script Before() const {
    Script script = Script::Stream();
    if (GetParam().moment == Moment::kBeforeAnything) return script;
    script.Body(stream_.Started());
    switch (GetParam().moment) {
      case Moment::kInToolCall:
        script.Body(
            chat()
                ? "data: {\"id\":\"chat_1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":"
                  "\"call_1\",\"function\":{\"name\":\"shell\",\"arguments\":\"{\\\"com\"}}]}}]}\n\n"
                : "data: {\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"fc_1\",\"delta\":\"{\\\"com"
                  "\"}\n\n");
        break;
      case Moment::kInReasoning:
        script.Body(chat() ? "data: {\"id\":\"chat_1\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":"
                             "\"void thought\"}}]}\n\n"
                           : "data: {\"type\":\"response.reasoning_summary_text.delta\",\"item_id\":\"rs_1\",\"delta\":"
                             "\"void thought\"}\n\n");
        break;
      case Moment::kInText:
        script.Body(stream_.Delta("void")).After(seconds(2)).Body(stream_.Delta(" words"));
        break;
      default:
        break;
    }
    return script;
  }

  Script Fault(const std::string& mark) const {
    Script script = Before();
    script.After(seconds(1));
    switch (GetParam().breakage) {
      case Breakage::kCut:
        return std::move(script.Break("reset " + mark));
      case Breakage::kSilence:
        return script;
      case Breakage::kSilenceButForComments:
        for (int i = 0; i < 30; ++i) script.Body(StreamText::Comment()).After(seconds(10));
        return script;
      case Breakage::kBadJson:
        return std::move(script.Body("data: {\"type\":\"response.output_text.del\n\n"));
      case Breakage::kBinary:
        return std::move(script.Body(std::string("data: \0\xff\xfe\x01\x80\n\n", 13)));
      case Breakage::kEndWithoutCompletion:
        return std::move(script.End());
      case Breakage::kErrorEvent:
        return std::move(script.Body(stream_.Error("server_error", "gave up " + mark)));
      case Breakage::kFailedEvent:
        return std::move(script.Body(stream_.Failed("server_error", "gave up " + mark)));
      case Breakage::kRefusal:
        return std::move(script.Body(stream_.Failed("rate_limit_exceeded", "Please try again in 2s " + mark)));
    }
    return script;
  }

  // What the error must say; the mark where the cause is the upstream's own words.
  std::string Cause(const std::string& mark) const {
    switch (GetParam().breakage) {
      case Breakage::kCut:
        return "reset " + mark;
      case Breakage::kSilence:
      case Breakage::kSilenceButForComments:
        return "sent no event for";
      case Breakage::kBadJson:
      case Breakage::kBinary:
        return "not JSON";
      case Breakage::kEndWithoutCompletion:
        return "ended without completion";
      default:
        return mark;
    }
  }

  CallRig rig_;
  StreamText stream_{GetParam().wire};
};
INSTANTIATE_TEST_SUITE_P(Faults, MidStream, testing::ValuesIn(Cases()), Name);

TEST_P(MidStream, OneAnswerIsCommittedAndNothingOfTheBrokenOne) {
  rig_.upstream.Push(Fault("first"));
  rig_.upstream.Push(Fault("second"));
  rig_.upstream.Push(Script::Stream().Body(stream_.Answer("whole")).End());
  TestCall test(rig_, GetParam().wire);
  Follower follower(*test.typed);
  test.Start();
  rig_.loop.Advance(hours(1));
  ASSERT_TRUE(test.completed());
  EXPECT_EQ(follower.restarts, HasOutput() ? 2 : 0);
  EXPECT_EQ(follower.completions, 1);
  ASSERT_THAT(follower.items, SizeIs(1));
  EXPECT_EQ(follower.items[0].message().parts(0).text(), "whole");
  for (const auto& [item, text] : follower.deltas) EXPECT_EQ(text, "whole") << item;
  ASSERT_THAT(rig_.upstream.seen(), SizeIs(3));
  for (const auto& seen : rig_.upstream.seen()) EXPECT_EQ(seen.request.body, rig_.upstream.seen()[0].request.body);
  EXPECT_EQ(rig_.State().in_flight, 0u);

  // Whoever comes late sees only the answer that stands.
  Follower late(*test.typed);
  late.OnProgress();
  EXPECT_EQ(late.completions, 1);
  ASSERT_THAT(late.items, SizeIs(1));
  EXPECT_THAT(late.deltas, IsEmpty());
}

TEST_P(MidStream, WhereEveryAttemptBreaksTheCallEndsByItsBoundWithTheLastCause) {
  int number = 0;
  rig_.upstream.set_otherwise([&] { return Fault(fmt::format("number-{}", ++number)); });
  rig_.account.stall_timeout = seconds(20);
  TestCall test(rig_, GetParam().wire, {.max_wait = minutes(5)});
  Follower follower(*test.typed);
  test.Start();
  rig_.loop.Advance(hours(2));
  ASSERT_TRUE(test.finished());
  ASSERT_FALSE(test.completed());
  EXPECT_EQ(test.failure().kind, CallFailure::Kind::kWaitTooLong);
  EXPECT_THAT(test.failure().message, HasSubstr(Cause(fmt::format("number-{}", number))));
  EXPECT_GT(number, 5) << "it was not given up early";
  EXPECT_LE(test.spy->outcomes[0].waited, minutes(5));
  EXPECT_EQ(follower.completions, 0);
  EXPECT_EQ(rig_.upstream.open(), 0u);
  EXPECT_EQ(rig_.State().in_flight, 0u);

  const grpc::Status status = StatusOf(test.failure(), kGroup);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailsOf(status).retry_delay.has_value());
  EXPECT_THAT(DetailsOf(status).violations, SizeIs(1));
}

}  // namespace
}  // namespace holdfast::quota
