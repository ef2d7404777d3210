#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quota_service/provider/dialect.h"

namespace holdfast::quota {

// A tap of one dialect, the verdicts that it gave and the events that it passed on. The account is "acme".
class TapRecorder {
 public:
  explicit TapRecorder(std::string_view dialect);

  // An event whose `event:` line is the JSON's own "type", as OpenAI sends it, or missing, as chat completions send it.
  Verdict Feed(std::string_view data, std::string_view event_type = "");
  // Feeds events up to the first that is done or failed, then ends the stream if there was none. The last verdict.
  Verdict Play(const std::vector<std::string>& events);
  Verdict End() { return tap_->OnEndOfStream(); }

  const std::vector<v1::GenerateEvent>& events() const { return events_; }
  std::vector<v1::Item> Items() const;
  std::vector<v1::Delta> Deltas() const;
  // The deltas of `channel`, put together.
  std::string Streamed(v1::Delta::Channel channel) const;
  // Null unless completed was the last event, and the only one of its kind.
  const v1::Completed* Completion() const;

 private:
  std::vector<v1::GenerateEvent> events_;
  std::unique_ptr<Tap> tap_;
};

}  // namespace holdfast::quota
