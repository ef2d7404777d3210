// The SSE parser: any split of the bytes gives the same events, and they are those of a reading that is plain and slow.
#include <string>
#include <vector>

#include "quota_service/upstream/sse_parser.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::quota {

static bool operator==(const SseEvent& a, const SseEvent& b) { return a.type == b.type && a.data == b.data; }

namespace {

using fuzz::Check;

struct Parsed {
  std::vector<SseEvent> events;
  bool over_bound = false;
  bool partial = false;
};

Parsed Parse(const std::vector<std::string_view>& pieces, size_t bound) {
  Parsed parsed;
  SseParser parser(bound);
  for (const std::string_view piece : pieces) {
    const size_t before = parsed.events.size();
    const bool ok = parser.Feed(piece, &parsed.events).ok();
    if (parsed.over_bound) Check(!ok && parsed.events.size() == before, "over the bound once, over it for ever");
    parsed.over_bound = !ok;
  }
  parsed.partial = parser.has_partial_event();
  return parsed;
}

// WHATWG HTML, section 9.2.6, word by word, with the whole stream at hand.
std::vector<SseEvent> ParsePlainly(std::string_view stream) {
  if (stream.starts_with("\xEF\xBB\xBF")) stream.remove_prefix(3);
  std::vector<SseEvent> events;
  SseEvent event;
  bool has_data = false;
  while (true) {
    const size_t end = stream.find_first_of("\r\n");
    if (end == std::string_view::npos) return events;
    const std::string_view line = stream.substr(0, end);
    stream.remove_prefix(end + (stream.substr(end).starts_with("\r\n") ? 2 : 1));
    if (line.empty()) {
      if (has_data) events.push_back(event);
      event = {};
      has_data = false;
      continue;
    }
    const size_t colon = line.find(':');
    std::string value(colon == std::string_view::npos ? "" : line.substr(colon + 1));
    if (value.starts_with(' ')) value.erase(0, 1);
    if (line.substr(0, colon) == "event") event.type = value;
    if (line.substr(0, colon) == "data") {
      event.data += (has_data ? "\n" : "") + value;
      has_data = true;
    }
  }
}

std::string Written(const std::vector<SseEvent>& events) {
  std::string stream;
  for (const SseEvent& event : events) {
    if (!event.type.empty()) stream += "event: " + event.type + "\n";
    std::string_view rest = event.data;
    while (true) {
      const size_t end = rest.find('\n');
      stream += "data: " + std::string(rest.substr(0, end)) + "\n";
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    stream += "\n";
  }
  return stream;
}

void Test(fuzz::Input input) {
  const size_t bound = input.Byte() < 128 ? size_t{1} << 20 : input.Number(2);
  const std::string_view sizes = input.Text(8);  // of the pieces, in turn
  const std::string_view stream = input.Rest();

  std::vector<std::string_view> pieces;
  for (size_t at = 0, turn = 0; at < stream.size(); ++turn) {
    const size_t size = sizes.empty() ? 1 : static_cast<unsigned char>(sizes[turn % sizes.size()]) % 64;
    pieces.push_back(stream.substr(at, size));  // an empty piece is one, too
    at += size == 0 ? 1 : size;
    if (size == 0) pieces.push_back(stream.substr(at - 1, 1));
  }
  std::vector<std::string_view> bytes;
  for (size_t at = 0; at < stream.size(); ++at) bytes.push_back(stream.substr(at, 1));

  const Parsed whole = Parse({stream}, bound);
  for (const auto& split : {pieces, bytes}) {
    const Parsed parts = Parse(split, bound);
    Check(parts.events == whole.events, "the events do not depend on the split");
    Check(parts.over_bound == whole.over_bound, "nor does the bound");
    Check(parts.over_bound || parts.partial == whole.partial, "nor does what is left");
  }
  for (const SseEvent& event : whole.events) {
    Check(event.type.size() + event.data.size() <= bound, "an event is within the bound");
  }
  if (whole.over_bound) return;
  Check(whole.events == ParsePlainly(stream), "the events are those of the plain reading");
  Check(Parse({Written(whole.events)}, stream.size() * 8 + 64).events == whole.events, "events survive being written");
}

}  // namespace
}  // namespace holdfast::quota

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::quota::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
