#include "quota_service/provider/chat_tap.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "common/base/utf8.h"
#include "quota_service/provider/error_body.h"
#include "quota_service/provider/error_class.h"
#include "quota_service/provider/json_read.h"
#include "quota_service/provider/usage.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMaxResponseIdBytes = 256;
constexpr size_t kMaxBaseIdBytes = 48;  // keeps ids made from it within 64, the most that some servers take

// Absent: the server itself failed. Reasons that we do not know count as "stop".
std::optional<v1::FinishReason> FinishReasonOf(std::string_view reason) {
  struct Row {
    std::string_view name;
    std::optional<v1::FinishReason> reason;
  };
  static constexpr Row kRows[] = {
      {"length", v1::FINISH_REASON_LENGTH},
      {"content_filter", v1::FINISH_REASON_CONTENT_FILTER},
      {"sensitive", v1::FINISH_REASON_CONTENT_FILTER},  // Zhipu
      {"error", std::nullopt},                          // OpenRouter
      {"network_error", std::nullopt},                  // Zhipu
      {"insufficient_system_resource", std::nullopt},   // DeepSeek
  };
  for (const Row& row : kRows) {
    if (row.name == reason) return row.reason;
  }
  return v1::FINISH_REASON_STOP;
}

bool IsError(const boost::json::value& chunk) {
  const boost::json::value* error = Find(&chunk, "error");
  return (error != nullptr && error->is_object()) || !Text(error).empty() || FindText(&chunk, "object") == "error";
}

}  // namespace

Verdict ChatTap::OnEvent(const SseEvent& event) {
  if (ended_ || event.data.empty()) return {};
  Verdict verdict;
  if (event.data == "[DONE]") {
    const bool any_output = !text_.empty() || !refusal_.empty() || !calls_.empty();
    verdict = finish_reason_ || any_output ? Finish() : BrokenStream("the upstream's stream ended without an answer");
  } else if (const auto chunk = ParseJson(event.data)) {
    verdict = OnChunk(*chunk, event.type == "error");
  } else {
    verdict = BrokenStream("the upstream sent an event that is not JSON");
  }
  if (verdict.cls == EventClass::kOutput && !output_.Hold(0)) verdict = OversizedAnswer();
  ended_ = verdict.cls == EventClass::kDone || verdict.cls == EventClass::kFailed;
  return verdict;
}

Verdict ChatTap::OnEndOfStream() {
  if (ended_) return {};
  ended_ = true;
  return finish_reason_ ? Finish() : BrokenStream("the upstream's stream ended without completion");
}

Verdict ChatTap::OnChunk(const boost::json::value& chunk, bool named_error) {
  if (named_error || IsError(chunk)) {
    const ErrorBody error = ReadErrorBody(chunk);
    return FailedStream(ClassifyStreamError(error));
  }
  NoteId(chunk);
  std::optional<TokenUsage> usage = ReadUsage(Find(&chunk, "usage"));
  Verdict verdict;
  for (const boost::json::value& choice : FindArray(&chunk, "choices")) {
    if (!choice.is_object() || FindInteger(&choice, "index").value_or(0) != 0) continue;
    Verdict of_choice = OnChoice(choice);
    if (of_choice.cls == EventClass::kFailed) return of_choice;
    if (of_choice.cls == EventClass::kOutput) verdict.cls = EventClass::kOutput;
    if (!usage) usage = ReadUsage(Find(&choice, "usage"));  // Kimi
  }
  if (usage) usage_ = usage;
  verdict.usage = usage;
  return verdict;
}

Verdict ChatTap::OnChoice(const boost::json::value& choice) {
  const boost::json::value* delta = FindObject(&choice, "delta");
  std::string_view reasoning = FindText(delta, "reasoning_content");
  if (reasoning.empty()) reasoning = FindText(delta, "reasoning");
  const std::string_view text = FindText(delta, "content");
  const std::string_view refusal = FindText(delta, "refusal");
  reasoning_.append(reasoning);
  text_.append(text);
  refusal_.append(refusal);
  if (!output_.Hold(reasoning.size() + text.size() + refusal.size())) return OversizedAnswer();
  for (const boost::json::value& piece : FindArray(delta, "tool_calls")) {
    const std::optional<size_t> added = calls_.Add(piece);
    if (!added) return BrokenStream("the upstream's answer has more than 1024 tool calls");
    if (!output_.Hold(*added)) return OversizedAnswer();
  }
  Verdict verdict = OnFinishReason(FindText(&choice, "finish_reason"));
  if (verdict.cls == EventClass::kFailed) return verdict;
  const bool thought = output_.PassDelta(ItemId("/reasoning"), v1::Delta::CHANNEL_REASONING_SUMMARY, reasoning);
  const bool said = output_.PassDelta(ItemId("/message"), v1::Delta::CHANNEL_TEXT, text);
  const bool refused = output_.PassDelta(ItemId("/message"), v1::Delta::CHANNEL_TEXT, refusal);
  if (thought || said || refused) verdict.cls = EventClass::kOutput;
  return verdict;
}

Verdict ChatTap::OnFinishReason(std::string_view reason) {
  if (reason.empty()) return {};
  finish_reason_ = FinishReasonOf(reason);
  if (finish_reason_) return {};
  return FailedStream(ClassifyStreamError("server_error", reason, "the upstream gave up in the middle of its answer"));
}

Verdict ChatTap::Finish() {
  const v1::FinishReason reason = finish_reason_.value_or(v1::FINISH_REASON_STOP);
  auto calls = calls_.Take(reason != v1::FINISH_REASON_STOP, base_id_);
  if (!calls) return BrokenStream("the upstream sent a tool call without a name");
  if (!reasoning_.empty()) {
    v1::Item item;
    item.mutable_reasoning()->set_id(ItemId("/reasoning"));
    item.mutable_reasoning()->set_origin(output_.account());
    item.mutable_reasoning()->add_summary(std::move(reasoning_));
    output_.PassItem(std::move(item));
  }
  if (!text_.empty() || !refusal_.empty()) {
    v1::Item item;
    v1::Message* message = item.mutable_message();
    message->set_role(v1::ROLE_ASSISTANT);
    message->set_id(ItemId("/message"));
    if (!text_.empty()) message->add_parts()->set_text(std::move(text_));
    if (!refusal_.empty()) message->add_parts()->set_refusal(std::move(refusal_));
    output_.PassItem(std::move(item));
  }
  for (v1::Item& call : *calls) output_.PassItem(std::move(call));
  return output_.Complete(reason, usage_, response_id_);
}

void ChatTap::NoteId(const boost::json::value& chunk) {
  if (!base_id_.empty()) return;  // once told, it stays: deltas have gone out under it
  // Azure's first chunk has neither.
  if (FindText(&chunk, "id").empty() && FindArray(&chunk, "choices").empty()) return;
  response_id_ = TruncateUtf8(FindText(&chunk, "id"), kMaxResponseIdBytes);
  base_id_ = response_id_.empty() ? fmt::format("response-{}", FindInteger(&chunk, "created").value_or(0))
                                  : std::string(TruncateUtf8(response_id_, kMaxBaseIdBytes));
}

}  // namespace holdfast::quota
