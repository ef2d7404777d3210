#include "tests/upstream_simulator/rate_window.h"

#include "gtest/gtest.h"
#include "tests/upstream_simulator/limits.h"
#include "tests/upstream_simulator/texts.h"

namespace holdfast::simulator {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kStart = 1'000 * kSecond;

RateWindow Window(WindowKind kind, std::int64_t limit, std::int64_t used, std::int64_t per_ns = 60 * kSecond) {
  return RateWindow({limit, per_ns, kind}, used, kStart, kStart);
}

Limits TokensPerMinute(std::int64_t limit, std::int64_t used) {
  Limits limits(kStart);
  LimitsSetting setting;
  setting.tokens = LimitSetting{{limit, 60 * kSecond, WindowKind::kContinuous}, used};
  limits.Apply(setting, kStart);
  return limits;
}

struct PublicRefusal {
  std::int64_t limit;
  std::int64_t used;
  std::int64_t requested;
  const char* text;
};

class PublicRefusals : public testing::TestWithParam<PublicRefusal> {};

TEST_P(PublicRefusals, AreReproducedToTheMillisecond) {
  const PublicRefusal& row = GetParam();
  Limits limits = TokensPerMinute(row.limit, row.used);

  const std::optional<Refusal> refusal = limits.Admit(row.requested, kStart);

  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->used, row.used);
  EXPECT_EQ(FormatDelay(refusal->wait_ms), row.text);
  EXPECT_EQ(RefusalMessage(*refusal, "o4-mini"),
            "Rate limit reached for o4-mini in organization org-sim on tokens per min (TPM): Limit " +
                std::to_string(row.limit) + ", Used " + std::to_string(row.used) + ", Requested " +
                std::to_string(row.requested) + ". Please try again in " + row.text +
                ". Visit https://platform.openai.com/account/rate-limits to learn more.");
}

INSTANTIATE_TEST_SUITE_P(
    Bucket, PublicRefusals,
    testing::Values(PublicRefusal{200000, 160193, 51963, "3.646s"}, PublicRefusal{200000, 158833, 62431, "6.379s"},
                    PublicRefusal{200000, 162960, 42288, "1.574s"}, PublicRefusal{200000, 150405, 51478, "564ms"},
                    PublicRefusal{30000, 4828, 25212, "80ms"}, PublicRefusal{30000, 22999, 12528, "11.054s"},
                    PublicRefusal{250000, 250000, 143071, "34.337s"}));

TEST(ContinuousWindow, DecaysAtEveryMoment) {
  const RateWindow window = Window(WindowKind::kContinuous, 200000, 160000);
  EXPECT_EQ(window.Used(kStart + 30 * kSecond), 60000);
  EXPECT_EQ(window.Used(kStart + kMs), 159997);
  EXPECT_EQ(window.Used(kStart + 48 * kSecond), 0);
  EXPECT_EQ(window.ResetNs(kStart), 48 * kSecond);
}

