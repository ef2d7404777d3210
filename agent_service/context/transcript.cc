#include "agent_service/context/transcript.h"

#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

constexpr size_t kMostBytes = 2048;  // of arguments, and of a result

std::string TextOf(const quota::v1::Message& message) {
  std::string text;
  for (const quota::v1::Part& part : message.parts()) {
    if (!text.empty()) text += "\n";
    text += part.has_image() ? "[an image]" : part.text() + part.refusal();
  }
  return text;
}

}  // namespace

std::string Transcript(const quota::v1::Item& item) {
  switch (item.kind_case()) {
    case quota::v1::Item::kMessage:
      return (item.message().role() == quota::v1::ROLE_ASSISTANT ? "AGENT: " : "USER: ") + TextOf(item.message()) +
             "\n\n";
    case quota::v1::Item::kToolCall:
      return "TOOL CALL " + item.tool_call().name() + ": " + KeepHeadAndTail(item.tool_call().arguments(), kMostBytes) +
             "\n\n";
    case quota::v1::Item::kToolResult:
      return (item.tool_result().is_error() ? "FAILED: " : "RESULT: ") +
             KeepHeadAndTail(item.tool_result().output(), kMostBytes) + "\n\n";
    default:
      return {};
  }
}

std::string UserText(const quota::v1::Item& item) {
  if (!item.has_message() || item.message().role() != quota::v1::ROLE_USER) return {};
  std::string text;
  for (const quota::v1::Part& part : item.message().parts()) {
    if (!text.empty() && !part.text().empty()) text += "\n";
    text += part.text();
  }
  return text;
}

}  // namespace holdfast::agent
