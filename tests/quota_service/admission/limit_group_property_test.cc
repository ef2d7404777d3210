// Thousands of random operations on a group, judged by an independent model of the provider that answers at once.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "quota_service/admission/limit_group.h"
#include "tests/quota_service/admission/group_samples.h"
#include "tests/quota_service/admission/provider_model.h"

namespace holdfast::quota {
namespace {

using RequestId = LimitGroup::RequestId;

constexpr int kOperations = 3000;

struct Scenario {
  const char* name;
  ProviderModel::Kind kind;
  bool shared;       // others spend the same key, so that refusals happen
  int lost_percent;  // of the requests that are admitted never reach the provider
};

class RandomWorld {
 public:
  RandomWorld(const Scenario& scenario, uint64_t seed)
      : scenario_(scenario),
        random_(seed),
        limit_(std::uniform_int_distribution<int64_t>(100, 300000)(random_)),
        tokens_(scenario.kind, limit_, kMinute),
        requests_(scenario.kind, Pick(2, 60), kMinute),
        group_(LearntGroup({TokensPerMinute(limit_, WindowOf(scenario.kind)),
                            {Dimension::kRequests, WindowOf(scenario.kind), requests_.limit(), kMinute}},
                           Chance(30) ? std::optional<int64_t>(Pick(1, 8)) : std::nullopt)) {}

  void Run() {
    for (int operation = 0; operation < kOperations && !testing::Test::HasFailure(); ++operation) {
      Step();
      Serve();
      Check();
    }
    Drain();
  }

 private:
  struct Request {
    int64_t tokens;
    bool reached_provider = false;
  };

  static WindowKind WindowOf(ProviderModel::Kind kind) {
    return kind == ProviderModel::Kind::kBucket ? WindowKind::kContinuous : WindowKind::kSliding;
  }
  int64_t Pick(int64_t least, int64_t most) { return std::uniform_int_distribution<int64_t>(least, most)(random_); }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }
  template <typename Container>
  RequestId Any(const Container& container) {
    return std::next(container.begin(), Pick(0, static_cast<int64_t>(container.size()) - 1))->first;
  }

