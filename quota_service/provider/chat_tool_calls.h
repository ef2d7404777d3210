#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::quota {

// Puts the tool calls of a chat completion together from their pieces. Servers differ: the index may be missing, or 0
// for every call; the id may come once, with every piece, or never; a call may come whole.
class ChatToolCalls {
 public:
  // Bytes that the piece adds to what is kept. Absent: more calls than any answer has.
  std::optional<size_t> Add(const boost::json::value& piece);

  bool empty() const { return calls_.empty(); }

  // `truncated`: the answer was cut, so calls without whole arguments are left out. Calls without an id get one that
  // follows from `response_id` and their place. Absent: a call has no name.
  std::optional<std::vector<v1::Item>> Take(bool truncated, std::string_view response_id);

 private:
  struct Call {
    int64_t index = 0;
    std::string id;
    std::string name;
    std::string arguments;
  };

  // The call that the piece continues; null: it begins a new one.
  Call* FindCall(std::optional<int64_t> index, std::string_view id, std::string_view name);

  std::vector<Call> calls_;
};

}  // namespace holdfast::quota
