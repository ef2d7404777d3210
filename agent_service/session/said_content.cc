#include "agent_service/session/said_content.h"

#include <cstdint>
#include <functional>
#include <string>

namespace holdfast::agent {
namespace {

// 64 bits of the golden ratio: pieces that change places, or are divided otherwise, come to another sum.
size_t With(size_t sum, const std::string& piece) {
  return (sum ^ std::hash<std::string>{}(piece)) * UINT64_C(0x9E3779B97F4A7C15) + piece.size();
}

}  // namespace

size_t ContentOf(const v1::TurnStarted& started) {
  size_t sum = With(With(0, started.model()), started.instructions());
  for (const quota::v1::Part& part : started.input()) sum = With(sum, part.SerializeAsString());
  return sum;
}

size_t ContentOf(const quota::v1::ToolResult& result) {
  return With(With(0, result.output()), result.is_error() ? "error" : "");
}

}  // namespace holdfast::agent
