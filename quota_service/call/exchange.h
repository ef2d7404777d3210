#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "quota_service/call/envelope.h"
#include "quota_service/call/outcome.h"
#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// The HTTP side of a request, without what the account adds.
struct RequestBody {
  std::string path;  // under the account's base URL, for example "/responses"
  std::string bytes;
  std::string content_type = "application/json";
  std::string method = "POST";
  std::string accept = "text/event-stream";
  HttpHeaders headers = {};  // more of the caller's own
};

// What the state machine leaves to others: the request's body, the reading of its stream, and the caller. Two kinds
// exist: typed calls, and raw pass-through. Called on the loop; OnFinished is the last call.
class Exchange {
 public:
  virtual ~Exchange() = default;

  // Body builder. An error ends the call as an invalid request.
  virtual absl::StatusOr<RequestBody> BuildBody(const Route& route) = 0;
  // Tap for one attempt. What it passes on belongs to that attempt.
  virtual std::unique_ptr<Tap> NewTap(const Route& route) = 0;
  // The caller understands OnRestarted, so that a broken answer can be begun again.
  virtual bool can_restart() const = 0;

  virtual void OnWaiting(const WaitNotice& notice) = 0;
  virtual void OnAdmitted(const Route& route, int attempt, Duration waited) = 0;
  // What was passed on since OnAdmitted is void.
  virtual void OnRestarted(const std::string& cause) = 0;
  virtual void OnFinished(const CallOutcome& outcome) = 0;
};

}  // namespace holdfast::quota
