#include "tests/upstream_simulator/when.h"

namespace holdfast::simulator {
namespace {

constexpr std::int64_t kMaxStep = 1'000'000'000'000;

}  // namespace

When ReadWhen(FieldReader& parent) {
  When when;
  const boost::json::value* value = parent.Find("when");
  if (value == nullptr) return when;
  FieldReader reader(*value, parent.Place("when"));
  reader.Text("last_user_contains", when.last_user_contains);
  reader.Integer("step", 0, kMaxStep, when.step);
  std::size_t path = 0;
  reader.Choice("path", {"responses", "chat"}, path);
  if (reader.Find("path") != nullptr) when.path = path == 0 ? Dialect::kResponses : Dialect::kChat;
  reader.Text("model", when.model);
  parent.Take(reader.Finish());
  return when;
}

bool Matches(const When& when, const GenerationRequest& request) {
  if (when.last_user_contains && request.last_user.find(*when.last_user_contains) == std::string::npos) return false;
  if (when.step && *when.step != request.step) return false;
  if (when.path && *when.path != request.dialect) return false;
  return !when.model || *when.model == request.model;
}

}  // namespace holdfast::simulator
