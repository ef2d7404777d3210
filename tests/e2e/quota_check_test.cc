// `holdfast quota check` tells a CI job whether there is quota, and spends none.
#include <gtest/gtest.h>

#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

class QuotaCheck : public testing::Test {
 protected:
  // One answer whose headers leave the bucket with this much used.
  void Leave(int64_t used) {
    pair_.simulator().SetScript(R"({"limits": {"tokens": {"limit": 100000, "used": 0}},
                                    "answers": [{"text": "ok", "set_used": {"tokens": )" +
                                std::to_string(used) + "}}]}");
    auto exec = pair_.Exec("hello");
    ASSERT_EQ(exec->WaitForExit(), 0) << exec->err();
    pair_.simulator().Delete("/requests");
  }

  struct Outcome {
    int exit;
    std::string out;
  };
  Outcome Check(int64_t tokens, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"quota", "check", "--model", "o4-mini", "--tokens", std::to_string(tokens)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto check = pair_.Cli(arguments);
    const int exit = check->WaitForExit().value_or(-1);
    return {exit, check->out()};
  }

  Pair pair_;
};

TEST_F(QuotaCheck, ADrainedBucketExits75WithTheSeconds) {
  Leave(100000);
  const Outcome outcome = Check(50000);
  EXPECT_EQ(outcome.exit, 75);
  // 30 s from the answer on, less what was refilled since.
  EXPECT_GT(std::stod(outcome.out), 25);
  EXPECT_LE(std::stod(outcome.out), 30.2);
}

TEST_F(QuotaCheck, AFullBucketExits0) {
  Leave(0);
  EXPECT_EQ(Check(50000).exit, 0);
}

TEST_F(QuotaCheck, ABucketThatIsTooSmallExits76) {
  Leave(0);
  EXPECT_EQ(Check(100001).exit, 76);
}

TEST_F(QuotaCheck, AWaitWithinMaxWaitExits0) {
  Leave(100000);
  EXPECT_EQ(Check(10000, {"--max-wait", "1m"}).exit, 0);
  EXPECT_EQ(Check(50000, {"--max-wait", "1s"}).exit, 75);
}

TEST_F(QuotaCheck, ConsumesNothing) {
  Leave(0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Check(90000).exit, 0);
  EXPECT_TRUE(pair_.simulator().Requests().empty());
}

TEST_F(QuotaCheck, AnUnreachableServiceExits69) {
  pair_.KillQuota();
  EXPECT_EQ(Check(1).exit, 69);
}

}  // namespace
}  // namespace holdfast::test
