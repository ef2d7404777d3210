#include "quota_service/frontdoor/answer/door_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/random_id.h"

namespace holdfast::quota {
namespace {

constexpr char kInvalid[] = "invalid_request_error";
constexpr char kServer[] = "server_error";
constexpr char kRateLimited[] = "rate_limit_exceeded";

std::string Words(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

// As providers write it, and clients parse it.
std::string TryAgain(Duration wait) {
  const auto ms = std::max<int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  return ms < 1000 ? fmt::format("Please try again in {}ms.", ms)
                   : fmt::format("Please try again in {}.{:03}s.", ms / 1000, ms % 1000);
}

std::string Limit(const WaitEstimate& wait) {
  return fmt::format(" on {}: Limit {}, Used {}, Requested {}",
                     wait.dimension == Dimension::kTokens     ? "tokens"
                     : wait.dimension == Dimension::kRequests ? "requests"
                                                              : "concurrent requests",
                     wait.limit, wait.used, wait.requested);
}

DoorError RateLimited(const CallFailure& failure, const std::string& model) {
  const Duration wait = failure.retry_after.value_or(std::chrono::seconds(1));
  const std::string what = failure.upstream ? fmt::format("The upstream of {} gives no answer", model)
                                            : fmt::format("Rate limit reached for {}", model);
  std::string message = fmt::format("{}{}. {} ({})", what, failure.wait ? Limit(*failure.wait) : std::string(),
                                    TryAgain(wait), failure.message);
  return {429, failure.wait ? DimensionName(failure.wait->dimension) : "requests", kRateLimited, std::move(message),
          wait};
}

}  // namespace

DoorError BadRequest(std::string message, std::string code) {
  return {400, kInvalid, std::move(code), std::move(message)};
}

DoorError NoSuchResponse(std::string_view id, std::string param) {
  const bool previous = !param.empty();
  return {.status = 404,
          .type = kInvalid,
          .code = previous ? "previous_response_not_found" : "",
          .message = fmt::format("{} with id '{}' not found.", previous ? "Previous response" : "Response", id),
          .param = std::move(param)};
}

DoorError ErrorOfHttp(unsigned status, std::string message) {
  DoorError error{status, status < 500 ? kInvalid : kServer, "", std::move(message)};
  if (status == 503) error.retry_after = std::chrono::seconds(1);
  return error;
}

DoorError ErrorOfStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return {401, kInvalid, "invalid_api_key", Words(status)};
    case absl::StatusCode::kPermissionDenied:
      return {403, kInvalid, "permission_denied", Words(status)};
    case absl::StatusCode::kNotFound:
      return {404, kInvalid, "not_found", Words(status)};
    default:
      return BadRequest(Words(status));
  }
}

DoorError ErrorOfCall(const CallFailure& failure, const std::string& model) {
  const int upstream_status = failure.upstream ? failure.upstream->http_status : 0;
  const auto as_the_upstream = [&](unsigned otherwise) {
    return upstream_status / 100 == 4 ? static_cast<unsigned>(upstream_status) : otherwise;
  };
  const std::string code = failure.upstream ? failure.upstream->code : "";
  switch (failure.kind) {
    case CallFailure::Kind::kNeverFits:
      return BadRequest(failure.message, "context_length_exceeded");
    case CallFailure::Kind::kQuotaExhausted:
      return {as_the_upstream(429), "insufficient_quota", "insufficient_quota", failure.message, failure.retry_after};
    case CallFailure::Kind::kUpstreamAuth:
      return {502, kServer, "upstream_key_refused", failure.message};
    case CallFailure::Kind::kInvalidRequest:
      return {as_the_upstream(400), kInvalid, code, failure.message};
    case CallFailure::Kind::kUnusableAnswer:
    case CallFailure::Kind::kBrokenOff:
      return {502, kServer, kServer, failure.message};
    case CallFailure::Kind::kCancelled:
      return {503, kServer, kServer, failure.message, std::chrono::seconds(1)};
    default:
      return RateLimited(failure, model);
  }
}

std::string ErrorJson(const DoorError& error) {
  const auto or_null = [](const std::string& text) { return text.empty() ? "null" : JsonQuoted(text); };
  return fmt::format(R"({{"error":{{"message":{},"type":{},"param":{},"code":{}}}}})", JsonQuoted(error.message),
                     JsonQuoted(error.type), or_null(error.param), or_null(error.code));
}

HttpHeaders RetryHeaders(const DoorError& error) {
  if (!error.retry_after) return {};
  const auto seconds = std::clamp<int64_t>(std::chrono::ceil<std::chrono::seconds>(*error.retry_after).count(), 1, 60);
  const auto ms =
      std::clamp<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(*error.retry_after).count(), 1, 60'000);
  return {{"Retry-After", fmt::format("{}", seconds)}, {"Retry-After-Ms", fmt::format("{}", ms)}};
}

std::string FailureEvent(Api api, const DoorError& error, const std::string& model, WallTime now) {
  if (api != Api::kResponses) return "data: " + ErrorJson(error) + "\n\n";
  const auto created = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return fmt::format(
      "event: response.failed\n"
      R"(data: {{"type":"response.failed","sequence_number":0,"response":{{"id":"resp_{}","object":"response",)"
      R"("created_at":{},"status":"failed","background":false,"error":{{"code":{},"message":{}}},)"
      R"("incomplete_details":null,"model":{},"output":[],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],)"
      R"("usage":null,"metadata":{{}}}}}})"
      "\n\n",
      RandomId(), created, JsonQuoted(error.code.empty() ? kServer : error.code), JsonQuoted(error.message),
      JsonQuoted(model));
}

std::string KeepAliveEvent(Api api) {
  if (api != Api::kResponses) return ": keep-alive\n\n";
  return "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":0}\n\n";
}

}  // namespace holdfast::quota
