#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace holdfast::quota {

// One server-sent event: `type` is empty where the stream names none; the lines of `data` are joined by \n.
struct SseEvent {
  std::string type;
  std::string data;
};

// Splits a text/event-stream into events, whatever the split of the bytes (WHATWG HTML, section 9.2: LF, CR and CRLF end lines, a
// leading byte order mark is skipped, comments are dropped, an unfinished event at the end of the stream is dropped).
class SseParser {
 public:
  explicit SseParser(size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

  // Appends the events completed by `bytes`. An event over the bound: RESOURCE_EXHAUSTED, now and ever after.
  absl::Status Feed(std::string_view bytes, std::vector<SseEvent>* events);

  // Bytes of an event that is not complete are held: the stream ended inside one.
  bool has_partial_event() const;

 private:
  size_t max_event_bytes_;
  // further state is the implementation's
};

}  // namespace holdfast::quota
