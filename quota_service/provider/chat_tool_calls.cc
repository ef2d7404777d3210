#include "quota_service/provider/chat_tool_calls.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <set>
#include <utility>

#include "quota_service/provider/json_read.h"

namespace holdfast::quota {
namespace {

constexpr size_t kMaxCalls = 1024;
constexpr size_t kCallOverhead = 256;  // bytes

bool IsJsonObject(std::string_view text) {
  const auto value = ParseJson(text);
  return value && value->is_object();
}

}  // namespace

ChatToolCalls::Call* ChatToolCalls::FindCall(std::optional<int64_t> index, std::string_view id, std::string_view name) {
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
    if (index && call->index != *index) continue;
    // Another id alone is not enough: there are servers that make one up for every piece, but name the tool once.
    const bool begins_another = !id.empty() && !name.empty() && !call->id.empty() && call->id != id;
    return begins_another ? nullptr : &*call;
  }
  return nullptr;
}

std::optional<size_t> ChatToolCalls::Add(const boost::json::value& piece) {
  if (!piece.is_object()) return 0;
  const boost::json::value* function = FindObject(&piece, "function");
  const std::optional<int64_t> index = FindInteger(&piece, "index");
  const std::string_view id = FindText(&piece, "id");
  const std::string_view name = FindText(function, "name");
  size_t added = 0;
  Call* call = FindCall(index, id, name);
  if (call == nullptr) {
    if (calls_.size() == kMaxCalls) return std::nullopt;
    calls_.push_back({index.value_or(0), {}, {}, {}});
    call = &calls_.back();
    added += kCallOverhead;
  }
  if (call->id.empty()) call->id = id;
  if (call->name.empty()) call->name = name;
  const boost::json::value* arguments = Find(function, "arguments");
  if (arguments != nullptr && arguments->is_object()) {
    call->arguments = boost::json::serialize(*arguments);
    added += call->arguments.size();
  } else {
    call->arguments.append(Text(arguments));
    added += Text(arguments).size();
  }
  return added + id.size() + name.size();
}

std::optional<std::vector<v1::Item>> ChatToolCalls::Take(bool truncated, std::string_view response_id) {
  std::vector<v1::Item> items;
  std::set<std::string> ids;
  for (Call& call : std::exchange(calls_, {})) {
    if (truncated && (call.name.empty() || !IsJsonObject(call.arguments))) continue;
    if (call.name.empty()) return std::nullopt;
    const std::string place = fmt::format("{}_{}", response_id, items.size());
    if (call.id.empty() || ids.contains(call.id)) call.id = "call_" + place;
    ids.insert(call.id);
    v1::ToolCall* item = items.emplace_back().mutable_tool_call();
    item->set_id(fmt::format("{}/call/{}", response_id, items.size() - 1));
    item->set_call_id(std::move(call.id));
    item->set_name(std::move(call.name));
    item->set_arguments(call.arguments.empty() ? "{}" : std::move(call.arguments));
  }
  return items;
}

}  // namespace holdfast::quota