TEST(ContinuousWindow, AdmitsExactlyFromTheMomentThatItFits) {
  const RateWindow window = Window(WindowKind::kContinuous, 200000, 160193);
  const std::int64_t fits_from = window.FitsFromNs(51963, kStart);
  EXPECT_EQ(fits_from, kStart + 3'646'800'000);
  EXPECT_FALSE(window.Fits(51963, fits_from - 1));
  EXPECT_TRUE(window.Fits(51963, fits_from));
}

TEST(ContinuousWindow, TellsSinceWhenAChargeWouldHaveFitted) {
  const RateWindow window = Window(WindowKind::kContinuous, 60000, 30000);
  EXPECT_EQ(window.FitsFromNs(20000, kStart), kStart - 10 * kSecond);
  EXPECT_EQ(window.FitsFromNs(20000, kStart + 5 * kSecond), kStart - 10 * kSecond);
}

TEST(ContinuousWindow, ReachesItsLimitAndNotOneMore) {
  RateWindow window = Window(WindowKind::kContinuous, 100, 0);
  window.Charge(60, kStart);
  EXPECT_TRUE(window.Fits(40, kStart));
  EXPECT_FALSE(window.Fits(41, kStart));
}

TEST(SlidingWindow, GivesBackEachChargeAfterItsOwnPeriod) {
  RateWindow window = Window(WindowKind::kSliding, 100, 0);
  window.Charge(60, kStart);
  window.Charge(30, kStart + 20 * kSecond);
  const std::int64_t now = kStart + 30 * kSecond;
  EXPECT_EQ(window.Used(now), 90);
  EXPECT_EQ(window.WaitMs(50, now), 30'000);
  EXPECT_EQ(window.WaitMs(80, now), 50'000);
  EXPECT_EQ(window.FitsFromNs(10, now), kStart + 20 * kSecond);
  EXPECT_EQ(window.ResetNs(now), 50 * kSecond);
  EXPECT_FALSE(window.Fits(50, kStart + 60 * kSecond - 1));
  EXPECT_TRUE(window.Fits(50, kStart + 60 * kSecond));
}

TEST(FixedWindow, ForgetsEverythingAtMultiplesOfItsPeriod) {
  RateWindow window = Window(WindowKind::kFixed, 100, 0);
  window.Charge(90, kStart + 59 * kSecond);
  EXPECT_EQ(window.Used(kStart + 60 * kSecond - 1), 90);
  EXPECT_EQ(window.WaitMs(20, kStart + 59 * kSecond), 1000);
  EXPECT_EQ(window.ResetNs(kStart + 59 * kSecond), kSecond);
  EXPECT_EQ(window.Used(kStart + 60 * kSecond), 0);
  EXPECT_TRUE(window.Fits(100, kStart + 60 * kSecond));
}

TEST(Limits, ARefusalTakesNothing) {
  Limits limits = TokensPerMinute(1000, 900);
  EXPECT_TRUE(limits.Admit(101, kStart).has_value());
  EXPECT_FALSE(limits.Admit(100, kStart).has_value());
}

TEST(Limits, ARefusalByOneLimitTakesNothingFromTheOther) {
  Limits limits = TokensPerMinute(1000, 0);
  LimitsSetting setting;
  setting.requests = LimitSetting{{3, 60 * kSecond, WindowKind::kContinuous}, 3};
  limits.Apply(setting, kStart);

  const std::optional<Refusal> refusal = limits.Admit(10, kStart);

  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->dimension, Dimension::kRequests);
  EXPECT_EQ(FormatDelay(refusal->wait_ms), "20s");
  EXPECT_EQ(limits.tokens()->Used(kStart), 0);
}

TEST(Limits, MoreThanTheLimitItselfNamesNoWait) {
  Limits limits = TokensPerMinute(1000, 0);
  const std::optional<Refusal> refusal = limits.Admit(1001, kStart);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_TRUE(refusal->too_large);
  EXPECT_EQ(RefusalMessage(*refusal, "o4-mini"),
            "Request too large for o4-mini in organization org-sim on tokens per min (TPM): Limit 1000, Requested "
            "1001. The input "
            "or output tokens must be reduced in order to run successfully. Visit "
            "https://platform.openai.com/account/rate-limits to learn more.");
  EXPECT_TRUE(RetryHeaders(*refusal).empty());
}

TEST(Limits, RetryHeadersRoundTheSecondsUp) {
  Limits limits = TokensPerMinute(200000, 160193);
  const Headers expected = {{"retry-after", "4"}, {"retry-after-ms", "3646"}};
  EXPECT_EQ(RetryHeaders(*limits.Admit(51963, kStart)), expected);
}

TEST(Limits, HeadersShowTheLevel) {
  const Limits limits = TokensPerMinute(200000, 160000);
  const Headers expected = {{"x-ratelimit-limit-tokens", "200000"},
                            {"x-ratelimit-remaining-tokens", "40000"},
                            {"x-ratelimit-reset-tokens", "48s"}};
  EXPECT_EQ(limits.RateLimitHeaders(kStart), expected);
}

TEST(Limits, APretendedRefusalObeysTheFormula) {
  const Limits limits = TokensPerMinute(200000, 0);
  const Refusal refusal = limits.Pretend(5000, 2.5);
  EXPECT_EQ((refusal.used + refusal.requested - refusal.limit) * 60000 / refusal.limit, 2500);
  EXPECT_EQ(refusal.wait_ms, 2500);
  EXPECT_EQ(refusal.retry_after_s, 3);
}

TEST(Limits, AChangedLimitKeepsItsLevelUnlessOneIsNamed) {
  Limits limits = TokensPerMinute(1000, 600);
  LimitsSetting setting;
  setting.tokens = LimitSetting{{2000, 60 * kSecond, WindowKind::kSliding}, std::nullopt};
  limits.Apply(setting, kStart);
  EXPECT_EQ(limits.tokens()->Used(kStart), 600);
}

TEST(FormatDelay, WritesWhatOpenAiWrites) {
  EXPECT_EQ(FormatDelay(0), "0s");
  EXPECT_EQ(FormatDelay(120), "120ms");
  EXPECT_EQ(FormatDelay(1000), "1s");
  EXPECT_EQ(FormatDelay(1050), "1.05s");
  EXPECT_EQ(FormatDelay(252'172), "4m12.172s");
  EXPECT_EQ(FormatDelay(360'000), "6m0s");
  EXPECT_EQ(FormatDelay(3'600'000), "1h0m0s");
}

}  // namespace
}  // namespace holdfast::simulator
