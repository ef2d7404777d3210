#include "clients/cli/terminal/wait_line.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

quota::v1::Wait RateLimit(const char* dimension, int64_t limit, double window) {
  quota::v1::Wait wait;
  wait.set_reason(quota::v1::WAIT_REASON_RATE_LIMIT);
  wait.set_dimension(dimension);
  wait.set_limit(limit);
  wait.set_window_seconds(window);
  wait.set_used(160193);
  wait.set_requested(51963);
  wait.set_position(1);
  return wait;
}

TEST(WaitLine, NamesTheTokensPerMinute) {
  EXPECT_EQ(WaitLine(RateLimit("tokens", 200000, 60), 3.646),
            "rate limited (TPM 200000: 160193 used, 51963 needed) · resuming in 3.6s · position 1 · context saved");
}

TEST(WaitLine, ShowsTheNearestTenth) {
  const auto shown = [](double seconds) { return WaitLine(RateLimit("tokens", 200000, 60), seconds); };
  EXPECT_NE(shown(3.592).find("in 3.6s"), std::string::npos);
  EXPECT_NE(shown(3.55).find("in 3.6s"), std::string::npos);
  EXPECT_NE(shown(3.549).find("in 3.5s"), std::string::npos);
  EXPECT_NE(shown(9.99).find("in 10s"), std::string::npos);
  EXPECT_NE(shown(0.564).find("in 564ms"), std::string::npos);
  EXPECT_NE(shown(11.9).find("in 11s"), std::string::npos);
}

TEST(WaitLine, NamesOtherWindowsInWords) {
  EXPECT_EQ(LimitName("requests", 60), "RPM");
  EXPECT_EQ(LimitName("tokens", 2), "tokens per 2s");
  EXPECT_EQ(LimitName("requests", 0.5), "requests per 0.5s");
  EXPECT_EQ(LimitName("tokens", 86400), "tokens per 24h");
  EXPECT_EQ(LimitName("tokens", 300), "tokens per 5m");
  EXPECT_EQ(LimitName("concurrent", 0), "concurrent");
}

TEST(WaitLine, LeavesOutALimitThatIsNotKnown) {
  quota::v1::Wait wait = RateLimit("tokens", 0, 60);
  wait.set_detail("learnt from a refusal");
  EXPECT_EQ(WaitLine(wait, 12), "rate limited (learnt from a refusal) · resuming in 12s · position 1 · context saved");
}

TEST(WaitLine, SaysWhatTheUpstreamSaid) {
  quota::v1::Wait wait;
  wait.set_reason(quota::v1::WAIT_REASON_BACKOFF);
  wait.set_detail("503");
  wait.set_position(2);
  EXPECT_EQ(WaitLine(wait, 1.21), "upstream failed (503) · trying again in 1.2s · position 2 · context saved");
}

TEST(WaitLine, LeavesOutAPositionThatIsNotKnown) {
  quota::v1::Wait wait;
  wait.set_reason(quota::v1::WAIT_REASON_QUOTA_SERVICE);
  EXPECT_EQ(WaitLine(wait, 0.5), "quota_service unreachable · trying again in 500ms · context saved");
}

TEST(WaitLine, SaysThatItIsTheTenantsBudget) {
  quota::v1::Wait wait = RateLimit("tokens", 50'000'000, 86400);
  wait.set_reason(quota::v1::WAIT_REASON_BUDGET);
  EXPECT_EQ(WaitLine(wait, 7500),
            "budget of the day (50000000 tokens: 160193 used, 51963 needed) · resuming in 2h05m · position 1 · context "
            "saved");
  EXPECT_EQ(WaitReasonName(wait.reason()), "budget");
}

TEST(WaitLine, CountsDownToNow) {
  EXPECT_EQ(WaitLine(RateLimit("requests", 500, 60), 0),
            "rate limited (RPM 500: 160193 used, 51963 needed) · resuming now · position 1 · context saved");
}

TEST(WaitLine, AReasonFromTheFutureIsStillAWait) {
  quota::v1::Wait wait;
  wait.set_reason(static_cast<quota::v1::WaitReason>(77));
  EXPECT_EQ(WaitLine(wait, 2), "waiting · resuming in 2.0s · context saved");
  EXPECT_EQ(WaitReasonName(wait.reason()), "unspecified");
}

}  // namespace
}  // namespace holdfast::cli
