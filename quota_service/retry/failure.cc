#include "quota_service/retry/failure.h"

namespace holdfast::quota {

const char* FailureClassName(FailureClass cls) {
  switch (cls) {
    case FailureClass::kRateLimited:
      return "rate_limited";
    case FailureClass::kTooLarge:
      return "too_large";
    case FailureClass::kQuotaExhausted:
      return "quota_exhausted";
    case FailureClass::kOverloaded:
      return "overloaded";
    case FailureClass::kContextOverflow:
      return "context_overflow";
    case FailureClass::kAuthentication:
      return "authentication";
    case FailureClass::kInvalidRequest:
      return "invalid_request";
    case FailureClass::kTransport:
      return "transport";
    case FailureClass::kNoStream:
      return "no_stream";
    case FailureClass::kUnusable:
      return "unusable";
  }
  return "unknown";
}

const char* DimensionName(Dimension dimension) {
  switch (dimension) {
    case Dimension::kTokens:
      return "tokens";
    case Dimension::kRequests:
      return "requests";
    case Dimension::kConcurrency:
      return "concurrent";
    case Dimension::kInputTokens:
      return "input_tokens";
    case Dimension::kOutputTokens:
      return "output_tokens";
  }
  return "unknown";
}

}  // namespace holdfast::quota
