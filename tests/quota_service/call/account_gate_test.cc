#include "quota_service/call/account_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/fakes/simulated_loop.h"

namespace holdfast::quota {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Holder final : public AccountGate::Caller {
 public:
  bool OnGateMoved(int /*ahead*/) override { return false; }
};

class AccountGateTest : public testing::Test {
 protected:
  UpstreamFailure Failure(FailureClass cls, int http_status, const std::string& code, const std::string& message) {
    UpstreamFailure failure;
    failure.cls = cls;
    failure.http_status = http_status;
    failure.code = code;
    failure.message = message;
    return failure;
  }

  SimulatedLoop loop_;
  std::vector<std::string> told_;
  AccountGates gates_{loop_, {}, [this](const std::string& account, const UpstreamFailure* failure, int64_t failed) {
                        told_.push_back(failure != nullptr ? account + ": " + DescribeCause(*failure)
                                                           : account + " after " + std::to_string(failed));
                      }};
  Holder holder_;
};

TEST_F(AccountGateTest, TheFirstFailureIsToldWithItsCauseAndTheNextAnswerEndsIt) {
  AccountGate& gate = gates_.Of("acme");
  const AccountGate::CallId call = gate.Enter(&holder_);
  const UpstreamFailure refused = Failure(FailureClass::kTransport, 0, "", "Connection refused");
  gate.OnFailed(call, "m", refused);
  gate.OnFailed(call, "m", refused);
  EXPECT_THAT(told_, ElementsAre("acme: Connection refused"));
  gate.OnAnswered(call);
  EXPECT_THAT(told_, ElementsAre("acme: Connection refused", "acme after 2"));
}

TEST_F(AccountGateTest, HeadersAreNoAnswer) {
  AccountGate& gate = gates_.Of("acme");
  const AccountGate::CallId call = gate.Enter(&holder_);
  gate.OnFailed(call, "m", Failure(FailureClass::kOverloaded, 503, "", "busy"));
  gate.OnHeaders(call, "m", 200);
  EXPECT_THAT(told_, ElementsAre("acme: HTTP 503"));
}

TEST_F(AccountGateTest, ARefusalIsAnAnswer) {
  AccountGate& gate = gates_.Of("acme");
  const AccountGate::CallId call = gate.Enter(&holder_);
  gate.OnFailed(call, "m", Failure(FailureClass::kRateLimited, 429, "rate_limit_exceeded", "wait"));
  EXPECT_THAT(told_, IsEmpty());
  gate.OnFailed(call, "m", Failure(FailureClass::kOverloaded, 0, "server_error", "somebody's prompt"));
  gate.OnFailed(call, "m", Failure(FailureClass::kRateLimited, 429, "rate_limit_exceeded", "wait"));
  EXPECT_THAT(told_, ElementsAre("acme: overloaded (server_error)", "acme after 1"));
}

}  // namespace
}  // namespace holdfast::quota
