#include "bench/policies/text.h"

#include <gtest/gtest.h>

#include "bench/policies/result.h"

namespace holdfast::bench {
namespace {

TEST(Text, RatiosHaveTheQuantilesThatWereMeasured) {
  World world(1);
  for (const TextKind& kind : kTextKinds) {
    std::vector<double> ratios;
    for (int i = 0; i < 20'000; ++i) {
      const double bytes = DrawCharacters(world, kind, 1'000) * kind.bytes_per_character;
      ratios.push_back(bytes / 4 / 1'000);
    }
    EXPECT_NEAR(Quantile(ratios, 0.05), kind.p5, 0.02) << kind.name;
    EXPECT_NEAR(Quantile(ratios, 0.5), kind.median, 0.02) << kind.name;
    EXPECT_NEAR(Quantile(ratios, 0.95), kind.p95, 0.02) << kind.name;
  }
}

}  // namespace
}  // namespace holdfast::bench
