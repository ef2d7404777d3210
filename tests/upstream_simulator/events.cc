#include "tests/upstream_simulator/events.h"

#include <algorithm>

#include "fmt/format.h"

namespace holdfast::simulator {

Usage UsageOf(const GenerationRequest& request, const Answer& answer) {
  const std::int64_t reasoning = (CodePoints(answer.reasoning) + 3) / 4;
  std::int64_t visible_chars = CodePoints(answer.text);
  for (const ToolCall& call : answer.tool_calls) visible_chars += CodePoints(call.name) + CodePoints(call.arguments);

  Usage usage;
  usage.input_tokens = answer.usage.input_tokens.value_or(request.chars / 4);
  usage.cached_tokens = answer.usage.cached_tokens.value_or(0);
  usage.reasoning_tokens = answer.usage.reasoning_tokens.value_or(reasoning);
  const std::int64_t output = std::max<std::int64_t>(1, usage.reasoning_tokens + (visible_chars + 3) / 4);
  usage.output_tokens = answer.usage.output_tokens.value_or(output);
  return usage;
}

std::vector<std::string_view> SplitText(std::string_view utf8, std::int64_t count) {
  std::vector<std::string_view> pieces;
  const std::int64_t total = CodePoints(utf8);
  count = std::min(count, total);
  std::size_t begin = 0;
  std::size_t position = 0;
  std::int64_t taken = 0;
  for (std::int64_t piece = 1; piece <= count; ++piece) {
    const std::int64_t target = total * piece / count;
    while (taken < target) {
      ++position;
      while (position < utf8.size() && CodePoints(utf8.substr(position, 1)) == 0) ++position;
      ++taken;
    }
    pieces.push_back(utf8.substr(begin, position - begin));
    begin = position;
  }
  return pieces;
}

std::string SseFrame(std::string_view name, std::string_view data) {
  if (name.empty()) return fmt::format("data: {}\n\n", data);
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace holdfast::simulator
