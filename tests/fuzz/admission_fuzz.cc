// A limit group under a provider that says anything: headers and refusals as far as their parsers let them through, in
// any order. Nobody is lost, nobody passes the head, no wait is negative, nothing is tried again at once for ever, and
// who waits is served in the end.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "quota_service/admission/limit_group.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/input.h"

namespace holdfast::quota {
namespace {

using fuzz::Check;
using RequestId = LimitGroup::RequestId;

constexpr size_t kMostSteps = 150;
constexpr size_t kMostWaiting = 16;
constexpr Duration kLongestDelay = std::chrono::hours(31 * 24);

class World {
 public:
  explicit World(fuzz::Input input) : in_(input), group_(Options()) {}

  void Run() {
    for (size_t step = 0; step < kMostSteps && !in_.empty(); ++step) {
      Step();
      Serve();
      CheckGroup();
    }
    Drain();
  }

 private:
  // Small numbers, round ones, and any up to the 10^15 that the header parser takes.
  int64_t Count() {
    const uint8_t how = in_.Byte();
    if (how < 120) return how % 12;
    if (how < 240) return static_cast<int64_t>(in_.Number(3));
    return static_cast<int64_t>(in_.Number(7) % 1'000'000'000'000'001);
  }
  Duration Delay() {
    const uint8_t how = in_.Byte();
    if (how < 120) return std::chrono::milliseconds(in_.Number(2));
    if (how < 240) return std::chrono::seconds(in_.Number(1));
    return std::min(kLongestDelay, Duration(in_.Number(7)));
  }
  template <typename T>
  std::optional<T> Maybe(T value) {
    return in_.Byte() % 4 == 0 ? std::nullopt : std::optional<T>(value);
  }

  LimitGroupOptions Options() {
    LimitGroupOptions options{.name = "u/m", .limits = {}, .concurrent = {}};
    for (int i = in_.Byte() % 4; i > 0; --i) {
      const uint8_t what = in_.Byte();
      const auto kind = static_cast<WindowKind>(what / 2 % 3);
      ends_ = ends_ || kind == WindowKind::kFixed;
      options.limits.push_back({.dimension = what % 2 == 0 ? Dimension::kTokens : Dimension::kRequests,
                                .kind = kind,
                                .count = 1 + Count(),
                                .per = std::max<Duration>(std::chrono::milliseconds(1), Delay())});
    }
    if (in_.Byte() % 3 == 0) options.concurrent = 1 + in_.Byte() % 4;
    return options;
  }

  DimensionHeaders Told() {
    DimensionHeaders told{.limit = Maybe(1 + Count()), .remaining = Maybe(Count()), .reset = Maybe(Delay())};
    if (told.remaining == 0 && !told.limit) told.remaining.reset();  // as the parser does
    return told;
  }

  template <typename Requests>
  RequestId Any(const Requests& requests) {
    return std::next(requests.begin(), in_.Byte() % static_cast<int>(requests.size()))->first;
  }

  void Step() {
    const uint8_t what = in_.Byte() % 10;
    if (what < 3 && waiting_.size() < kMostWaiting) {
      const RequestId id = ++last_;
      waiting_[id] = Count();
      group_.Enqueue(now_, id, waiting_[id]);
    } else if (what == 3) {
      now_ += Delay();
    } else if (what == 4) {
      if (const auto next = group_.NextAdmission(now_)) now_ = std::max(now_, *next);
    } else if (what == 5 && !waiting_.empty()) {
      const RequestId id = Any(waiting_);
      Check(group_.Leave(id), "who waits can leave");
      Check(!group_.Leave(id) && !group_.Contains(id), "once");
      waiting_.erase(id);
    } else if (!under_way_.empty()) {
      End(what, Any(under_way_));
    }
  }

  void End(uint8_t what, RequestId id) {
    const int64_t tokens = under_way_.at(id);
    if (what == 6) {
      group_.OnHeaders(now_, id,
                       {.tokens = Told(),
                        .input_tokens = {},
                        .output_tokens = {},
                        .requests = Told(),
                        .retry_after = Maybe(Delay())});
      return;
    }
    under_way_.erase(id);
    const auto settlement = in_.Byte() % 2 == 0 ? Settlement::kCharged : Settlement::kNotSent;
    if (what == 7) {
      group_.Settle(now_, id, settlement);
      return;
    }
    waiting_[id] = tokens;
    if (what == 8) {
      group_.Requeue(now_, id, settlement);
      return;
    }
    ServerHint hint;
    hint.retry_after = Maybe(Delay());
    hint.dimension = Maybe(static_cast<Dimension>(in_.Byte() % 3));
    hint.limit = Maybe(1 + Count());
    hint.used = Maybe(Count());
    hint.requested = Maybe(Count());
    group_.Refuse(now_, id, hint);
  }

  void Serve() {
    const LimitGroup::Decision decision = group_.Admit(now_);
    for (const RequestId id : decision.rejected) {
      Check(waiting_.erase(id) == 1 && !group_.Contains(id), "only who waits is rejected, and then gone");
    }
    for (const RequestId id : decision.granted) {
      Check(waiting_.contains(id), "only who waits is granted");
      // What is left of a window that ends goes to whoever still fits.
      Check(waiting_.begin()->first == id || ends_, "nobody passes the head");
      under_way_[id] = waiting_.at(id);
      waiting_.erase(id);
    }
    const auto next = group_.NextAdmission(now_);
    Check(!next || *next > now_, "what Admit has just left has nothing to do at once");
    Check(next.has_value() || waiting_.empty() || !under_way_.empty(), "who waits alone is served by time");
  }

  void CheckGroup() {
    Check(group_.queued() == waiting_.size() && group_.in_flight() == under_way_.size(), "nobody is lost");
    for (const auto& [id, tokens] : waiting_) Check(group_.Contains(id), "nobody is lost from the queue");
    for (const auto& [id, tokens] : under_way_) Check(group_.Contains(id), "nobody is lost under way");
    int position = 0;
    Duration before{};
    for (const auto& [id, estimate] : group_.Forecast(now_)) {
      Check(estimate.position == ++position, "positions count up");
      Check(estimate.wait >= before, "nobody is foreseen before who stands in front");
      Check(estimate.limit >= 0 && estimate.requested >= 0, "an estimate's counts are not negative");
      before = estimate.wait;
    }
    Check(position == static_cast<int>(waiting_.size()), "everybody is told");
    if (const auto estimate = group_.WouldWait(now_, 1)) {
      Check(estimate->wait >= before || estimate->reason == WaitEstimate::Reason::kNone, "a new one comes last");
    }
    Check(group_.LargestAdmissible() >= 0, "what fits is not negative");
    for (const LimitGroup::Level& level : group_.Levels(now_)) {
      Check(level.limit > 0 && level.remaining <= level.limit, "a level is at most its limit");
      Check(level.per >= Duration::zero(), "a window is not negative");
    }
  }

  void Drain() {
    for (int rounds = 0; !waiting_.empty(); ++rounds) {
      Check(rounds < 1000, "the queue empties");
      while (!under_way_.empty()) {
        group_.Settle(now_, under_way_.begin()->first, Settlement::kCharged);
        under_way_.erase(under_way_.begin());
      }
      if (const auto next = group_.NextAdmission(now_)) now_ = std::max(now_, *next);
      const size_t before = waiting_.size();
      Serve();
      if (waiting_.size() == before) continue;
      CheckGroup();
    }
  }

  fuzz::Input in_;
  bool ends_ = false;  // one of the limits is a window that ends
  LimitGroup group_;
  BootTime now_{std::chrono::hours(1)};
  RequestId last_ = 0;
  std::map<RequestId, int64_t> waiting_;  // ids grow, so these are in the order of arrival
  std::map<RequestId, int64_t> under_way_;
};

}  // namespace
}  // namespace holdfast::quota

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::quota::World(holdfast::fuzz::Input(data, size)).Run();
  return 0;
}
