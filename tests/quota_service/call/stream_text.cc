#include "tests/quota_service/call/stream_text.h"

#include <fmt/format.h>

namespace holdfast::quota {
namespace {

std::string Event(std::string_view type, std::string_view data) {
  return type.empty() ? fmt::format("data: {}\n\n", data) : fmt::format("event: {}\ndata: {}\n\n", type, data);
}

std::string Chunk(std::string_view delta, std::string_view finish_reason) {
  return Event("", fmt::format(R"({{"id":"chat_1","object":"chat.completion.chunk","created":1700000000,)"
                               R"("choices":[{{"index":0,"delta":{},"finish_reason":{}}}]}})",
                               delta, finish_reason));
}

}  // namespace

std::string StreamText::Started() const {
  if (chat_) return Chunk(R"({"role":"assistant","content":null})", "null");
  return Event("response.created", R"({"type":"response.created","response":{"id":"resp_1","status":"in_progress"}})");
}

std::string StreamText::Delta(std::string_view text) const {
  if (chat_) return Chunk(fmt::format(R"({{"content":"{}"}})", text), "null");
  return Event("response.output_text.delta",
               fmt::format(R"({{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,)"
                           R"("content_index":0,"delta":"{}"}})",
                           text));
}

std::string StreamText::Finish(std::string_view text) const {
  if (chat_) {
    return Chunk("{}", R"("stop")") +
           Event("", R"({"id":"chat_1","object":"chat.completion.chunk","choices":[],)"
                     R"("usage":{"prompt_tokens":120,"completion_tokens":40,"total_tokens":160}})") +
           Event("", "[DONE]");
  }
  return Event("response.output_item.done",
               fmt::format(R"({{"type":"response.output_item.done","output_index":0,"item":{{"id":"msg_1",)"
                           R"("type":"message","role":"assistant","status":"completed",)"
                           R"("content":[{{"type":"output_text","text":"{}"}}]}}}})",
                           text)) +
         Event("response.completed", R"({"type":"response.completed","response":{"id":"resp_1","status":"completed",)"
                                     R"("output":[],"usage":{"input_tokens":120,"output_tokens":40}}})");
}

std::string StreamText::Failed(std::string_view code, std::string_view message) const {
  if (chat_) return Event("", fmt::format(R"({{"error":{{"code":"{}","message":"{}"}}}})", code, message));
  return Event("response.failed", fmt::format(R"({{"type":"response.failed","response":{{"id":"resp_1",)"
                                              R"("status":"failed","error":{{"code":"{}","message":"{}"}}}}}})",
                                              code, message));
}

std::string StreamText::Error(std::string_view code, std::string_view message) const {
  if (chat_) return Event("error", fmt::format(R"({{"code":"{}","message":"{}"}})", code, message));
  return Event("error", fmt::format(R"({{"type":"error","code":"{}","message":"{}"}})", code, message));
}

}  // namespace holdfast::quota