  void Step() {
    const int64_t what = Pick(1, 100);
    if (what <= 30) {
      const RequestId id = ++last_;
      // Mostly small ones, some of the whole limit, some that can never go.
      const int64_t tokens = Chance(70) ? Pick(0, limit_ / 10) : Pick(0, limit_ + limit_ / 20);
      group_.Enqueue(now_, id, tokens);
      waiting_[id] = {tokens};
    } else if (what <= 60) {
      now_ += Chance(20) ? Duration(Pick(0, 60'000'000'000)) : Duration(Pick(0, 500'000'000));
    } else if (what <= 75) {
      if (const auto next = group_.NextAdmission(now_)) now_ = std::max(now_, *next);
    } else if (what <= 80 && !waiting_.empty()) {
      const RequestId id = Any(waiting_);
      ASSERT_TRUE(group_.Leave(id));
      waiting_.erase(id);
    } else if (what <= 98 && !under_way_.empty()) {
      End(Any(under_way_));
    } else if (scenario_.shared) {
      tokens_.Charge(now_, Pick(0, limit_));
      requests_.Charge(now_, 1);
    }
  }

  void End(RequestId id) {
    const Request request = under_way_.at(id);
    const Settlement how = request.reached_provider ? Settlement::kCharged : Settlement::kNotSent;
    under_way_.erase(id);
    if (Chance(20)) {
      group_.Requeue(now_, id, how);
      waiting_[id] = {request.tokens};
    } else {
      group_.Settle(now_, id, how);
    }
  }

  void Serve() {
    const auto decision = group_.Admit(now_);
    for (const RequestId id : decision.rejected) {
      EXPECT_GT(waiting_.at(id).tokens, limit_) << "rejected, though it fits";
      waiting_.erase(id);
    }
    for (const RequestId id : decision.granted) {
      ASSERT_EQ(waiting_.begin()->first, id) << "somebody passed the head";
      under_way_[id] = waiting_.at(id);
      waiting_.erase(id);
    }
    for (const RequestId id : decision.granted) {
      if (!Chance(scenario_.lost_percent)) Reach(id);
    }
  }

  void Reach(RequestId id) {
    Request& request = under_way_.at(id);
    const bool tokens_fit = tokens_.HasRoom(now_, request.tokens);
    if (!tokens_fit || !requests_.HasRoom(now_, 1)) {
      ASSERT_TRUE(scenario_.shared) << "the provider would refuse " << id << ": " << request.tokens << " of "
                                    << tokens_.Remaining(now_) << " left, requests left " << requests_.Remaining(now_);
      Refuse(id, tokens_fit ? requests_.Refusal(now_, Dimension::kRequests, 1)
                            : tokens_.Refusal(now_, Dimension::kTokens, request.tokens));
      return;
    }
    request.reached_provider = true;
    tokens_.Charge(now_, request.tokens);
    requests_.Charge(now_, 1);
    TellHeaders(id);
  }

  void Refuse(RequestId id, ServerHint hint) {
    if (Chance(50)) TellHeaders(id);
    switch (Pick(1, 3)) {
      case 1:
        hint = {};
        break;
      case 2:
        hint = {};
        hint.retry_after = std::chrono::milliseconds(Pick(0, 3000));
        break;
      default:
        break;
    }
    group_.Refuse(now_, id, hint);
    waiting_[id] = {under_way_.at(id).tokens};
    under_way_.erase(id);
    if (waiting_.begin()->first == id) {
      const auto next = group_.NextAdmission(now_);
      EXPECT_TRUE(!next || *next > now_) << "tried again at once";
    }
  }

  void TellHeaders(RequestId id) {
    RateLimitHeaders headers;
    headers.tokens = tokens_.Headers(now_);
    headers.requests = requests_.Headers(now_);
    group_.OnHeaders(now_, id, headers);
  }

  void Check() {
    ASSERT_EQ(group_.queued(), waiting_.size());
    ASSERT_EQ(group_.in_flight(), under_way_.size());
    if (!waiting_.empty()) {
      ASSERT_TRUE(group_.Contains(Any(waiting_))) << "lost";
    }
    if (!under_way_.empty()) {
      ASSERT_TRUE(group_.Contains(Any(under_way_))) << "lost";
    }
    if (!scenario_.shared) CheckLevels();
  }

  // The mirror has what the provider has; headers cut off less than a unit, and what never arrives is missing for a
  // while.
  void CheckLevels() {
    const auto compare = [&](const ProviderModel& model, Dimension dimension) {
      const int64_t mirrored = *Remaining(group_, now_, dimension);
      ASSERT_LE(mirrored, model.Remaining(now_)) << DimensionName(dimension);
      if (scenario_.lost_percent == 0) {
        ASSERT_GE(mirrored, model.Remaining(now_) - 1) << DimensionName(dimension);
      }
    };
    compare(tokens_, Dimension::kTokens);
    compare(requests_, Dimension::kRequests);
  }

  // Everybody who waits and fits goes in finite time, when nobody new comes and what is under way ends.
  void Drain() {
    const BootTime patience = now_ + (static_cast<int64_t>(waiting_.size()) * 3 + 10) * kMinute;
    while (!waiting_.empty() && !testing::Test::HasFailure()) {
      while (!under_way_.empty()) {
        group_.Settle(now_, under_way_.begin()->first,
                      under_way_.begin()->second.reached_provider ? Settlement::kCharged : Settlement::kNotSent);
        under_way_.erase(under_way_.begin());
      }
      const auto next = group_.NextAdmission(now_);
      ASSERT_TRUE(next) << "nobody will ever be served";
      ASSERT_LE(*next, patience) << waiting_.size() << " wait for ever";
      now_ = std::max(now_, *next);
      Serve();
    }
  }

  Scenario scenario_;
  std::mt19937_64 random_;
  int64_t limit_;
  ProviderModel tokens_;
  ProviderModel requests_;
  LimitGroup group_;
  BootTime now_ = At({});
  RequestId last_ = 0;
  std::map<RequestId, Request> waiting_;  // ids grow, so these are in the order of arrival
  std::map<RequestId, Request> under_way_;
};

std::string NameOf(const testing::TestParamInfo<Scenario>& scenario) { return scenario.param.name; }

class RandomOperations : public testing::TestWithParam<Scenario> {};
INSTANTIATE_TEST_SUITE_P(
    Worlds, RandomOperations,
    testing::Values(Scenario{"SoleUserOfABucket", ProviderModel::Kind::kBucket, false, 0},
                    Scenario{"SoleUserOfASlidingWindow", ProviderModel::Kind::kSlidingWindow, false, 0},
                    Scenario{"BucketOverABadLink", ProviderModel::Kind::kBucket, false, 10},
                    Scenario{"SlidingWindowOverABadLink", ProviderModel::Kind::kSlidingWindow, false, 10},
                    Scenario{"SharedBucket", ProviderModel::Kind::kBucket, true, 10},
                    Scenario{"SharedSlidingWindow", ProviderModel::Kind::kSlidingWindow, true, 10}),
    NameOf);

TEST_P(RandomOperations, NeverAdmitTooEarlyLoseNobodyAndServeEverybody) {
  for (uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomWorld(GetParam(), seed).Run();
  }
}

}  // namespace
}  // namespace holdfast::quota
