#include "clients/cli/commands/quota_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace holdfast::cli {
namespace {

using quota::v1::GetHeadroomResponse;

GetHeadroomResponse MustWait(double seconds) {
  GetHeadroomResponse response;
  response.set_verdict(GetHeadroomResponse::MUST_WAIT);
  response.mutable_wait()->set_seconds(seconds);
  response.set_limits_known(true);
  response.set_largest_admissible_tokens(200000);
  return response;
}

TEST(Judge, SecondsAreRoundedUpButExactOnesStay) {
  EXPECT_DOUBLE_EQ(Judge(MustWait(3.646), Duration::zero()).seconds, 3.646);
  EXPECT_DOUBLE_EQ(Judge(MustWait(3.6461), Duration::zero()).seconds, 3.647);
  EXPECT_DOUBLE_EQ(Judge(MustWait(-1), Duration::zero()).seconds, 0);
}

TEST(Judge, AWaitWithinTheBoundFits) {
  EXPECT_EQ(Judge(MustWait(3.646), Duration::zero()).exit_code, 75);
  EXPECT_EQ(Judge(MustWait(3.646), std::chrono::seconds(3)).exit_code, 75);
  EXPECT_EQ(Judge(MustWait(3.646), std::chrono::seconds(4)).exit_code, 0);
}

TEST(Judge, TheOtherVerdicts) {
  GetHeadroomResponse response;
  EXPECT_EQ(Judge(response, Duration::zero()).exit_code, 1);
  response.set_verdict(GetHeadroomResponse::FITS_NOW);
  EXPECT_EQ(Judge(response, Duration::zero()).exit_code, 0);
  response.set_verdict(GetHeadroomResponse::NEVER_FITS);
  EXPECT_EQ(Judge(response, std::chrono::hours(1)).exit_code, 76);
}

TEST(HeadroomText, NamesTheLargestThatFits) {
  GetHeadroomResponse response;
  response.set_verdict(GetHeadroomResponse::NEVER_FITS);
  response.set_limits_known(true);
  response.set_largest_admissible_tokens(200000);
  EXPECT_EQ(HeadroomText(response, Judge(response, Duration::zero()), 300000),
            "300000 tokens can never fit; the largest that fits is 200000");
}

TEST(HeadroomText, SaysThatItIsTheBudget) {
  GetHeadroomResponse response = MustWait(60);
  response.set_limits_known(true);
  response.mutable_wait()->set_reason(quota::v1::WAIT_REASON_BUDGET);
  EXPECT_EQ(HeadroomText(response, Judge(response, Duration::zero()), 5),
            "5 tokens fit in 60.000 seconds, when the tenant's budget of the day begins anew");
  response.set_verdict(GetHeadroomResponse::NEVER_FITS);
  response.set_largest_admissible_tokens(4);
  response.set_limits_known(false);
  EXPECT_EQ(HeadroomText(response, Judge(response, Duration::zero()), 5),
            "5 tokens can never fit the tenant's budget of a day; the largest that fits is 4");
}

TEST(StatusText, NamesTheGroupOfRequestsWithoutAModel) {
  quota::v1::WatchStatusResponse status;
  auto* upstream = status.add_upstreams();
  upstream->set_name("openai");
  upstream->add_groups()->set_name("openai/");
  EXPECT_THAT(StatusText(status), testing::HasSubstr("  openai/(no model)  0 queued"));
}

TEST(HeadroomText, SaysThatAGuessIsAGuess) {
  GetHeadroomResponse response;
  response.set_verdict(GetHeadroomResponse::FITS_NOW);
  EXPECT_EQ(HeadroomText(response, Judge(response, Duration::zero()), 5),
            "5 tokens fit now (a guess: nothing is known of the limits yet)");
}

TEST(StatusText, ShowsLimitsAndQueues) {
  quota::v1::WatchStatusResponse status;
  auto* upstream = status.add_upstreams();
  upstream->set_name("openai");
  auto* group = upstream->add_groups();
  group->set_name("openai/o4-mini");
  group->set_queued(3);
  group->set_in_flight(2);
  group->set_wait_seconds(3.6);
  auto* limit = group->add_limits();
  limit->set_dimension("tokens");
  limit->set_limit(200000);
  limit->set_window_seconds(60);
  limit->set_remaining(39807);
  limit->set_source("headers");
  EXPECT_EQ(StatusText(status),
            "openai\n  openai/o4-mini  3 queued, 2 in flight, next in 3.6s\n    TPM 200000: 39807 left (learnt from "
            "headers)\n");
}

quota::v1::WatchStatusResponse WithWaiters() {
  quota::v1::WatchStatusResponse status;
  auto* group = status.add_upstreams()->add_groups();
  status.mutable_upstreams(0)->set_name("openai");
  group->set_name("openai/o4-mini");
  group->set_queued(14);
  group->set_visible(3);
  auto* first = group->add_waiters();
  first->set_tenant("web-team");
  first->set_session("s-1");
  first->set_position(1);
  first->set_seconds(3.6);
  first->set_least_seconds(2.5);
  first->set_most_seconds(75);
  first->set_requested(51963);
  first->set_waited_seconds(0.25);
  first->set_reason(quota::v1::WAIT_REASON_RATE_LIMIT);
  auto* second = group->add_waiters();
  second->set_tenant("web-team");
  second->set_session("a-longer-name\x1b[2J");
  second->set_position(12);
  second->set_seconds(20);
  second->set_requested(7);
  second->set_reason(quota::v1::WAIT_REASON_LEARNING);
  return status;
}

TEST(StatusText, ShowsWhoWaitsWithPositionsAndForecasts) {
  EXPECT_EQ(StatusText(WithWaiters()),
            "openai\n"
            "  openai/o4-mini  14 queued, 0 in flight\n"
            "    #   tenant    session        runs in  4 of 5 within  tokens  waited  reason\n"
            "    1   web-team  s-1            3.6s     2.5s to 1m15s  51963   250ms   rate_limit\n"
            "    12  web-team  a-longer-name  20s      -              7       0ms     learning\n"
            "    and 1 more\n");
}

TEST(StatusJson, HasWhoWaits) {
  const boost::json::object status = StatusJson(WithWaiters());
  const boost::json::value& group = status.at("upstreams").at(0).at("groups").at(0);
  EXPECT_EQ(group.at("visible"), 3);
  EXPECT_EQ(boost::json::serialize(group.at("waiters").at(0)),
            R"({"tenant":"web-team","session":"s-1","position":1,"seconds":3.6E0,"least_seconds":2.5E0,)"
            R"("most_seconds":7.5E1,"requested":51963,"waited_seconds":2.5E-1,"reason":"rate_limit"})");
}

quota::v1::WatchStatusResponse WithBudget() {
  quota::v1::WatchStatusResponse status;
  status.add_upstreams()->set_name("openai");
  auto* budget = status.add_budgets();
  budget->set_tenant("web-team");
  budget->set_tokens_per_day(50'000'000);
  budget->set_spent(41'000'000);
  budget->set_reserved(120'000);
  budget->set_warned(true);
  budget->set_waiting(2);
  budget->set_reset_seconds(3725);
  budget->mutable_reset_at()->set_seconds(1'700'006'400);
  return status;
}

TEST(StatusText, ShowsBudgetsAndMarksThoseThatWarn) {
  EXPECT_EQ(StatusText(WithBudget()),
            "openai\nbudgets of the day (UTC)\n"
            "  web-team  41000000 of 50000000 tokens spent (82 %), 120000 reserved, 2 waiting, reset in 1h02m  !\n");
}

TEST(StatusJson, HasBudgets) {
  EXPECT_EQ(boost::json::serialize(StatusJson(WithBudget()).at("budgets")),
            R"([{"tenant":"web-team","tokens_per_day":50000000,"spent":41000000,"reserved":120000,"warned":true,)"
            R"("reset_seconds":3.725E3,"reset_at":"2023-11-15T00:00:00Z","waiting":2,"waiters":[]}])");
}

TEST(StatusText, SaysWhatIsWrongWithAnUpstream) {
  quota::v1::WatchStatusResponse status;
  auto* upstream = status.add_upstreams();
  upstream->set_name("openai");
  upstream->set_unusable("refuses the key");
  upstream->add_troubles("fails for all calls");
  EXPECT_EQ(StatusText(status), "openai  unusable: refuses the key\n  fails for all calls\n");
  const auto json = StatusJson(status);
  const auto& shown = json.at("upstreams").as_array().at(0);
  EXPECT_EQ(shown.at("unusable").as_string(), "refuses the key");
  EXPECT_EQ(boost::json::serialize(shown.at("troubles")), R"(["fails for all calls"])");
}

}  // namespace
}  // namespace holdfast::cli
