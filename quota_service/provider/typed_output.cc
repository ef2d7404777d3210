#include "quota_service/provider/typed_output.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMaxHeldBytes = size_t{128} << 20;
constexpr size_t kEventOverhead = 256;  // bytes, about what an event costs beside its text
constexpr size_t kEntryOverhead = 128;  // bytes, about what a map's node costs

}  // namespace

bool TypedOutput::Hold(size_t bytes) {
  held_ += bytes;
  return held_ <= kMaxHeldBytes;
}

void TypedOutput::Emit(v1::GenerateEvent event) {
  held_ += event.ByteSizeLong() + kEventOverhead;
  emit_(std::move(event));
}

bool TypedOutput::PassDelta(std::string_view item_id, v1::Delta::Channel channel, std::string_view text, int64_t part) {
  if (text.empty()) return false;
  const auto [entry, is_new] = progress_.try_emplace({std::string(item_id), channel});
  Progress& progress = entry->second;
  if (is_new) {
    progress.part = part;
    held_ += item_id.size() + kEntryOverhead;
  }
  v1::GenerateEvent event;
  v1::Delta* delta = event.mutable_delta();
  delta->set_item_id(std::string(item_id));
  delta->set_channel(channel);
  delta->set_offset(progress.bytes);
  if (channel == v1::Delta::CHANNEL_REASONING_SUMMARY && part != progress.part) delta->set_text("\n\n");
  delta->mutable_text()->append(text);
  progress.bytes += static_cast<int64_t>(delta->text().size());
  progress.part = part;
  Emit(std::move(event));
  return true;
}

void TypedOutput::PassItem(v1::Item item) {
  called_tools_ = called_tools_ || item.has_tool_call();
  v1::GenerateEvent event;
  *event.mutable_item() = std::move(item);
  Emit(std::move(event));
}

Verdict TypedOutput::Complete(v1::FinishReason reason, const std::optional<TokenUsage>& usage,
                              std::string_view response_id) {
  v1::GenerateEvent event;
  v1::Completed* completed = event.mutable_completed();
  if (usage) {
    completed->mutable_usage()->set_input_tokens(usage->input);
    completed->mutable_usage()->set_cached_input_tokens(usage->cached_input);
    completed->mutable_usage()->set_output_tokens(usage->output);
    completed->mutable_usage()->set_reasoning_tokens(usage->reasoning);
  }
  const bool stopped_to_call = reason == v1::FINISH_REASON_STOP && called_tools_;
  completed->set_finish_reason(stopped_to_call ? v1::FINISH_REASON_TOOL_CALLS : reason);
  completed->set_response_id(std::string(response_id));
  completed->set_upstream(account_);
  emit_(std::move(event));
  Verdict verdict;
  verdict.cls = EventClass::kDone;
  verdict.usage = usage;
  verdict.cut = reason == v1::FINISH_REASON_LENGTH;
  return verdict;
}

Verdict BrokenStream(std::string message) {
  UpstreamFailure failure;
  failure.cls = FailureClass::kTransport;
  failure.message = std::move(message);
  return FailedStream(std::move(failure));
}

Verdict OversizedAnswer() {
  UpstreamFailure failure;
  failure.cls = FailureClass::kUnusable;
  failure.message = "the upstream's answer takes more than 128 MiB";
  return FailedStream(std::move(failure));
}

Verdict FailedStream(UpstreamFailure failure) {
  Verdict verdict;
  verdict.cls = EventClass::kFailed;
  verdict.failure = std::move(failure);
  return verdict;
}

}  // namespace holdfast::quota
