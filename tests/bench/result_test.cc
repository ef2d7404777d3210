#include "bench/policies/result.h"

#include <gtest/gtest.h>

namespace holdfast::bench {
namespace {

TEST(Result, JainIsOneWhereAllHaveWhatTheirWeightsAskFor) {
  Result result;
  result.sessions["a"] = {.weight = 1, .tokens = 10};
  result.sessions["b"] = {.weight = 5, .tokens = 50};
  EXPECT_DOUBLE_EQ(result.Jain(), 1);
  result.sessions["b"].tokens = 0;
  EXPECT_DOUBLE_EQ(result.Jain(), 0.5);
}

TEST(Result, QuantilesNeedNoOrder) {
  EXPECT_EQ(Quantile({5, 1, 4, 2, 3}, 0.5), 3);
  EXPECT_EQ(Quantile({5, 1, 4, 2, 3}, 1), 5);
  EXPECT_EQ(Quantile({}, 0.5), 0);
}

TEST(Result, KnowsWhoFinishedNothing) {
  Result result;
  result.sessions["a"].tasks_done = 3;
  result.sessions["b"].tasks_done = 0;
  EXPECT_EQ(result.without_task(), 1);
}

}  // namespace
}  // namespace holdfast::bench
