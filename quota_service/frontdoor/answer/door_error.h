#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "quota_service/call/outcome.h"
#include "quota_service/frontdoor/request/request_scan.h"

namespace holdfast::quota {

// An error as OpenAI's clients understand it.
struct DoorError {
  unsigned status = 500;
  std::string type;  // for example "invalid_request_error"
  std::string code;  // for example "rate_limit_exceeded"; may be empty
  std::string message;
  std::optional<Duration> retry_after = std::nullopt;
  std::string param = {};  // the field of the request that it is about; may be empty
};

// The caller's mistake.
DoorError BadRequest(std::string message, std::string code = "");
// Of a response that this tenant does not have, whoever else may. `param`: the field that named it.
DoorError NoSuchResponse(std::string_view id, std::string param);
// What the authenticator says.
DoorError ErrorOfStatus(const absl::Status& status);
// Any other that the front door finds itself.
DoorError ErrorOfHttp(unsigned status, std::string message);

// How a call failed (docs/status-codes.md). `model` as its caller named it.
DoorError ErrorOfCall(const CallFailure& failure, const std::string& model);

// {"error":{"message":…,"type":…,"param":…,"code":…}}
std::string ErrorJson(const DoorError& error);
// Retry-After (whole seconds, 1 to 60) and retry-after-ms, where there is something to wait for.
HttpHeaders RetryHeaders(const DoorError& error);

// The end of a stream whose status was 200: `response.failed`, or on other APIs an error chunk.
std::string FailureEvent(Api api, const DoorError& error, const std::string& model, WallTime now);
// What shows a waiting client that its request lives. On Responses it is an event, because comments do not reset every
// client's idle timer.
std::string KeepAliveEvent(Api api);

}  // namespace holdfast::quota
