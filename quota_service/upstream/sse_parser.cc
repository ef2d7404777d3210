#include "quota_service/upstream/sse_parser.h"

#include <fmt/format.h>

#include <utility>

namespace holdfast::quota {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

absl::Status SseParser::Feed(std::string_view bytes, std::vector<SseEvent>* events) {
  if (at_start_) SkipByteOrderMark(&bytes);
  while (!bytes.empty() && !over_bound_) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes[0] == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    if (!in_comment_ && line_.empty() && bytes[0] == ':') in_comment_ = true;
    const size_t end = bytes.find_first_of("\r\n");
    const std::string_view part = bytes.substr(0, end);
    if (!in_comment_ && line_.size() + type_.size() + data_.size() + part.size() > max_event_bytes_) {
      over_bound_ = true;
      break;
    }
    if (end == std::string_view::npos) {
      if (!in_comment_) line_.append(part);
      break;
    }
    if (in_comment_) {
      in_comment_ = false;
    } else if (line_.empty()) {
      EndLine(part, events);
    } else {
      line_.append(part);
      EndLine(line_, events);
      line_.clear();
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
  }
  if (!over_bound_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("an event of the upstream's stream is larger than {} bytes", max_event_bytes_));
}

void SseParser::SkipByteOrderMark(std::string_view* bytes) {
  while (!bytes->empty() && (*bytes)[0] == kByteOrderMark[mark_matched_]) {
    bytes->remove_prefix(1);
    if (++mark_matched_ == kByteOrderMark.size()) {
      at_start_ = false;
      return;
    }
  }
  if (bytes->empty()) return;
  // Not a mark after all: what looked like one begins the first line.
  at_start_ = false;
  line_.assign(kByteOrderMark.substr(0, mark_matched_));
}

void SseParser::EndLine(std::string_view line, std::vector<SseEvent>* events) {
  if (line.empty()) {
    Dispatch(events);
    return;
  }
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    data_.append(value).push_back('\n');
    has_data_ = true;
  } else if (field == "event") {
    type_.assign(value);
  }
}

void SseParser::Dispatch(std::vector<SseEvent>* events) {
  if (has_data_) {
    data_.pop_back();
    events->push_back({std::move(type_), std::move(data_)});
  }
  type_.clear();
  data_.clear();
  has_data_ = false;
}

}  // namespace holdfast::quota
