// A refusal that could not be foreseen is a wait, not a failure.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "tests/e2e/pair.h"

namespace holdfast::test {
namespace {

namespace json = boost::json;

class Absorbed : public testing::Test {
 protected:
  // The first call teaches quota_service a roomy limit; what the test does then it cannot know.
  void Learn() {
    pair_.simulator().SetScript(
        R"({"limits": {"tokens": {"limit": 60000, "used": 0}}, "default": {"text": "The answer."}})");
    auto first = pair_.Exec("hello");
    ASSERT_EQ(first->WaitForExit(), 0) << first->err();
    pair_.simulator().Delete("/requests");
  }

  // Refused once with HTTP 429, and sent again when the server said, not before.
  void ExpectAbsorbed(Process& exec) {
    ASSERT_EQ(exec.WaitForExit(), 0) << exec.err();
    EXPECT_EQ(exec.out(), "The answer.\n");
    EXPECT_NE(exec.err().find("rate limited"), std::string::npos) << exec.err();
    const auto requests = pair_.simulator().Requests();
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[0].at("status"), 429);
    EXPECT_EQ(requests[1].at("status"), 200);
    const double waited = (Number(requests[1], "boot_ns") - Number(requests[0], "boot_ns")) / 1e9;
    EXPECT_GE(waited, Number(requests[0], "wait_ms") / 1000);
    EXPECT_LE(waited, Number(requests[0], "wait_ms") / 1000 + 3);
  }

  Pair pair_;
};

TEST_F(Absorbed, AnotherProgramSpentTheKey) {
  Learn();
  pair_.simulator().SetLimits(R"({"tokens": {"limit": 60000, "used": 64000}})");
  auto exec = pair_.Exec("hello");
  ExpectAbsorbed(*exec);
}

TEST_F(Absorbed, TheLimitWasLowered) {
  Learn();
  pair_.simulator().SetLimits(R"({"tokens": {"limit": 20000, "used": 20000}})");
  auto exec = pair_.Exec("hello");
  ExpectAbsorbed(*exec);
}

TEST_F(Absorbed, TheRefusalCameInsideTheStream) {
  Learn();
  pair_.simulator().PushFault(R"({"fault": "stream_429", "count": 1, "seconds": 1})");
  auto exec = pair_.Exec("hello");
  ASSERT_EQ(exec->WaitForExit(), 0) << exec->err();
  EXPECT_EQ(exec->out(), "The answer.\n");
  EXPECT_EQ(pair_.simulator().Requests().size(), 2u);
}

TEST_F(Absorbed, TheUpstreamWasOverloadedThreeTimes) {
  Learn();
  pair_.simulator().PushFault(R"({"fault": "503", "count": 3})");
  auto exec = pair_.Exec("hello");
  ASSERT_EQ(exec->WaitForExit(), 0) << exec->err();
  EXPECT_EQ(exec->out(), "The answer.\n");
  EXPECT_EQ(pair_.simulator().Requests().size(), 4u);
}

}  // namespace
}  // namespace holdfast::test
