#include "bench/policies/limit_watch.h"

#include <gtest/gtest.h>

namespace holdfast::bench {
namespace {

constexpr BootTime kBegin{std::chrono::hours(1)};

Answer MadeAt(BootTime time) {
  Answer answer;
  answer.made = time;
  return answer;
}

TEST(LimitWatch, CountsResponsesOfTheGateAsItIsNow) {
  LimitWatch watch;
  watch.OnChange(kBegin, 200'000, 100'000);
  const BootTime later = kBegin + std::chrono::seconds(2);
  watch.OnAnswer(later, MadeAt(kBegin - std::chrono::milliseconds(1)), {200'000, 0});
  watch.OnAnswer(later, MadeAt(kBegin), {200'000, 0});
  watch.OnAnswer(later, MadeAt(kBegin), {100'000, 0});
  watch.OnAnswer(later, MadeAt(kBegin), {100'000, 0});
  ASSERT_EQ(watch.lessons().size(), 1);
  EXPECT_TRUE(watch.lessons()[0].learnt);
  EXPECT_EQ(watch.lessons()[0].responses, 2);
  EXPECT_EQ(watch.lessons()[0].took, std::chrono::seconds(2));
}

TEST(LimitWatch, AProbeGoesBeyondWhatIsBelieved) {
  LimitWatch watch;
  watch.OnSent({100'000, -5'000});
  watch.OnChange(kBegin, 100'000, 200'000);
  watch.OnSent({100'000, 0});
  watch.OnSent({100'000, -5'000});
  watch.OnAnswer(kBegin, MadeAt(kBegin), {100'000, 0});
  ASSERT_EQ(watch.lessons().size(), 1);
  EXPECT_EQ(watch.lessons()[0].probes, 1);
  EXPECT_FALSE(watch.lessons()[0].learnt);
}

}  // namespace
}  // namespace holdfast::bench
