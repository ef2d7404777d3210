#include "agent_service/session/restore_work.h"

#include <algorithm>
#include <iterator>

namespace holdfast::agent {
namespace {

// Items that the event adds to the conversation by itself.
uint32_t ItemsOf(const v1::SessionEvent& event, bool in_turn) {
  if (event.has_model_answered()) return in_turn ? static_cast<uint32_t>(event.model_answered().items_size()) : 0;
  return event.has_turn_started() || event.has_tool_result_recorded() || event.has_plan_updated() ? 1 : 0;
}

}  // namespace

void RestoreWork::Apply(const v1::SessionEvent& event, Turn before, Turn after) {
  if (event.has_session_restored()) {
    now_ = RestoredTo(event.session_restored().to_sequence());
    left_open_ = 0;
    work_ += now_.bytes + kItemBytes * int64_t{now_.items};
  } else {
    const uint32_t items = ItemsOf(event, before.runs);
    if (items > 0) now_.bytes += static_cast<int64_t>(event.ByteSizeLong());
    now_.items += items;
    if (event.has_turn_started()) {
      left_open_ += before.open_tools;
    } else if (!after.runs) {
      // A turn that ended answers its open calls by itself.
      now_.items += before.open_tools;
      now_.bytes += kItemBytes * int64_t{before.open_tools};
    }
  }
  now_.sequence = event.sequence();
  now_.open = left_open_ + after.open_tools;
  marks_.push_back(now_);
}

bool RestoreWork::Admits(int64_t to_sequence) const {
  const Mark restored = RestoredTo(to_sequence);
  return work_ + restored.bytes + kItemBytes * int64_t{restored.items} <= kMost;
}

RestoreWork::Mark RestoreWork::RestoredTo(int64_t sequence) const {
  const auto after = std::upper_bound(marks_.begin(), marks_.end(), sequence,
                                      [](int64_t asked, const Mark& mark) { return asked < mark.sequence; });
  if (after == marks_.begin()) return {};
  Mark mark = *std::prev(after);
  mark.items += mark.open;
  mark.bytes += kItemBytes * int64_t{mark.open};
  mark.open = 0;
  return mark;
}

}  // namespace holdfast::agent
