#include "agent_service/host/expired_cursor.h"

#include <iterator>
#include <utility>
#include <vector>

#include "agent_service/context/context_items.h"

namespace holdfast::agent {
namespace {

constexpr size_t kMostItemBytes = size_t{256} << 10;

}  // namespace

v1::CursorExpired ExpiredCursor(const std::string& session_id, const SessionState& state) {
  v1::CursorExpired expired;
  *expired.mutable_session() = state.Summary();
  expired.mutable_session()->set_session_id(session_id);
  std::vector<quota::v1::Item> items = ContextItems(state);
  size_t bytes = 0;
  auto first = items.end();
  while (first != items.begin() && bytes + std::prev(first)->ByteSizeLong() <= kMostItemBytes)
    bytes += (--first)->ByteSizeLong();
  expired.set_more(first != items.begin());
  for (; first != items.end(); ++first) *expired.add_newest() = std::move(*first);
  return expired;
}

}  // namespace holdfast::agent
