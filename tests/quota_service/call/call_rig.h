#pragma once

#include <gmock/gmock.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "quota_service/call/call.h"
#include "quota_service/typed/typed_exchange.h"
#include "tests/fakes/fake_ledger.h"
#include "tests/fakes/fake_upstream.h"
#include "tests/fakes/simulated_loop.h"
#include "tests/quota_service/call/raw_exchange.h"
#include "tests/quota_service/call/spy_exchange.h"
#include "tests/quota_service/call/stream_text.h"

namespace holdfast::quota {

class RecordingObserver final : public CallObserver {
 public:
  void OnAdmitted(const Envelope&, Duration, std::optional<double> error) override { forecast_errors.push_back(error); }
  void OnResponse(const Envelope&, int http_status) override { statuses.push_back(http_status); }
  void OnFirstOutput(const Envelope&, Duration since_sent) override { first_outputs.push_back(since_sent); }
  void OnAttemptFailed(const Envelope&, const UpstreamFailure& failure,
                       const std::optional<TokenUsage>& usage) override {
    failures.push_back(failure.cls);
    if (usage) wasted.push_back(*usage);
  }
  void OnFinished(const Envelope&, const CallOutcome&, Duration) override { ++finished; }

  std::vector<std::optional<double>> forecast_errors;
  std::vector<int> statuses;
  std::vector<Duration> first_outputs;
  std::vector<FailureClass> failures;
  std::vector<TokenUsage> wasted;  // by attempts that failed
  int finished = 0;
};

inline constexpr char kGroup[] = "acme/gpt";

// The tokens per minute of kGroup, and how many calls at once; 0: not limited.
struct Limits {
  int64_t tokens_per_minute = 200'000;
  int64_t concurrent = 0;
};

// All that calls need, simulated: time, ledger, upstream, chance.
class CallRig {
 public:
  // Whatever the ledger says comes `ledger_delay` later.
  explicit CallRig(Limits limits = {}, Duration ledger_delay = Duration::zero());

  CallServices services() {
    return {loop, *budgets, ledger, upstream, retry_budgets, gates, {}, [this] { return chance(); }, observer};
  }
  // One request is answered at once, so that the level is known from then on: `remaining` of `limit` tokens.
  void Learn(int64_t limit, int64_t remaining);
  void SetLedgerAway(bool away) { ledger.RejectNextEnqueues(away ? std::numeric_limits<int>::max() : 0); }
  // At the ledger; takes its delay.
  int64_t Remaining();
  GroupState State();

  // Before the first call.
  void SetBudgets(BudgetOptions options) { budgets = std::make_unique<BudgetGate>(loop, std::move(options)); }

  SimulatedLoop loop;
  std::unique_ptr<BudgetGate> budgets = std::make_unique<BudgetGate>(loop, BudgetOptions());
  const Duration ledger_delay;
  FakeLedger ledger;
  FakeUpstream upstream{loop};
  RetryBudgets retry_budgets;
  AccountGates gates{loop};
  RecordingObserver observer;
  // 0.5 unless replaced: a backoff is then half of its most.
  std::function<double()> chance = [] { return 0.5; };
  Account account;
};

// One call with its exchange, and what its caller saw of it.
class TestCall {
 public:
  struct Ask {
    std::string call_id = "call-1";
    std::string session = {};
    std::string tenant = "default";
    int64_t charge = 1000;
    Duration max_wait = std::chrono::minutes(15);
    std::optional<v1::GenerateRequest> request = std::nullopt;  // of typed calls; absent: MakeRequest()
    std::shared_ptr<Appraisal> appraisal = nullptr;
  };

  TestCall(CallRig& rig, Wire wire, const Ask& ask);
  TestCall(CallRig& rig, Wire wire) : TestCall(rig, wire, Ask{}) {}

  void Start() { call->Start(); }
  // The answer as far as the caller has it and it was not made void.
  std::string Text() const;
  bool finished() const { return !spy->outcomes.empty(); }
  bool completed() const { return finished() && !spy->outcomes.front().failure; }
  const CallFailure& failure() const { return *spy->outcomes.at(0).failure; }

  std::unique_ptr<RawExchange> raw;
  std::unique_ptr<TypedExchange> typed;
  std::unique_ptr<SpyExchange> spy;
  std::unique_ptr<Call> call;
};

Envelope MakeEnvelope(const Account& account, const TestCall::Ask& ask);
v1::GenerateRequest MakeRequest();

// Tests of the state machine: the same over every kind of exchange.
class CallTest : public testing::TestWithParam<Wire> {
 protected:
  bool restarts() const { return GetParam() != Wire::kRawResponses; }
  const StreamText& stream() const { return stream_; }
  Script Good(std::string_view text = "hello") const { return Script::Stream().Body(stream_.Answer(text)).End(); }

 private:
  StreamText stream_{GetParam()};
};

std::string WireName(const testing::TestParamInfo<Wire>& info);

#define HOLDFAST_FOR_EVERY_WIRE(suite)   \
  INSTANTIATE_TEST_SUITE_P(Wires, suite, \
                           testing::Values(Wire::kTypedResponses, Wire::kTypedChat, Wire::kRawResponses), WireName)

}  // namespace holdfast::quota
