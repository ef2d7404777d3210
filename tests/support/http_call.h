#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace holdfast::test {

struct HttpReply {
  int status = 0;
  std::string body;
};

// One HTTP request with a connection of its own; blocks for at most half a minute. UNAVAILABLE: no answer came.
absl::StatusOr<HttpReply> HttpCall(const std::string& method, const std::string& url, const std::string& body = "");

}  // namespace holdfast::test
