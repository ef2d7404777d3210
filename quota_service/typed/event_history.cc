#include "quota_service/typed/event_history.h"

#include <algorithm>

namespace holdfast::quota {
namespace {

const std::string& IdOf(const v1::Item& item) {
  static const std::string none;
  switch (item.kind_case()) {
    case v1::Item::kMessage:
      return item.message().id();
    case v1::Item::kReasoning:
      return item.reasoning().id();
    case v1::Item::kToolCall:
      return item.tool_call().id();
    case v1::Item::kToolResult:
    case v1::Item::KIND_NOT_SET:
      break;
  }
  return none;
}

bool ReplacedByItem(const v1::GenerateEvent& old, const v1::GenerateEvent& incoming) {
  return old.has_delta() && old.delta().item_id() == IdOf(incoming.item());
}
bool ReplacedByWait(const v1::GenerateEvent& old, const v1::GenerateEvent&) { return old.has_wait(); }
bool ReplacedByRestart(const v1::GenerateEvent&, const v1::GenerateEvent&) { return true; }

}  // namespace

void EventHistory::Append(v1::GenerateEvent event) {
  event.set_event(++last_);
  event.set_incarnation(incarnation_);
  if (event.has_item()) Drop(ReplacedByItem, event);
  if (event.has_wait() || event.has_admitted()) Drop(ReplacedByWait, event);
  if (event.has_restarted()) Drop(ReplacedByRestart, event);
  bytes_ += event.ByteSizeLong();
  events_.push_back(std::move(event));
}

void EventHistory::Drop(bool (*unwanted)(const v1::GenerateEvent&, const v1::GenerateEvent&),
                        const v1::GenerateEvent& incoming) {
  std::erase_if(events_, [&](const v1::GenerateEvent& old) {
    if (!unwanted(old, incoming)) return false;
    bytes_ -= old.ByteSizeLong();
    return true;
  });
}

const v1::GenerateEvent* EventHistory::LastAdmitted() const {
  const auto found = std::find_if(events_.rbegin(), events_.rend(),
                                  [](const v1::GenerateEvent& event) { return event.has_admitted(); });
  return found == events_.rend() ? nullptr : &*found;
}

const v1::GenerateEvent* EventHistory::After(int64_t cursor) const {
  const auto found =
      std::upper_bound(events_.begin(), events_.end(), cursor,
                       [](int64_t value, const v1::GenerateEvent& event) { return value < event.event(); });
  return found == events_.end() ? nullptr : &*found;
}

}  // namespace holdfast::quota
