#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string_view>

#include "holdfast/quota/v1/model.pb.h"

namespace holdfast::quota {

// An output item of the Responses API. `id` is used where the item has none of its own. Absent where there is nothing
// to pass on: a kind that we do not speak, a message without words, a tool call that was cut before its end.
std::optional<v1::Item> ReadResponseItem(const boost::json::value* item, std::string_view id, std::string_view account);

}  // namespace holdfast::quota
