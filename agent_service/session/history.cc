#include "agent_service/session/history.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace holdfast::agent {

History::Position History::position() const {
  Position at{static_cast<uint32_t>(branches_.size() - 1), static_cast<uint32_t>(items_.size())};
  while (at.branch > 0 && at.size <= branches_[at.branch].base.size) at.branch = branches_[at.branch].base.branch;
  return at;
}

void History::Restore(Position position) {
  Branch& left = branches_.back();
  const auto own = items_.begin() + static_cast<std::ptrdiff_t>(left.base.size);
  left.items.assign(std::make_move_iterator(own), std::make_move_iterator(items_.end()));
  items_.clear();

  position.branch = std::min(position.branch, static_cast<uint32_t>(branches_.size() - 1));
  const Branch& meant = branches_[position.branch];
  position.size = std::min(position.size, meant.base.size + static_cast<uint32_t>(meant.items.size()));

  // From the end of the prefix to its beginning: which items of which branch.
  struct Segment {
    uint32_t branch;
    uint32_t count;
  };
  std::vector<Segment> segments;
  for (Position at = position; at.size > 0;) {
    const Branch& branch = branches_[at.branch];
    if (at.size > branch.base.size) segments.push_back({at.branch, at.size - branch.base.size});
    at = {branch.base.branch, std::min(at.size, branch.base.size)};
  }
  items_.reserve(position.size);
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    const auto begin = branches_[segment->branch].items.begin();
    items_.insert(items_.end(), begin, begin + segment->count);
  }
  branches_.push_back({position, {}});
}

}  // namespace holdfast::agent
