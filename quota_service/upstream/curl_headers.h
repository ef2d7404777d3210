#pragma once

#include <cstddef>
#include <string_view>

#include "quota_service/retry/rate_limit_headers.h"
#include "quota_service/upstream/answer_bounds.h"

namespace holdfast::quota {

// Collects an answer's headers from the lines that libcurl hands over. Interim answers (1xx) and trailers are dropped.
class CurlHeaders {
 public:
  // Status lines, interim answers and trailers included.
  static constexpr size_t kMostBytes = kMostAnswerHeaderBytes;

  // One line as it came, with its line end. `status` is the answer's so far. False: the headers are over the bound.
  bool AddLine(std::string_view line, long status);

  // The final answer's headers are whole.
  bool complete() const { return complete_; }
  bool over_bound() const { return bytes_ > kMostBytes; }
  const HttpHeaders& headers() const { return headers_; }

 private:
  size_t bytes_ = 0;
  bool complete_ = false;
  HttpHeaders headers_;
};

}  // namespace holdfast::quota
