#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "quota_service/provider/dialect.h"
#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// What a typed tap passes on during one attempt, and the bound on what that, and what the tap keeps, takes in memory.
class TypedOutput {
 public:
  TypedOutput(std::string_view account, EmitEvent emit) : account_(account), emit_(std::move(emit)) {}

  // `part` counts the sections of a summary; a new one is set off by an empty line. Text that is empty is not passed
  // on. True where something was.
  bool PassDelta(std::string_view item_id, v1::Delta::Channel channel, std::string_view text, int64_t part = 0);
  void PassItem(v1::Item item);
  // The last event. `reason` STOP becomes TOOL_CALLS where a tool call was passed on.
  Verdict Complete(v1::FinishReason reason, const std::optional<TokenUsage>& usage, std::string_view response_id);

  // Counts bytes that the tap keeps; what is passed on is counted by itself. False: over the bound of 128 MiB.
  [[nodiscard]] bool Hold(size_t bytes);

  const std::string& account() const { return account_; }

 private:
  void Emit(v1::GenerateEvent event);

  struct Progress {
    int64_t bytes = 0;
    int64_t part = 0;
  };

  std::string account_;
  EmitEvent emit_;
  std::map<std::pair<std::string, v1::Delta::Channel>, Progress> progress_;
  size_t held_ = 0;
  bool called_tools_ = false;
};

// kFailed with kTransport: the stream itself is wrong.
Verdict BrokenStream(std::string message);
// kFailed with kUnusable: the answer is over the bound, and would be again.
Verdict OversizedAnswer();
// kFailed: the upstream says why.
Verdict FailedStream(UpstreamFailure failure);

}  // namespace holdfast::quota
