#include "tests/upstream_simulator/simulator.h"

#include "boost/json/parse.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/upstream_simulator/control.h"

namespace holdfast::simulator {
namespace {

namespace json = boost::json;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr Moment kStart{1'000'000'000'000, 1'700'000'000'000};
constexpr char kRequest[] = R"({"model": "o4-mini", "stream": true, "max_output_tokens": 51963, "input": "go"})";

Moment After(std::int64_t ms) { return {kStart.boot_ns + ms * 1'000'000, kStart.wall_ms + ms}; }

class SimulatorTest : public testing::Test {
 protected:
  ControlReply Control(std::string_view method, std::string_view path, std::string_view body = {}) {
    return HandleControl(simulator_, method, path, body, kStart);
  }
  void Ok(std::string_view method, std::string_view path, std::string_view body) {
    const ControlReply reply = Control(method, path, body);
    EXPECT_EQ(reply.status, 200U) << reply.body;
  }
  Reply Send(std::string_view body, Moment now = kStart) {
    const Simulator::Ticket ticket = simulator_.Arrive(Dialect::kResponses, "", std::string(body), now);
    Reply reply = simulator_.Respond(ticket, now);
    simulator_.Finish(ticket.index, now, reply.ending == Ending::kWhole, false);
    return reply;
  }
  json::value Record(std::size_t index) {
    return json::parse(Control("GET", "/requests").body).at("requests").at(index);
  }
  std::int64_t UsedTokens() { return json::parse(Control("GET", "/limits").body).at("tokens").at("used").as_int64(); }

  Simulator simulator_{std::nullopt, kStart};
};

TEST_F(SimulatorTest, ReplaysTheIncident) {
  Ok("PUT", "/limits", R"({"tokens": {"limit": 200000, "used": 160193}})");

  const Reply reply = Send(kRequest);

  EXPECT_EQ(reply.status, 429U);
  EXPECT_THAT(reply.headers, Contains(Pair("retry-after", "4")));
  EXPECT_THAT(reply.headers, Contains(Pair("retry-after-ms", "3646")));
  EXPECT_EQ(
      json::parse(reply.body),
      json::parse(
          R"({"error": {"message": "Rate limit reached for o4-mini in organization org-sim on tokens per min (TPM): )"
          R"(Limit 200000, Used 160193, Requested 51963. Please try again in 3.646s. Visit )"
          R"(https://platform.openai.com/account/rate-limits to learn more.",)"
          R"("type": "tokens", "param": null, "code": "rate_limit_exceeded"}})"));
  const json::value record = Record(0);
  EXPECT_EQ(record.at("admitted"), false);
  EXPECT_EQ(record.at("status"), 429);
  EXPECT_EQ(record.at("wait_ms"), 3646);
  EXPECT_EQ(record.at("used_before"), 160193);
  EXPECT_EQ(record.at("earliest_boot_ns"), kStart.boot_ns + 3'646'800'000);
}

TEST_F(SimulatorTest, HeadersShowTheLevelAfterTheChargeAndAfterSetUsed) {
  Ok("PUT", "/script", R"({"limits": {"tokens": {"limit": 200000}, "requests": {"limit": 500}},
                           "answers": [{"when": {"last_user_contains": "set"}, "set_used": {"tokens": 160193}}]})");
  EXPECT_THAT(Send(kRequest).headers, Contains(Pair("x-ratelimit-remaining-tokens", "148037")));
  const Reply reply = Send(R"({"model": "m", "input": "set"})");
  EXPECT_THAT(reply.headers, Contains(Pair("x-ratelimit-remaining-tokens", "39807")));
  EXPECT_THAT(reply.headers, Contains(Pair("x-ratelimit-remaining-requests", "498")));
  EXPECT_THAT(reply.headers, Contains(Pair("x-ratelimit-limit-requests", "500")));
  EXPECT_EQ(UsedTokens(), 160193);
}

