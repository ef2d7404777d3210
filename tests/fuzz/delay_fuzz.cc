// What upstreams say of when to come back: texts, headers, error bodies. No wait is negative or above its bound, and a
// delay that is written the way servers write it is read back as it was meant.
#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>

#include "common/base/duration_text.h"
#include "common/base/utf8.h"
#include "quota_service/provider/error_class.h"
#include "quota_service/retry/delay_text.h"
#include "quota_service/retry/rate_limit_headers.h"
#include "quota_service/retry/retry_policy.h"
#include "quota_service/retry/text_scan.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::quota {
namespace {

using fuzz::Check;
using std::chrono::milliseconds;

constexpr auto kNow = WallTime(std::chrono::seconds(1'750'000'000));  // 2025-06-15T15:06:40Z

void CheckDelay(const std::optional<Duration>& delay, const char* what) {
  Check(!delay || (*delay >= Duration::zero() && *delay <= kLongestServerDelay), what);
}

void CheckHint(const ServerHint& hint) {
  CheckDelay(hint.retry_after, "a hint's delay is from 0 to 31 days");
  Check(hint.limit.value_or(1) > 0, "a limit is positive");
  Check(hint.used.value_or(0) >= 0 && hint.requested.value_or(0) >= 0, "counts are not negative");
}

void CheckDimension(const DimensionHeaders& dimension) {
  Check(dimension.limit.value_or(1) > 0, "a limit is positive");
  Check(dimension.remaining.value_or(0) >= 0, "what remains is not negative");
  CheckDelay(dimension.reset, "a reset is from 0 to 31 days away");
}

void CheckFailure(const UpstreamFailure& failure) {
  CheckHint(failure.hint);
  Check(IsValidUtf8(failure.message) && failure.message.size() <= 2048, "a message is UTF-8, at most 2 KiB");
  for (const double random : {0.0, 0.5, 0.999999}) {
    for (const bool output : {false, true}) {
      const RetryQuestion question{.failure = failure,
                                   .attempt = 70,
                                   .output_passed = output,
                                   .can_restart = false,
                                   .waited = std::chrono::seconds(100),
                                   .max_wait = std::chrono::minutes(15)};
      const RetryDecision decision = BackoffOrStop(question, BackoffPolicy(), [=] { return random; });
      Check(decision.after >= Duration::zero(), "no wait is negative");
      Check(decision.after <= kLongestServerDelay * 3 / 2, "no wait is longer than a jittered hint");
      if (decision.kind == RetryKind::kBackOff) {
        Check(question.waited + decision.after <= question.max_wait, "a backoff is within max_wait");
      }
      if (output) Check(decision.kind == RetryKind::kStop, "output that went out is not taken back unasked");
    }
  }
}

void TestText(std::string_view text) {
  CheckDelay(ParseServerDuration(text), "a duration is from 0 to 31 days");
  const auto delay = ParseRetryAfter(text, kNow);
  CheckDelay(delay, "Retry-After is from 0 to 31 days");
  Check(ParseRetryAfter(fmt::format(" \t{}\t ", text), kNow) == delay, "blanks around a value change nothing");
  CheckHint(ParseRefusalText(text));
  CheckFailure(ClassifyErrorResponse(429, {}, text, kNow));
  CheckFailure(ClassifyStreamError("", "rate_limit_exceeded", text));
  for (const auto& moment : {ParseHttpDate(text), ParseRfc3339(text)}) {
    if (!moment) continue;
    const auto at = std::chrono::floor<std::chrono::seconds>(*moment);
    const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(at));
    const std::chrono::hh_mm_ss time(at - std::chrono::floor<std::chrono::days>(at));
    const std::string written = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", int{date.year()},
                                            unsigned{date.month()}, unsigned{date.day()}, time.hours().count(),
                                            time.minutes().count(), time.seconds().count(), (*moment - at).count());
    // A time zone may have moved it over the edge of what is read.
    if (int{date.year()} >= 1970 && int{date.year()} <= 2200) {
      Check(ParseRfc3339(written) == moment, "a moment survives being written: " + written);
    }
  }
  if (const auto own = ParseDuration(text); own.ok()) {
    Check(*own >= Duration::zero() && *own <= std::chrono::hours(24 * 3660), "our own durations are up to ten years");
    Check(!FormatDuration(*own).empty(), "and can be shown");
  }
}

void TestHeaders(fuzz::Input input) {
  HttpHeaders headers;
  while (!input.empty()) {
    const std::string_view name = input.TextUntil(":");
    headers.emplace_back(name, input.TextUntil("\n"));
  }
  const RateLimitHeaders read = ParseRateLimitHeaders(headers, kNow);
  CheckDimension(read.tokens);
  CheckDimension(read.requests);
  CheckDelay(read.retry_after, "Retry-After is from 0 to 31 days");
  CheckFailure(ClassifyErrorResponse(429, headers, "", kNow));
}

// Status, headers, an empty line, the body.
void TestAnswer(fuzz::Input input) {
  const int status = static_cast<int>(input.Number(2) % 600);
  HttpHeaders headers;
  while (true) {
    const std::string_view line = input.TextUntil("\n");
    if (line.empty()) break;
    const size_t colon = line.find(':');
    headers.emplace_back(line.substr(0, colon), colon == std::string_view::npos ? "" : line.substr(colon + 1));
  }
  CheckFailure(ClassifyErrorResponse(status, headers, input.Rest(), kNow));
}

// A delay of whole milliseconds, in the forms in which servers write it.
void TestWritten(fuzz::Input input) {
  const auto most = std::chrono::duration_cast<milliseconds>(kLongestServerDelay).count();
  const int64_t ms = static_cast<int64_t>(input.Number(8) % (static_cast<uint64_t>(most) + 1));
  const auto near = [&](const std::optional<Duration>& read) {
    return read && std::chrono::abs(*read - milliseconds(ms)) < std::chrono::microseconds(10);
  };
  const int64_t s = ms / 1000;
  const std::string seconds = fmt::format("{}.{:03}s", s, ms % 1000);
  const std::string go = fmt::format("{}h{}m{}.{:03}s", s / 3600, s / 60 % 60, s % 60, ms % 1000);
  const std::string words = fmt::format("{} minutes and {}.{:03} seconds", s / 60, s % 60, ms % 1000);
  for (const std::string& text : {seconds, go, words, fmt::format("{}ms", ms)}) {
    Check(near(ParseServerDuration(text)), text);
    Check(near(ParseRefusalText("Rate limit reached. Please try again in " + text + ". Visit us.").retry_after), text);
    Check(near(ParseRefusalText("please retry after " + text).retry_after), text);
  }
  Check(near(ParseRateLimitHeaders({{"retry-after-ms", fmt::format("{}", ms)}}, kNow).retry_after), "retry-after-ms");
  const RateLimitHeaders read = ParseRateLimitHeaders({{"x-ratelimit-reset-tokens", go}}, kNow);
  Check(near(read.tokens.reset), go);
}

void Test(fuzz::Input input) {
  switch (input.Byte() % 4) {
    case 0:
      return TestText(input.Rest());
    case 1:
      return TestHeaders(input);
    case 2:
      return TestAnswer(input);
    default:
      return TestWritten(input);
  }
}

}  // namespace
}  // namespace holdfast::quota

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::quota::Test(holdfast::fuzz::Input(data, size));
  return 0;
}
