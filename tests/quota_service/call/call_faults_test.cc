// Calls under faults drawn at random: whatever the upstream, the ledger and the callers do, each call ends once, tells
// its caller a whole answer or none, and leaves nothing behind.
#include <gmock/gmock.h>

#include <chrono>
#include <random>

#include "tests/quota_service/call/call_rig.h"

namespace holdfast::quota {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class RandomFaults {
 public:
  explicit RandomFaults(uint64_t seed)
      : generator_(seed),
        rig_({.tokens_per_minute = Pick({0, 2'000, 200'000}), .concurrent = Pick({0, 0, 1, 3})},
             milliseconds(Pick({0, 0, 30}))) {
    rig_.chance = [this] { return std::uniform_real_distribution<double>(0, 1)(generator_); };
    rig_.account.stall_timeout = seconds(Pick({5, 60}));
    rig_.account.run_timeout = seconds(Pick({20, 3600}));
    rig_.upstream.set_otherwise([this] { return Answer(); });
  }

  void Run() {
    const int64_t count = Pick({1, 2, 5});
    const Wire wire = static_cast<Wire>(Pick({0, 1, 2}));
    stream_ = StreamText(wire);
    for (int64_t i = 0; i < count; ++i) Begin(wire, i);
    Meddle();
    // Every call ends by its allowance, its stalls and its runs; this is more steps than any needs.
    for (int step = 0; step < 200'000 && !AllFinished() && rig_.loop.AdvanceToNextTimer(); ++step) {
    }
    Check();
  }

 private:
  int64_t Pick(std::initializer_list<int64_t> values) {
    return *(values.begin() + std::uniform_int_distribution<size_t>(0, values.size() - 1)(generator_));
  }
  Duration Moment(Duration most) {
    return Duration(std::uniform_int_distribution<int64_t>(0, most.count())(generator_));
  }

  void Begin(Wire wire, int64_t number) {
    TestCall::Ask ask;
    ask.call_id = "call-" + std::to_string(number);
    ask.charge = Pick({0, 10, 900, 1'900, 3'000});
    ask.max_wait = seconds(Pick({0, 1, 30, 300}));
    calls_.push_back(std::make_unique<TestCall>(rig_, wire, ask));
    asks_.push_back(ask);
    At(Moment(seconds(20)), [call = calls_.back().get()] {
      if (call->call) call->Start();
    });
  }

  // What else happens: a ledger that goes and comes back, callers that cancel, a machine that sleeps.
  void Meddle() {
    ledger_goes_ = Pick({0, 0, 1}) == 1;
    if (ledger_goes_) {
      At(Moment(seconds(30)), [this] { rig_.SetLedgerAway(true); });
      At(seconds(30) + Moment(seconds(60)), [this] { rig_.SetLedgerAway(false); });
    }
    for (const auto& call : calls_) {
      switch (Pick({0, 1, 2, 3, 4, 5, 6, 7})) {
        case 0:
          At(seconds(20) + Moment(seconds(60)), [call = call.get()] { call->call->Cancel("enough"); });
          break;
        case 1:
          call->spy->on_waiting = [call = call.get()] { call->call->Cancel("enough"); };
          break;
        case 2:
          call->spy->on_event = [this, call = call.get()] {
            if (Pick({0, 1}) == 1) call->call->Cancel("enough");
          };
          break;
        case 3:
          call->spy->on_restarted = [call = call.get()] { call->call->Cancel("enough"); };
          break;
        default:
          break;
      }
    }
    machine_sleeps_ = Pick({0, 0, 0, 1}) == 1;
    if (machine_sleeps_) At(Moment(seconds(60)), [this] { rig_.loop.Suspend(minutes(10)); });
  }

  void At(Duration from_now, std::function<void()> what) {
    timers_.push_back(rig_.loop.NewTimer());
    timers_.back()->ArmAt(rig_.loop.Now() + from_now, std::move(what));
  }