TEST_F(SimulatorTest, ALevelCanBeSetByTheNextRequestHoweverLateItComes) {
  Ok("PUT", "/script", R"({"limits": {"tokens": {"limit": 200000}}, "used_at_next_request": {"tokens": 160193}})");
  Send(kRequest, After(30'000));
  EXPECT_EQ(Record(0).at("wait_ms"), 3646);
  EXPECT_EQ(Send(kRequest, After(33'647)).status, 200U);
}

TEST_F(SimulatorTest, HeadersCanBeSwitchedOff) {
  Ok("PUT", "/limits", R"({"tokens": {"limit": 60000}})");
  Ok("PUT", "/options", R"({"rate_limit_headers": false, "retry_headers": false})");
  EXPECT_THAT(Send(kRequest).headers, Not(Contains(Pair("x-ratelimit-limit-tokens", "60000"))));
  const Reply refusal = Send(kRequest);
  EXPECT_EQ(refusal.status, 429U);
  EXPECT_TRUE(refusal.headers.empty());
}

TEST_F(SimulatorTest, ARefusalAtTheGateCostsNothingAndAFailureBehindItCostsAll) {
  Ok("PUT", "/limits", R"({"tokens": {"limit": 200000}})");
  for (const std::string fault :
       {"429", "429_bare", "insufficient_quota", "too_large", "401", "stream_429", "stream_error"}) {
    Ok("POST", "/faults", R"({"fault": ")" + fault + R"("})");
    Send(kRequest);
    EXPECT_EQ(UsedTokens(), 0) << fault;
  }
  Ok("POST", "/faults", R"({"fault": "503"})");
  EXPECT_EQ(Send(kRequest).status, 503U);
  EXPECT_EQ(UsedTokens(), 51963);
}

TEST_F(SimulatorTest, APushedFaultWaitsForARequestThatTheLimitsAdmit) {
  Ok("PUT", "/limits", R"({"tokens": {"limit": 60000, "used": 60000}})");
  Ok("POST", "/faults", R"({"fault": "cut"})");
  EXPECT_EQ(Send(kRequest).status, 429U);
  EXPECT_EQ(simulator_.faults().size(), 1);
  EXPECT_EQ(Send(kRequest, After(60'000)).ending, Ending::kReset);
  EXPECT_EQ(simulator_.faults().size(), 0);
  EXPECT_EQ(Record(1).at("fault"), "cut");
}

TEST_F(SimulatorTest, AScriptedFaultStrikesEveryTime) {
  Ok("PUT", "/script", R"({"default": {"fault": "500"}})");
  EXPECT_EQ(Send(kRequest).status, 500U);
  EXPECT_EQ(Send(kRequest).status, 500U);
}

TEST_F(SimulatorTest, AnIdenticalResendGetsTheIdenticalAnswer) {
  const Reply first = Send(kRequest);
  const Reply second = Send(kRequest);
  ASSERT_EQ(first.events.size(), second.events.size());
  EXPECT_EQ(first.events.back().bytes, second.events.back().bytes);
}

TEST_F(SimulatorTest, LimitsCanBeRemovedAndReadBack) {
  Ok("PUT", "/limits",
     R"({"tokens": {"limit": 60000, "per": 2, "kind": "fixed", "used": 5}, "requests": {"limit": 3}})");
  Ok("PUT", "/limits", R"({"requests": null})");
  EXPECT_EQ(json::parse(Control("GET", "/limits").body),
            json::parse(R"({"tokens": {"limit": 60000, "per": 2, "kind": "fixed", "used": 5}, "requests": null})"));
}

TEST_F(SimulatorTest, AnswersWithoutLimitsLeaveTheLimitsAlone) {
  Ok("PUT", "/limits", R"({"tokens": {"limit": 60000, "used": 5}})");
  Ok("PUT", "/script", R"({"default": {"text": "new"}})");
  EXPECT_EQ(UsedTokens(), 5);
}

TEST_F(SimulatorTest, KeepsTheRawBodyUntilTold) {
  Send(kRequest);
  EXPECT_EQ(Control("GET", "/requests/0/body").body, kRequest);
  EXPECT_EQ(Record(0).at("body_sha256").as_string(), Sha256(kRequest));
  Ok("DELETE", "/requests", "");
  EXPECT_EQ(Control("GET", "/requests").body, R"({"requests":[],"in_flight":0})");
  EXPECT_EQ(Control("GET", "/requests/0/body").status, 404U);
}

TEST_F(SimulatorTest, ControlNamesWhatIsWrong) {
  EXPECT_THAT(Control("PUT", "/limits", R"({"token": {}})").body, HasSubstr("token: unknown key"));
  EXPECT_THAT(Control("PUT", "/options", R"({"rate_limit_headers": 1})").body, HasSubstr("expected true or false"));
  EXPECT_EQ(Control("PUT", "/limits", "{").status, 400U);
  EXPECT_EQ(Control("GET", "/nothing").status, 404U);
  EXPECT_EQ(Control("GET", "/requests/x/body").status, 404U);
  EXPECT_EQ(Control("GET", "/requests/body").status, 404U);
}

TEST_F(SimulatorTest, AnUnreadableRequestIsRefusedAndRemembered) {
  const Reply reply = Send("{}");
  EXPECT_EQ(reply.status, 400U);
  EXPECT_THAT(reply.body, HasSubstr("'model'"));
  EXPECT_EQ(Record(0).at("status"), 400);
  EXPECT_EQ(Record(0).at("admitted"), false);
}

TEST(SimulatorWithKey, RefusesOtherKeysAndMasksThem) {
  Simulator simulator("sk-right", kStart);
  const Simulator::Ticket wrong = simulator.Arrive(Dialect::kChat, "Bearer sk-wrong-0123456789abcd", kRequest, kStart);
  ASSERT_TRUE(wrong.ready.has_value());
  EXPECT_EQ(wrong.ready->status, 401U);
  EXPECT_THAT(wrong.ready->body, HasSubstr("invalid_api_key"));
  EXPECT_THAT(wrong.ready->body, Not(HasSubstr("0123456789")));
  EXPECT_TRUE(simulator.Authorized("Bearer sk-right"));
  EXPECT_FALSE(simulator.Authorized("sk-right"));
}

}  // namespace
}  // namespace holdfast::simulator
