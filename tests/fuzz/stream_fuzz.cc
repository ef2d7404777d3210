// A whole answer of an upstream, as bytes: SSE parser and tap of one dialect together, as `Attempt` has them. Whatever
// comes, the stream ends once, what is passed on is valid and not larger than what came, and an answer is complete only
// where its completion was passed on. HOLDFAST_DIALECT names the dialect.
#include <google/protobuf/stubs/logging.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/utf8.h"
#include "quota_service/provider/dialect.h"
#include "quota_service/upstream/sse_parser.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::quota {
namespace {

using fuzz::Check;

constexpr size_t kMaxEventBytes = size_t{4} << 20;

// What the reader of one attempt has been given.
class Reader {
 public:
  void Take(const v1::GenerateEvent& event) {
    Check(!completed_, "nothing follows the completion");
    // Serializing checks that every text is UTF-8, see LLVMFuzzerInitialize.
    std::string bytes;
    Check(event.SerializeToString(&bytes), "an event can be sent");
    v1::GenerateEvent read;
    Check(read.ParseFromString(bytes) && read.SerializeAsString() == bytes, "and read");
    bytes_ += bytes.size();
    if (event.has_delta()) TakeDelta(event.delta());
    if (event.has_item()) TakeItem(event.item());
    if (event.has_completed()) TakeCompleted(event.completed());
  }

  bool completed() const { return completed_; }
  size_t bytes() const { return bytes_; }
  size_t events() const { return events_; }

 private:
  void TakeDelta(const v1::Delta& delta) {
    ++events_;
    Check(!delta.item_id().empty() && !delta.text().empty(), "a delta says what it adds to, and adds something");
    Check(IsValidUtf8(delta.text()) && IsValidUtf8(delta.item_id()), "a delta is UTF-8");
    int64_t& length = streamed_[{delta.item_id(), delta.channel()}];
    Check(delta.offset() == length, "a delta begins where the one before it ended");
    length += static_cast<int64_t>(delta.text().size());
  }

  void TakeItem(const v1::Item& item) {
    ++events_;
    if (item.has_tool_call()) {
      const v1::ToolCall& call = item.tool_call();
      Check(!call.call_id().empty() && !call.name().empty(), "a tool call can be run and answered");
      Check(IsValidUtf8(call.call_id()) && IsValidUtf8(call.name()) && IsValidUtf8(call.arguments()),
            "a call is UTF-8");
      Check(call_ids_.insert(call.call_id()).second, "no two tool calls have the same id");
    }
    if (item.has_message()) {
      int64_t length = 0;
      for (const v1::Part& part : item.message().parts()) {
        const std::string& text = part.has_refusal() ? part.refusal() : part.text();
        Check(!text.empty() && IsValidUtf8(text), "a part of a message has words");
        length += static_cast<int64_t>(text.size());
      }
      Check(length > 0, "a message has words");
      if (std::string_view(HOLDFAST_DIALECT) == "chat") {
        Check((streamed_[{item.message().id(), v1::Delta::CHANNEL_TEXT}] == length),
              "the message is what was streamed");
      }
    }
    if (item.has_reasoning()) {
      for (const std::string& text : item.reasoning().summary()) Check(IsValidUtf8(text), "reasoning is UTF-8");
      Check(item.reasoning().origin() == "acme", "reasoning says where it comes from");
    }
  }

  void TakeCompleted(const v1::Completed& completed) {
    completed_ = true;
    const v1::Usage& usage = completed.usage();
    Check(usage.cached_input_tokens() >= 0 && usage.cached_input_tokens() <= usage.input_tokens(), "input tokens");
    Check(usage.reasoning_tokens() >= 0 && usage.reasoning_tokens() <= usage.output_tokens(), "output tokens");
    Check(completed.finish_reason() != v1::FINISH_REASON_UNSPECIFIED, "an answer ends for a reason");
    Check(IsValidUtf8(completed.response_id()) && completed.response_id().size() <= 256, "the response's id");
    const bool stopped_for_tools = completed.finish_reason() == v1::FINISH_REASON_TOOL_CALLS;
    Check(!stopped_for_tools || !call_ids_.empty(), "it stops for tools only where there are some");
  }

  std::map<std::pair<std::string, int>, int64_t> streamed_;  // bytes, by item and channel
  std::set<std::string> call_ids_;
  size_t events_ = 0;
  size_t bytes_ = 0;
  bool completed_ = false;
};

void CheckFailure(const UpstreamFailure& failure) {
  Check(IsValidUtf8(failure.message) && failure.message.size() <= 2048, "a failure's message is UTF-8, at most 2 KiB");
  const auto& delay = failure.hint.retry_after;
  Check(!delay || (*delay >= Duration::zero() && *delay <= std::chrono::hours(31 * 24)), "a delay is bounded");
}

void Test(fuzz::Input input) {
  const size_t piece = input.Byte() + size_t{1};
  size_t input_bytes = 0;
  Reader reader;
  const std::unique_ptr<Tap> tap =
      FindDialect(HOLDFAST_DIALECT)->NewTap("acme", [&](const v1::GenerateEvent& event) { reader.Take(event); });
  bool ended = false;
  const auto take = [&](const Verdict& verdict, bool was_ended, size_t events_before) {
    Check(verdict.failure.has_value() == (verdict.cls == EventClass::kFailed), "a failure says how");
    Check((verdict.cls == EventClass::kDone) == (reader.completed() && !was_ended), "done is what completes");
    if (verdict.cls == EventClass::kBeforeOutput)
      Check(reader.events() == events_before, "output is said to be output");
    if (was_ended) Check(reader.events() == events_before, "nothing is passed on after the end");
    if (verdict.failure) CheckFailure(*verdict.failure);
    ended = ended || verdict.cls == EventClass::kDone || verdict.cls == EventClass::kFailed;
  };

  SseParser parser(kMaxEventBytes);
  bool readable = true;
  while (readable && !input.empty()) {
    const std::string_view bytes = input.Text(piece);
    input_bytes += bytes.size();
    std::vector<SseEvent> events;
    readable = parser.Feed(bytes, &events).ok();
    for (const SseEvent& event : events) {
      const bool was_ended = ended;
      const size_t before = reader.events();
      take(tap->OnEvent(event), was_ended, before);
    }
  }
  const bool was_ended = ended;
  const size_t before = reader.events();
  take(tap->OnEndOfStream(), was_ended, before);
  Check(ended, "every stream ends");
  // Each event repeats an id of at most 64 bytes or one that came with it; items say once more what was streamed.
  Check(reader.bytes() <= 16 * input_bytes + 4096, "what is passed on is in proportion to what came");
}

}  // namespace
}  // namespace holdfast::quota

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  // Protobuf complains of every text of a message that is not UTF-8 when it is sent, and sends it.
  google::protobuf::SetLogHandler([](google::protobuf::LogLevel, const char*, int, const std::string& message) {
    holdfast::fuzz::Check(false, message);
  });
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::quota::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