  Script Answer() {
    Script script;
    script.After(Moment(seconds(2)));
    HttpHeaders headers = {{"content-type", "text/event-stream"}};
    if (Pick({0, 1}) == 1) {
      headers.emplace_back("x-ratelimit-limit-tokens", std::to_string(Pick({-1, 2'000, 200'000})));
      headers.emplace_back("x-ratelimit-remaining-tokens", std::to_string(Pick({-1, 0, 500, 2'000})));
    }
    switch (Pick({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})) {
      case 0:
        return std::move(script.Break("connection refused"));
      case 1:
        return script;
      case 2:
        headers.emplace_back("retry-after", std::to_string(Pick({0, 1, 20, 100})));
        return std::move(script.Headers(static_cast<int>(Pick({429, 503})), headers).Body("").End());
      case 3:
        return std::move(script.Headers(static_cast<int>(Pick({429, 500, 200, 400, 401, 302})), {}).Body("x").End());
      default:
        break;
    }
    script.Headers(200, headers);
    if (Pick({0, 1, 2, 3}) != 0) script.Body(stream_.Started());
    if (Pick({0, 1, 2}) == 0) return Broken(std::move(script));
    script.After(Moment(seconds(3))).Body(StreamText::Comment() + stream_.Delta("hel"));
    if (Pick({0, 1, 2}) == 0) return Broken(std::move(script));
    script.After(Moment(seconds(3))).Body(stream_.Delta("lo") + stream_.Finish("hello"));
    if (Pick({0, 1}) == 0) script.After(Moment(seconds(3))).End();
    return script;
  }

  Script Broken(Script script) {
    script.After(Moment(seconds(8)));
    switch (Pick({0, 1, 2, 3, 4, 5, 6})) {
      case 0:
        return script;  // silence
      case 1:
        return std::move(script.Break("reset by peer"));
      case 2:
        return std::move(script.End());
      case 3:
        return std::move(script.Body("data: {]\n\n"));
      case 4:
        return std::move(script.Body(stream_.Failed("rate_limit_exceeded", "Please try again in 1.5s.")));
      case 5:
        return std::move(script.Body(stream_.Error("server_error", "oops")));
      default:
        return std::move(script.Body(stream_.Failed("insufficient_quota", "Check your plan.")));
    }
  }

  bool AllFinished() const {
    return std::all_of(calls_.begin(), calls_.end(), [](const auto& call) { return call->finished(); });
  }

  void Check() {
    size_t attempts = 0;
    for (size_t i = 0; i < calls_.size(); ++i) {
      const TestCall& call = *calls_[i];
      ASSERT_EQ(call.spy->outcomes.size(), 1u);
      const CallOutcome& outcome = call.spy->outcomes[0];
      attempts += static_cast<size_t>(outcome.attempts);
      EXPECT_EQ(call.spy->admissions.size(), static_cast<size_t>(outcome.attempts));
      // The ledger's first word is waited for; and a machine that sleeps oversleeps.
      EXPECT_LE(outcome.waited, asks_[i].max_wait + seconds(1) + (machine_sleeps_ ? minutes(10) : minutes(0)));
      EXPECT_TRUE(!call.completed() || call.Text() == "hello") << call.Text();
      EXPECT_TRUE(call.typed || call.spy->restarts.empty());
      if (!outcome.failure) continue;
      EXPECT_TRUE(call.raw || outcome.failure->kind != CallFailure::Kind::kBrokenOff);
      EXPECT_TRUE(outcome.failure->kind != CallFailure::Kind::kWaitTooLong || outcome.failure->retry_after ||
                  ledger_goes_ || machine_sleeps_)
          << outcome.failure->message;
    }
    EXPECT_EQ(rig_.upstream.seen().size(), attempts);
    EXPECT_EQ(static_cast<size_t>(rig_.observer.finished), calls_.size());
    EXPECT_EQ(rig_.observer.forecast_errors.size(), attempts);
    const GroupState state = rig_.State();
    EXPECT_EQ(state.queued, 0u);
    EXPECT_EQ(state.in_flight, 0u);

    const size_t requests = rig_.upstream.seen().size();
    timers_.clear();
    rig_.loop.Advance(minutes(10));
    EXPECT_EQ(rig_.upstream.open(), 0u);
    EXPECT_EQ(rig_.upstream.seen().size(), requests) << "nothing is sent for a call that has ended";
    EXPECT_EQ(rig_.loop.armed_timers(), 0u);
    for (const auto& call : calls_) EXPECT_EQ(call->spy->outcomes.size(), 1u);
  }

  std::mt19937_64 generator_;
  CallRig rig_;
  StreamText stream_{Wire::kTypedResponses};
  std::vector<std::unique_ptr<TestCall>> calls_;
  std::vector<TestCall::Ask> asks_;
  bool ledger_goes_ = false;
  bool machine_sleeps_ = false;
  std::vector<std::unique_ptr<Loop::Timer>> timers_;
};

TEST(CallFaults, HoweverTheyComeEveryCallEndsOnceAndLeavesNothing) {
  constexpr uint64_t kSeeds = 4'000;
  for (uint64_t seed = 0; seed < kSeeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomFaults(seed).Run();
  }
}

}  // namespace
}  // namespace holdfast::quota
