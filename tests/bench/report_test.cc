#include "bench/policies/report.h"

#include <gmock/gmock.h>

namespace holdfast::bench {
namespace {

using testing::HasSubstr;

std::vector<Result> Died(std::initializer_list<int> numbers) {
  std::vector<Result> seeds;
  for (const int number : numbers) seeds.emplace_back().sessions_died = number;
  return seeds;
}

double DiedOf(const Result& result) { return result.sessions_died; }

TEST(Report, SpansTheSeeds) {
  EXPECT_EQ(RangeOf(Died({3, 1, 2}), DiedOf, 0), "1–3");
  EXPECT_EQ(RangeOf(Died({2, 2}), DiedOf, 1), "2.0");
  EXPECT_EQ(RangeOf({}, DiedOf, 1), "–");
}

TEST(Report, HasARowForEachPolicyAndNoForecastWhereThereWasNone) {
  const std::string table = TableOf({Row{"first", Died({1})}, Row{"second", Died({2})}});
  EXPECT_THAT(table, HasSubstr("| first |"));
  EXPECT_THAT(table, HasSubstr("| second |"));
  EXPECT_THAT(table, HasSubstr("| – | – |"));
}

TEST(Report, SaysWhatWasNotLearnt) {
  Result result;
  result.lessons.resize(1);
  result.lessons[0].from = 1;
  result.lessons[0].to = 2;
  EXPECT_THAT(LessonsOf({Row{"ours", {result}}}), HasSubstr("NOT LEARNT"));
}

}  // namespace
}  // namespace holdfast::bench
