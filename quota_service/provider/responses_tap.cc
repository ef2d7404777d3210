#include "quota_service/provider/responses_tap.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <optional>
#include <vector>

#include "common/base/utf8.h"
#include "quota_service/provider/error_body.h"
#include "quota_service/provider/error_class.h"
#include "quota_service/provider/json_read.h"
#include "quota_service/provider/response_items.h"
#include "quota_service/provider/usage.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMaxResponseIdBytes = 256;

Verdict PassedOn(bool something) {
  Verdict verdict;
  verdict.cls = something ? EventClass::kOutput : EventClass::kBeforeOutput;
  return verdict;
}

// What makes an item known again when the final response repeats it.
std::string KeyOf(const v1::Item& item) {
  if (item.has_tool_call()) return "call:" + item.tool_call().call_id();
  return item.has_message() ? "message:" + item.message().id() : "reasoning:" + item.reasoning().id();
}

constexpr char kNamelessCall[] = "the upstream sent a tool call without a name";

bool IsNameless(const v1::Item& item) { return item.has_tool_call() && item.tool_call().name().empty(); }

}  // namespace

ResponsesTap::Handler ResponsesTap::FindHandler(std::string_view type) {
  struct Row {
    std::string_view type;
    Handler handler;
  };
  static constexpr Row kRows[] = {
      {"response.created", &ResponsesTap::OnStarted},
      {"response.in_progress", &ResponsesTap::OnStarted},
      {"response.output_text.delta", &ResponsesTap::OnTextDelta},
      {"response.refusal.delta", &ResponsesTap::OnTextDelta},
      {"response.reasoning_summary_text.delta", &ResponsesTap::OnReasoningDelta},
      {"response.reasoning_text.delta", &ResponsesTap::OnReasoningDelta},
      {"response.output_item.done", &ResponsesTap::OnItemDone},
      {"response.completed", &ResponsesTap::OnCompleted},
      {"response.incomplete", &ResponsesTap::OnIncomplete},
      {"response.failed", &ResponsesTap::OnFailed},
      {"error", &ResponsesTap::OnError},
  };
  for (const Row& row : kRows) {
    if (row.type == type) return row.handler;
  }
  return nullptr;
}

Verdict ResponsesTap::OnEvent(const SseEvent& event) {
  if (ended_ || event.data.empty() || event.data == "[DONE]") return {};
  Verdict verdict;
  if (const auto value = ParseJson(event.data)) {
    const std::string_view type = FindText(&*value, "type");
    const Handler handler = FindHandler(type.empty() ? std::string_view(event.type) : type);
    if (handler != nullptr) verdict = (this->*handler)(*value);
  } else {
    verdict = BrokenStream("the upstream sent an event that is not JSON");
  }
  const bool ended = verdict.cls == EventClass::kDone || verdict.cls == EventClass::kFailed;
  if (!ended && !output_.Hold(0)) verdict = OversizedAnswer();
  ended_ = verdict.cls == EventClass::kDone || verdict.cls == EventClass::kFailed;
  return verdict;
}

Verdict ResponsesTap::OnEndOfStream() {
  if (ended_) return {};
  ended_ = true;
  return BrokenStream("the upstream's stream ended without completion");
}

Verdict ResponsesTap::OnStarted(const boost::json::value& event) {
  NoteId(FindObject(&event, "response"));
  return {};
}

Verdict ResponsesTap::OnTextDelta(const boost::json::value& event) {
  return PassDelta(event, v1::Delta::CHANNEL_TEXT, "content_index");
}

Verdict ResponsesTap::OnReasoningDelta(const boost::json::value& event) {
  return PassDelta(event, v1::Delta::CHANNEL_REASONING_SUMMARY, "summary_index");
}

Verdict ResponsesTap::PassDelta(const boost::json::value& event, v1::Delta::Channel channel,
                                std::string_view part_key) {
  const std::string_view item_id = FindText(&event, "item_id");
  const std::string id =
      item_id.empty() ? IdAt(FindInteger(&event, "output_index").value_or(items_done_)) : std::string(item_id);
  return PassedOn(output_.PassDelta(id, channel, FindText(&event, "delta"), FindInteger(&event, part_key).value_or(0)));
}

Verdict ResponsesTap::OnItemDone(const boost::json::value& event) {
  const int64_t index = FindInteger(&event, "output_index").value_or(items_done_);
  ++items_done_;
  const boost::json::value* item = FindObject(&event, "item");
  std::optional<v1::Item> read = item == nullptr ? std::nullopt : Read(*item, index);
  if (!read) return {};
  if (IsNameless(*read)) return BrokenStream(kNamelessCall);
  return PassedOn(PassOnce(*std::move(read)));
}

std::optional<v1::Item> ResponsesTap::Read(const boost::json::value& item, int64_t index) const {
  return ReadResponseItem(&item, IdAt(index), output_.account());
}

bool ResponsesTap::PassOnce(v1::Item item) {
  const std::string key = KeyOf(item);
  if (!passed_.insert(key).second) return false;
  if (!output_.Hold(key.size() + sizeof(std::string))) return false;
  output_.PassItem(std::move(item));
  return true;
}

Verdict ResponsesTap::OnCompleted(const boost::json::value& event) {
  const std::string_view status = FindText(FindObject(&event, "response"), "status");
  if (status == "failed" || status == "cancelled") return OnFailed(event);
  if (status == "incomplete") return OnIncomplete(event);
  return Finish(event, v1::FINISH_REASON_STOP);
}

Verdict ResponsesTap::OnIncomplete(const boost::json::value& event) {
  const boost::json::value* details = FindObject(FindObject(&event, "response"), "incomplete_details");
  const bool filtered = FindText(details, "reason") == "content_filter";
  return Finish(event, filtered ? v1::FINISH_REASON_CONTENT_FILTER : v1::FINISH_REASON_LENGTH);
}

Verdict ResponsesTap::Finish(const boost::json::value& event, v1::FinishReason reason) {
  const boost::json::value* response = FindObject(&event, "response");
  NoteId(response);
  // Read all before any is passed on: what fails is told nobody in part.
  std::vector<v1::Item> items;
  int64_t index = 0;
  for (const boost::json::value& item : FindArray(response, "output")) {
    std::optional<v1::Item> read = Read(item, index++);
    if (!read) continue;
    if (IsNameless(*read)) return BrokenStream(kNamelessCall);
    items.push_back(*std::move(read));
  }
  for (v1::Item& item : items) PassOnce(std::move(item));
  if (!output_.Hold(0)) return OversizedAnswer();
  return output_.Complete(reason, ReadUsage(Find(response, "usage")), response_id_);
}

Verdict ResponsesTap::OnFailed(const boost::json::value& event) {
  const boost::json::value* response = FindObject(&event, "response");
  const ErrorBody error = ReadErrorBody(response != nullptr ? *response : event);
  Verdict verdict = FailedStream(ClassifyStreamError(error));
  verdict.usage = ReadUsage(Find(response, "usage"));
  return verdict;
}

Verdict ResponsesTap::OnError(const boost::json::value& event) {
  const ErrorBody error = ReadErrorBody(event);
  return FailedStream(ClassifyStreamError(error));
}

void ResponsesTap::NoteId(const boost::json::value* response) {
  if (response_id_.empty()) response_id_ = TruncateUtf8(FindText(response, "id"), kMaxResponseIdBytes);
}

std::string ResponsesTap::IdAt(int64_t index) const {
  return fmt::format("{}/{}", response_id_.empty() ? "response" : response_id_, index);
}

}  // namespace holdfast::quota
