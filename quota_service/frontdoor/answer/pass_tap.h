#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "quota_service/frontdoor/request/request_scan.h"
#include "quota_service/provider/tap.h"

namespace holdfast::quota {

// Who gets what a pass-through tap takes from the upstream's answer.
class PassSink {
 public:
  virtual ~PassSink() = default;
  virtual void OnAnswerHeaders(int http_status, const HttpHeaders& headers) = 0;
  // One event, as it goes over the wire. Events before the first output come together with it.
  virtual void OnPassed(std::string event) = 0;
  // The event with which the upstream failed; it is not passed on.
  virtual void OnFailedEvent(std::string event) = 0;
  // The answer is complete. `body` is empty where it was a stream.
  virtual void OnComplete(std::string_view body, const std::string& response_id) = 0;
};

// A tap that passes events on as they are and holds back those before the first output, so that another attempt may
// take the place of one that failed. `event: error` never passes.
//
// `streaming`: the request asked for a stream of events. `most_whole_bytes`: of an answer that is none.
std::unique_ptr<Tap> NewPassTap(Api api, bool streaming, size_t most_whole_bytes, PassSink* sink);

// As it goes over the wire.
std::string EventText(const SseEvent& event);

}  // namespace holdfast::quota
