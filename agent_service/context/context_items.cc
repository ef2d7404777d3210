#include "agent_service/context/context_items.h"

#include <algorithm>
#include <utility>

#include "agent_service/context/ledger.h"
#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

// Models do answer with nothing at all; no provider takes that back.
bool IsEmpty(const quota::v1::Item& item) {
  return item.kind_case() == quota::v1::Item::KIND_NOT_SET || (item.has_message() && item.message().parts().empty());
}

}  // namespace

std::vector<quota::v1::Item> ContextItems(const std::vector<quota::v1::Item>& conversation, const ContextView& view) {
  std::vector<quota::v1::Item> items;
  if (view.ledger) {
    quota::v1::Item item;
    // Not as a developer: it holds words of tools and files, which must not rank above the user's.
    item.mutable_message()->set_role(quota::v1::ROLE_USER);
    item.mutable_message()->add_parts()->set_text(RenderLedger(*view.ledger));
    items.push_back(std::move(item));
  }
  if (view.pinned) items.push_back(conversation[*view.pinned]);
  for (size_t i = view.covered; i < conversation.size(); ++i) {
    const quota::v1::Item& item = conversation[i];
    if (IsEmpty(item)) continue;
    items.push_back(item);
    if (!item.has_tool_result()) continue;
    const size_t most = i < view.cut ? std::min(view.tool_output_bytes, kMostToolOutputBytes) : kMostToolOutputBytes;
    if (item.tool_result().output().size() > most)
      items.back().mutable_tool_result()->set_output(KeepHeadAndTail(item.tool_result().output(), most));
  }
  return items;
}

std::vector<quota::v1::Item> ContextItems(const SessionState& state) {
  return ContextItems(state.conversation(), state.view());
}

}  // namespace holdfast::agent
