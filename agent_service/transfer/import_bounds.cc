#include "agent_service/transfer/import_bounds.h"

#include <fmt/format.h>

#include "agent_service/turn/plan_tool.h"

namespace holdfast::agent {
namespace {

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

bool IsBefore(int64_t sequence, const v1::SessionEvent& event) { return sequence >= 1 && sequence < event.sequence(); }

}  // namespace

absl::Status ImportBounds::Take(const v1::SessionEvent& event) {
  if (event.has_session_created() && event.sequence() != 1)
    return Bad("event.session_created: only the first event is one");
  if (event.has_plan_updated()) {
    if (absl::Status status = CheckPlan(event.plan_updated().plan()); !status.ok())
      return Bad(fmt::format("event.plan_updated.{}", std::string(status.message())));
  }
  if (event.has_snapshot_taken() && !IsBefore(event.snapshot_taken().at_sequence(), event))
    return Bad("event.snapshot_taken.at_sequence: must be that of an event before it");
  if (event.has_session_restored()) {
    const int64_t to = event.session_restored().to_sequence();
    if (!IsBefore(to, event)) return Bad("event.session_restored.to_sequence: must be that of an event before it");
    if (!work_.Admits(to)) {
      return Bad(fmt::format(
          "event.session_restored: the session is restored so often that it copies more than {} bytes; import one that "
          "was restored less",
          RestoreWork::kMost));
    }
  }
  const RestoreWork::Turn before = RestoreTurn(head_);
  if (event.has_tool_result_recorded() || event.has_plan_updated()) {
    matches_ += before.open_tools;
    if (matches_ > kMostMatches)
      return Bad("event: too many calls of tools are open at once for their results to be matched with them");
  }
  head_.Apply(event);
  work_.Apply(event, before, RestoreTurn(head_));
  return absl::OkStatus();
}

}  // namespace holdfast::agent
