#include "tests/quota_service/service/quota_server_test_base.h"

namespace holdfast::quota {
namespace {

using std::chrono::hours;
using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

// Long enough to reach past any midnight.
v1::GenerateRequest Patient(v1::GenerateRequest request) {
  request.mutable_max_wait()->set_seconds(25 * 3600);
  return request;
}

class BudgetTest : public QuotaServerTestBase {
 protected:
  static constexpr int64_t kBudget = 3000;

  BudgetTest() {
    TenantConfig a{"a", "token-a"};
    a.tokens_per_day = kBudget;
    TenantConfig b{"b", "token-b"};
    b.tokens_per_day = kBudget;
    config_.tenants = {a, b, {"c", "token-c"}};
    config_.services = {{"agent", "token-agent"}};
  }
  // Answers that leave little of a's budget: what the upstream counts is a little more than the charge.
  void SpendNearlyAll() {
    ASSERT_TRUE(Generate(Request("spends", std::string(kBudget * 4 * 9 / 10, 'x')), "token-a").status.ok());
  }
};

TEST_F(BudgetTest, WhatIsSpentIsToldToItsTenantAndToServicesAndToNobodyElse) {
  StartServer();
  SpendNearlyAll();
  const v1::WatchStatusResponse own = Status("token-a");
  ASSERT_THAT(own.budgets(), SizeIs(1));
  EXPECT_EQ(own.budgets(0).tenant(), "a");
  EXPECT_EQ(own.budgets(0).tokens_per_day(), kBudget);
  EXPECT_GT(own.budgets(0).spent(), kBudget * 8 / 10);
  EXPECT_EQ(own.budgets(0).reserved(), 0);
  EXPECT_TRUE(own.budgets(0).warned());
  EXPECT_GT(own.budgets(0).reset_seconds(), 0);
  EXPECT_LE(own.budgets(0).reset_seconds(), 86400);
  EXPECT_EQ(own.budgets(0).reset_at().seconds() % 86400, 0) << "midnight, UTC";
  EXPECT_THAT(Status("token-b").budgets(), SizeIs(1));
  EXPECT_EQ(Status("token-b").budgets(0).spent(), 0);
  EXPECT_THAT(Status("token-c").budgets(), SizeIs(0)) << "it has none";
  EXPECT_THAT(Status("token-agent").budgets(), SizeIs(2));
}

TEST_F(BudgetTest, ABudgetThatIsGoneIsResourceExhaustedWithTheResetAndItsName) {
  StartServer();
  SpendNearlyAll();
  const grpc::Status status = Generate(Request("more", std::string(4000, 'x')), "token-a").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("budget"), HasSubstr("tenant a"), HasSubstr("3000")));
  const ErrorDetails details = DetailsOf(status);
  ASSERT_TRUE(details.retry_delay);
  EXPECT_LE(*details.retry_delay, hours(24));
  ASSERT_THAT(details.violations, SizeIs(1));
  EXPECT_EQ(details.violations[0].subject, "tenant:a");
  EXPECT_EQ(details.violations[0].metric, "tokens_per_day");
  EXPECT_EQ(details.violations[0].value, kBudget);
  EXPECT_EQ(Sent(), 1U);
  EXPECT_TRUE(Generate(Request("other"), "token-b").status.ok()) << "another tenant's is another one";
}

TEST_F(BudgetTest, WhoIsPatientWaitsAndKnowsWhatFor) {
  StartServer();
  SpendNearlyAll();
  const auto reader = Open(Patient(Request("more", std::string(4000, 'x'))), "token-a");
  std::vector<v1::GenerateEvent> events;
  ASSERT_TRUE(reader->ReadUntil(v1::GenerateEvent::kWait, &events));
  const v1::Wait& wait = events.back().wait();
  EXPECT_EQ(wait.reason(), v1::WAIT_REASON_BUDGET);
  EXPECT_EQ(wait.scope(), "tenant:a");
  EXPECT_EQ(wait.dimension(), "tokens");
  EXPECT_EQ(wait.limit(), kBudget);
  EXPECT_EQ(wait.window_seconds(), 86400);
  EXPECT_EQ(wait.position(), 1);
  EXPECT_GT(wait.seconds(), 0);
  EXPECT_NEAR(wait.most_seconds(), wait.seconds(), 1e-6);
  EXPECT_NEAR(static_cast<double>(wait.retry_at().seconds() % 86400), 0, 1) << "midnight";
  const v1::WatchStatusResponse status = Status("token-a");
  ASSERT_EQ(status.budgets(0).waiting(), 1);
  ASSERT_THAT(status.budgets(0).waiters(), SizeIs(1));
  EXPECT_EQ(status.budgets(0).waiters(0).session(), "more");
  EXPECT_EQ(status.budgets(0).waiters(0).reason(), v1::WAIT_REASON_BUDGET);
  EXPECT_TRUE(Generate(Request("small"), "token-a").status.ok()) << "what still fits is not held up";
  reader->context.TryCancel();
}

TEST_F(BudgetTest, WhatIsLargerThanADayCanNeverFit) {
  StartServer();
  const grpc::Status status = Generate(Patient(Request("c1", std::string(4 * kBudget, 'x'))), "token-a").status;
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  ASSERT_THAT(DetailsOf(status).violations, SizeIs(1));
  EXPECT_EQ(DetailsOf(status).violations[0].metric, "tokens_per_day");
  EXPECT_EQ(DetailsOf(status).violations[0].value, kBudget);
}

TEST_F(BudgetTest, HeadroomKnowsTheBudget) {
  StartServer();
  SpendNearlyAll();
  v1::GetHeadroomRequest request;
  request.set_model("m");
  const auto ask = [&](int64_t tokens) {
    request.set_tokens(tokens);
    v1::GetHeadroomResponse response;
    EXPECT_TRUE(Ask(&v1::QuotaService::Stub::GetHeadroom, request, &response, "token-a").ok());
    return response;
  };
  EXPECT_EQ(ask(1).verdict(), v1::GetHeadroomResponse::FITS_NOW);
  const v1::GetHeadroomResponse wait = ask(1000);
  EXPECT_EQ(wait.verdict(), v1::GetHeadroomResponse::MUST_WAIT);
  EXPECT_EQ(wait.wait().reason(), v1::WAIT_REASON_BUDGET);
  EXPECT_EQ(wait.wait().scope(), "tenant:a");
  EXPECT_EQ(ask(kBudget + 1).verdict(), v1::GetHeadroomResponse::NEVER_FITS);
  EXPECT_EQ(ask(kBudget + 1).largest_admissible_tokens(), kBudget);
  EXPECT_EQ(ask(kBudget + 1).wait().reason(), v1::WAIT_REASON_BUDGET);
}

TEST_F(BudgetTest, TheWarningAndTheBudgetAreMetrics) {
  StartServer();
  SpendNearlyAll();
  const BootTime give_up = BootClock::now() + test::kPatience;
  std::string page;
  do {
    page = Metrics();
  } while (page.find("holdfast_budget_warnings_total{tenant=\"a\"} 1") == std::string::npos &&
           BootClock::now() < give_up);
  EXPECT_THAT(page, HasSubstr("holdfast_budget_warnings_total{tenant=\"a\"} 1"));
  EXPECT_THAT(page, HasSubstr("holdfast_budget_tokens{tenant=\"b\"} 3000"));
}

}  // namespace
}  // namespace holdfast::quota
