#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"

namespace holdfast::quota {

// What providers say of an error, brought into one form. Not yet sanitized.
struct ErrorBody {
  bool is_error = false;  // the body had the form of an error
  std::string type;       // for example "rate_limit_error", "insufficient_quota", "tokens"
  std::string code;       // for example "rate_limit_exceeded", "1302", "429"
  std::string status;     // Google's, for example "RESOURCE_EXHAUSTED"
  std::string message;
  std::optional<Duration> retry_delay;  // google.rpc.RetryInfo
  bool per_day = false;                 // a google.rpc.QuotaFailure names a quota per day
};

// Knows {"error":{…}} (OpenAI, Azure, Anthropic, Moonshot, Zhipu, OpenRouter, llama.cpp), the same in an array
// (Gemini),
// {"error":"text"} (Ollama), {"object":"error",…} (vLLM) and errors without a wrapper. Anything may be missing.
ErrorBody ReadErrorBody(const boost::json::value& body);
// Of the bytes of an answer; what is not JSON becomes the message.
ErrorBody ReadErrorBody(std::string_view body);

}  // namespace holdfast::quota
