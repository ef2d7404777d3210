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

// Splits a text/event-stream into events, whatever the split of the bytes (WHATWG HTML, section 9.2: LF, CR and CRLF
// end lines, a leading byte order mark is skipped, comments are dropped, an unfinished event at the end of the stream
// is dropped). Linear in the bytes fed, in time; holds at most one event. Data stays as it came: it may be invalid
// UTF-8.
class SseParser {
 public:
  // `max_event_bytes` bounds an event's data and type and the line being read, together; comments do not count.
  explicit SseParser(size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

  // Appends the events completed by `bytes`. An event over the bound: RESOURCE_EXHAUSTED, now and ever after.
  absl::Status Feed(std::string_view bytes, std::vector<SseEvent>* events);

  // Bytes of an event that is not complete are held: the stream ended inside one.
  bool has_partial_event() const { return !line_.empty() || has_data_ || !type_.empty(); }

 private:
  // Takes what belongs to a leading byte order mark off `bytes`.
  void SkipByteOrderMark(std::string_view* bytes);
  void EndLine(std::string_view line, std::vector<SseEvent>* events);
  void Dispatch(std::vector<SseEvent>* events);

  size_t max_event_bytes_;
  size_t mark_matched_ = 0;  // bytes of the byte order mark seen so far
  bool at_start_ = true;     // the byte order mark may still come
  bool after_cr_ = false;    // a LF that comes next belongs to the CR
  bool in_comment_ = false;  // the line being read is a comment
  bool has_data_ = false;    // the event has a data line, perhaps an empty one
  bool over_bound_ = false;
  std::string line_;  // the line being read, where it began in an earlier Feed
  std::string type_;
  std::string data_;  // each line followed by \n
};

}  // namespace holdfast::quota
