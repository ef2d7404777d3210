#include "tests/support/simulator_control.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/http_call.h"

namespace holdfast::test {
namespace {

constexpr char kRequest[] = R"({"model":"m","input":"hello","stream":false})";

TEST(SimulatorControl, ScriptsTheSimulatorAndReportsWhatItWasAsked) {
  SimulatorProcess simulator;
  simulator.control().SetScript(R"({"default":{"text":"scripted"}})");
  const auto reply = HttpCall("POST", simulator.url() + "/responses", kRequest);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->status, 200);
  EXPECT_NE(reply->body.find("scripted"), std::string::npos);

  ASSERT_TRUE(simulator.control().AwaitRequestCount(1));
  const auto requests = simulator.control().Requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].at("model"), "m");
  EXPECT_EQ(simulator.control().RequestBody(requests[0].at("index").as_int64()).at("input"), "hello");
}

TEST(SimulatorControl, PushesFaultsAndSetsLimits) {
  SimulatorProcess simulator;
  simulator.control().PushFault(R"({"fault":"503"})");
  EXPECT_EQ(HttpCall("POST", simulator.url() + "/responses", kRequest)->status, 503);
  simulator.control().SetLimits(R"({"tokens":{"limit":100,"used":100}})");
  EXPECT_EQ(HttpCall("POST", simulator.url() + "/responses", kRequest)->status, 429);
  EXPECT_FALSE(simulator.control().AwaitRequestCount(3, std::chrono::milliseconds(20)));
}

TEST(SimulatorControl, FailsTheTestWhereTheSimulatorRefuses) {
  SimulatorProcess simulator;
  EXPECT_NONFATAL_FAILURE(simulator.control().SetScript(R"({"no such key":1})"), "no such key");
}

TEST(SimulatorProcess, EndsOnSigterm) {
  SimulatorProcess simulator;
  simulator.process().Signal(SIGTERM);
  EXPECT_EQ(simulator.process().WaitForExit(), 0);
  EXPECT_FALSE(HttpCall("GET", simulator.url() + "/models").ok());
}

}  // namespace
}  // namespace holdfast::test
