#include "agent_service/transfer/import_bounds.h"

#include <fmt/format.h>

#include "agent_service/turn/plan_tool.h"

namespace holdfast::agent {
namespace {

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

// Items that the event adds to the conversation by itself.
uint32_t ItemsOf(const v1::SessionEvent& event, bool in_turn) {
  if (event.has_model_answered()) return in_turn ? static_cast<uint32_t>(event.model_answered().items_size()) : 0;
  return event.has_turn_started() || event.has_tool_result_recorded() || event.has_plan_updated() ? 1 : 0;
}

}  // namespace

uint32_t ImportBounds::OpenTools() const {
  return head_.turn() == nullptr ? 0 : static_cast<uint32_t>(head_.turn()->open_tools.size());
}

absl::Status ImportBounds::Take(const v1::SessionEvent& event) {
  if (event.has_session_created() && event.sequence() != 1)
    return Bad("event.session_created: only the first event is one");
  if (event.has_plan_updated()) {
    if (absl::Status status = CheckPlan(event.plan_updated().plan()); !status.ok())
      return Bad(fmt::format("event.plan_updated.{}", std::string(status.message())));
  }
  const uint32_t open = OpenTools();
  if (event.has_session_restored()) {
    if (absl::Status status = TakeRestored(event); !status.ok()) return status;
  } else {
    const uint32_t items = ItemsOf(event, head_.turn() != nullptr);
    if (items > 0) now_.bytes += static_cast<int64_t>(event.ByteSizeLong());
    now_.items += items;
  }
  if (event.has_tool_result_recorded() || event.has_plan_updated()) {
    work_ += kItemBytes * int64_t{open};
    if (work_ > kMostWork)
      return Bad("event: too many calls of tools are open at once for their results to be matched with them");
  }
  head_.Apply(event);
  if (event.has_turn_started()) left_open_ += open;
  // A turn that ended answers its open calls by itself.
  if (!event.has_turn_started() && !event.has_session_restored() && head_.turn() == nullptr) {
    now_.items += open;
    now_.bytes += kItemBytes * int64_t{open};
  }
  now_.open = left_open_ + OpenTools();
  marks_.push_back(now_);
  return absl::OkStatus();
}

absl::Status ImportBounds::TakeRestored(const v1::SessionEvent& event) {
  const int64_t to = event.session_restored().to_sequence();
  if (to < 1 || to >= event.sequence())
    return Bad("event.session_restored.to_sequence: must be that of an event before it");
  const Mark& mark = marks_[static_cast<size_t>(to - 1)];
  now_.items = mark.items + mark.open;
  now_.bytes = mark.bytes + kItemBytes * int64_t{mark.open};
  now_.open = left_open_ = 0;
  work_ += now_.bytes + kItemBytes * int64_t{now_.items};
  if (work_ <= kMostWork) return absl::OkStatus();
  return Bad(fmt::format(
      "event.session_restored: the session is restored so often that it copies more than {} bytes; import one that was "
      "restored less",
      kMostWork));
}

}  // namespace holdfast::agent
