#include "tests/e2e/fault_rows.h"

#include <algorithm>
#include <cctype>

namespace holdfast::test {
namespace {

constexpr int kFailed = 1;
constexpr int kMustWait = 75;
constexpr int kNeverFits = 76;

// The faults of an answer's head, then those of its stream.
const std::vector<FaultKind>& Kinds() {
  static const std::vector<FaultKind> kKinds = {
      {"429, wait in headers and text", "429", false, 1, {0, 2, {"rate limited"}}},
      {"429, wait in its text alone", "429_no_headers", false, 1, {0, 2, {"rate limited"}}},
      {"429, no wait named", "429_bare", false, 1, {0, 2, {"upstream refused"}}},
      {"429, more to wait than --max-wait 2s",
       "429",
       false,
       1,
       {kMustWait, 1, {"the wait is longer than the", "a longer --max-wait waits that long"}},
       5,
       "2s"},
      {"429, larger than the limit", "too_large", false, 1, {kNeverFits, 1, {"Request too large"}}},
      {"429, money gone", "insufficient_quota", false, 1, {kFailed, 1, {"check your plan and billing"}}},
      {"401",
       "401",
       false,
       1,
       {kFailed, 1, {"refuses the key that quota_service has for it; check it", "Incorrect API key"}}},
      {"403",
       "403",
       false,
       1,
       {kFailed, 1, {"refuses the key that quota_service has for it; check it", "does not have access to model"}}},
      {"400, context length", "context_length", false, 1, {kNeverFits, 1, {"context"}}},
      {"500", "500", false, 1, {0, 2, {"The server had an error"}}},
      {"503, three times", "503", false, 3, {0, 4, {"overloaded"}}},
      {"529", "529", false, 1, {0, 2, {"Overloaded"}}},
      {"connection refused", "", false, 1, {0, 1, {"connect"}}},
      {"connection refused for longer than --max-wait 2s",
       "",
       false,
       1,
       {kMustWait, 0, {"the wait is longer than the", "connect", "a longer --max-wait waits that long"}},
       1,
       "2s"},
      // libcurl itself sends again on a new connection where one that was used
      // before breaks without an answer.
      {"reset before an answer", "cut_before_headers", false, 1, {0, 2, {}}},
      {"no answer at all", "silence_before_headers", false, 1, {0, 2, {"sent no event for 3.0s"}}},
      {"not HTTP", "not_http", false, 1, {0, 2, {"not HTTP"}}},
      {"redirect to another host", "redirect", false, 1, {kFailed, 1, {"redirects are not followed; set base_url"}}},
      {"200, a web page, once", "garbage_body", false, 1, {0, 2, {"check the upstream's base_url"}}},
      {"200, a web page, always", "garbage_body", false, 3, {kFailed, 3, {"check the upstream's base_url"}}},
      {"200, the stream under a wrong content type",
       "wrong_type",
       false,
       1,
       {kFailed, 1, {"application/octet-stream instead of text/event-stream"}}},
      {"200, an error in the body", "json_error_200", false, 1, {0, 2, {"returned an error"}}},

      {"connection reset", "cut", true, 1, {0, 2, {"the stream broke"}}},
      {"broken chunk", "broken_framing", true, 1, {0, 2, {"the stream broke"}}},
      {"clean end without completion", "end_without_completed", true, 1, {0, 2, {"ended without completion"}}},
      {"stall", "silence", true, 1, {0, 2, {"sent no event for 3.0s"}}},
      {"stall with comments", "silence_comments", true, 1, {0, 2, {"sent no event for 3.0s"}}},
      {"event that is no JSON", "garbage", true, 1, {0, 2, {"not JSON"}}},
      {"event of 17 MiB", "oversized_event", true, 1, {kFailed, 1, {"larger than 16777216 bytes"}}},
      {"rate limit in the stream", "stream_429", true, 1, {0, 2, {"rate limited"}}},
      {"`event: error`, a rate limit", "stream_error", true, 1, {0, 2, {"rate limited"}}},
      {"overload in the stream", "overloaded", true, 1, {0, 2, {"currently overloaded"}}},
      {"money gone, in the stream",
       "stream_insufficient_quota",
       true,
       1,
       {kFailed, 1, {"check your plan and billing"}}},
      {"context length, in the stream", "stream_context_length", true, 1, {kNeverFits, 1, {"context"}}},
  };
  return kKinds;
}

std::vector<Moment> MomentsOf(const FaultKind& kind) {
  if (!kind.in_stream) return {Moment::kBeforeHeaders, Moment::kSecondRequest};
  return {Moment::kAfterHeaders, Moment::kReasoning, Moment::kOutput, Moment::kArguments, Moment::kSecondRequest};
}

}  // namespace

std::string_view MomentWords(Moment moment) {
  switch (moment) {
    case Moment::kBeforeHeaders:
      return "before headers";
    case Moment::kAfterHeaders:
      return "before output";
    case Moment::kReasoning:
      return "in reasoning";
    case Moment::kOutput:
      return "in output";
    case Moment::kArguments:
      return "in a tool call";
    case Moment::kSecondRequest:
      return "in the second request";
  }
  return "";
}

std::string FaultRow::Name() const {
  std::string name = std::string(kind->words) + " " + std::string(MomentWords(moment)) + " " + dialect;
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

std::vector<FaultRow> FaultRows() {
  std::vector<FaultRow> rows;
  for (const FaultKind& kind : Kinds()) {
    for (const Moment moment : MomentsOf(kind)) {
      for (const char* dialect : {"responses", "chat"}) rows.push_back({&kind, moment, dialect});
    }
  }
  return rows;
}

}  // namespace holdfast::test
