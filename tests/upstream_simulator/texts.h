#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "boost/json/object.hpp"

namespace holdfast::simulator {

enum class Dimension { kTokens, kRequests };

// "tokens", "requests".
std::string_view DimensionName(Dimension dimension);

// A refusal as OpenAI words it.
struct Refusal {
  Dimension dimension = Dimension::kTokens;
  bool too_large = false;  // more than the limit itself: waiting does not help, no wait is named
  std::int64_t limit = 0;
  std::int64_t used = 0;
  std::int64_t requested = 0;
  std::int64_t wait_ms = 0;
  std::int64_t retry_after_s = 0;  // the wait in whole seconds, rounded up
  std::int64_t per_ns = 0;
};

// A delay as OpenAI writes it: "564ms", "3.646s", "20s", "4m12.172s", "6m0s", "1h0m0s"; "0s" for nothing.
std::string FormatDelay(std::int64_t ms);

// The `message` of a refusal.
std::string RefusalMessage(const Refusal& refusal, std::string_view model);

// The four members of OpenAI's error object; an empty `param` or `code` is written as null.
boost::json::object ErrorObject(std::string_view message, std::string_view type, std::string_view code,
                                std::string_view param = {});

// The inner error object of a refusal.
boost::json::object RefusalError(const Refusal& refusal, std::string_view model);

}  // namespace holdfast::simulator
