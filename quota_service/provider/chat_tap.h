#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "quota_service/provider/chat_tool_calls.h"
#include "quota_service/provider/typed_output.h"

namespace holdfast::quota {

// Reads the chunks of a streamed chat completion. Text is passed on as it comes; the items, put together from the
// chunks, and the completion follow at "[DONE]", or at the end of the stream where a finish reason was told before.
class ChatTap final : public Tap {
 public:
  ChatTap(std::string_view account, EmitEvent emit) : output_(account, std::move(emit)) {}

  Verdict OnEvent(const SseEvent& event) override;
  Verdict OnEndOfStream() override;

 private:
  Verdict OnChunk(const boost::json::value& chunk, bool named_error);
  Verdict OnChoice(const boost::json::value& choice);
  Verdict OnFinishReason(std::string_view reason);
  Verdict Finish();
  void NoteId(const boost::json::value& chunk);
  // Of the message ("/message") or the reasoning ("/reasoning"), of which there is one each.
  std::string ItemId(std::string_view suffix) const { return base_id_ + std::string(suffix); }

  TypedOutput output_;
  std::string response_id_;
  std::string base_id_;
  std::string reasoning_;
  std::string text_;
  std::string refusal_;
  ChatToolCalls calls_;
  std::optional<v1::FinishReason> finish_reason_;
  std::optional<TokenUsage> usage_;
  bool ended_ = false;
};

}  // namespace holdfast::quota
