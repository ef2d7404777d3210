#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "common/base/clock.h"
#include "quota_service/admission/fair_queue.h"
#include "quota_service/admission/forecast_record.h"
#include "quota_service/admission/limit_group_state.h"
#include "quota_service/admission/mirror.h"
#include "quota_service/admission/prober.h"
#include "quota_service/admission/returns.h"
#include "quota_service/retry/failure.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

// One configured limit. Without one of a dimension, that dimension is learnt from the upstream's headers.
struct LimitSpec {
  Dimension dimension = Dimension::kTokens;  // not concurrency
  WindowKind kind = WindowKind::kContinuous;
  int64_t count = 0;  // positive
  Duration per = std::chrono::minutes(1);
  Duration slack{};  // see MakeGauge
  // Requests are also held to within any span this long, in proportion: over 1 s, 60 a minute are one a second. Zero:
  // they are not. Only for kRequests.
  Duration span{};
};

struct LimitGroupOptions {
  std::string name;  // "<upstream>/<model family>"
  std::vector<LimitSpec> limits;
  std::optional<int64_t> concurrent;
};

// What stands between a waiter and its turn, and for how long.
struct WaitEstimate {
  enum class Reason { kNone, kLimit, kLearning, kPaused };
  Reason reason = Reason::kNone;
  Dimension dimension = Dimension::kTokens;  // for kLimit
  int64_t limit = 0;                         // 0: unknown
  Duration per{};                            // zero for concurrency
  int64_t used = 0;                          // of `limit`, now, those ahead in the queue included
  int64_t requested = 0;
  Duration wait{};   // from now: as likely to be longer as shorter
  Duration least{};  // four of five waits end
  Duration most{};   // between these
  int position = 0;  // 1: next
};

// How a request that was under way ended, as far as limits are concerned.
enum class Settlement {
  kCharged,  // it counts at the provider, whether it succeeded or not
  kNotSent,  // it never reached the provider
};

// All limits that a family of models shares on one upstream account, and the queue before them. Pure state: time is
// passed in.
//
// A request is a waiter, then in flight, then gone. Turns go by FairQueue, in units of the limit that a request takes
// the largest share of. Nobody passes the head once it waits for room: tokens gather while a large one waits, so
// nothing is lost. In windows that end, what is left is lost with them: there, those who still fit go before a head
// that must wait for the next one. Until the first answer has come, one request goes ahead alone: its headers tell the
// limits and their levels.
class LimitGroup {
 public:
  using RequestId = uint64_t;

  explicit LimitGroup(LimitGroupOptions options);

  const std::string& name() const { return name_; }

  void Enqueue(BootTime now, RequestId id, const Need& asked, const Flow& flow = {});

  struct Decision {
    absl::InlinedVector<RequestId, 8> granted;  // in flight from now on
    std::vector<RequestId> rejected;            // larger than a limit; gone
  };
  Decision Admit(BootTime now);
  // When Admit has something to do by time alone. Empty: only after another call.
  std::optional<BootTime> NextAdmission(BootTime now) const;

  // A waiter leaves. False: it is not waiting.
  bool Leave(RequestId id);
  // The headers of an answer to a request in flight, refusals included.
  void OnHeaders(BootTime now, RequestId id, const RateLimitHeaders& headers);
  // The provider refused a request in flight: it waits again, before all who came later; the hint corrects the limits,
  // or pauses the group. Counts of a dimension that it does not name are not believed.
  void Refuse(BootTime now, RequestId id, const ServerHint& hint);
  // A request in flight failed for another reason and wants another turn: it waits again, before all who came later.
  void Requeue(BootTime now, RequestId id, Settlement settlement);
  // `actual`: the tokens that it took in the end, where the gate replaces its charge by them.
  void Settle(BootTime now, RequestId id, Settlement settlement, const std::optional<Tokens>& actual = std::nullopt);

  // Every waiter in order of the queue, one pass. The first of each waiter is remembered, to learn from.
  std::vector<std::pair<RequestId, WaitEstimate>> Forecast(BootTime now);
  // As such a new request would be told now; reason kNone: it would run at once. Empty: never, it is larger than a
  // limit.
  std::optional<WaitEstimate> WouldWait(BootTime now, const Need& asked, const Flow& flow = {}) const;
  // The largest charge that fits the limits on tokens. 0: unknown.
  int64_t LargestAdmissible() const;
  // Which limit such a request is larger than, in words; empty: none.
  std::string WhyNever(const Need& asked) const;
  bool limits_known() const { return learnt_; }

  struct Level {
    Dimension dimension;
    int64_t limit;
    Duration per;  // zero for concurrency
    int64_t remaining;
    LimitSource source;
    int64_t margin = 0;  // of `remaining`, kept free for others who use the same key
  };
  std::vector<Level> Levels(BootTime now) const;

  // What is known of the limits, and nothing of those who wait or are under way.
  LimitGroupState Export(BootTime now) const;
  // Before the first request: as another process has left it, `age` ago. A configured limit that no answer had
  // corrected keeps its size; the level of it is taken over.
  void Restore(BootTime now, const LimitGroupState& state, Duration age);

  size_t queued() const { return queue_.size() + again_.size(); }
  size_t in_flight() const { return in_flight_.size(); }
  bool Contains(RequestId id) const;

 private:
  using SessionId = FairQueue::SessionId;
  struct Limit {
    Dimension dimension;
    Mirror mirror;
    // Not a limit that the provider speaks of, but what it makes of one over short spans: of limits_[of], this share.
    std::optional<size_t> of = std::nullopt;
    double share = 1;

    bool Fits(BootTime now, const Need& need) const {
      return mirror.Fits(now, AmountOf(dimension, need.charge), AmountOf(dimension, need.most));
    }
    BootTime WhenFits(BootTime now, const Need& need) const {
      return mirror.WhenFits(now, AmountOf(dimension, need.charge), AmountOf(dimension, need.most));
    }
  };
  // Somebody who has had a turn.
  struct Served {
    Need need;
    uint64_t turn = 0;  // in the order of the first admissions
    BootTime since{};   // of the latest turn
    SessionId session = 0;
    double cost = 0;  // that its flow was charged for it
    bool background = false;
  };
  struct Waiter {
    RequestId id;
    Served served;
  };
  std::vector<Waiter> InFlightByTurn() const;
  // The queue played forward.
  class Simulation;
  template <typename Told>
  void PlayForward(BootTime now, FairOrder order, Told told) const;

  // The limit that the provider speaks of; a new one, full, where `window` shows that it is none of ours.
  Limit* FindOrLearn(Dimension dimension, std::optional<int64_t> count, std::optional<Duration> window,
                     LimitSource source);
  bool NeverFits(const Tokens& charge) const;
  // A charge that is larger than a limit only by what is guessed of it is that limit: who has the largest turn that
  // there is may try, and the provider judges.
  Need Fitted(Need need) const;
  void RejectTooLarge(std::vector<RequestId>& rejected);
  // The seconds in which the limit refills that it takes most of, so that shares are of what is scarce.
  double Cost(const Tokens& tokens) const;
  // Of who is next. Null: nobody waits.
  const Need* HeadNeed() const;
  // Paused, learning, or as many under way as may be.
  bool Closed(BootTime now) const;
  bool FitsNow(BootTime now, const Need& need) const;
  void Grant(BootTime now, RequestId id, const Served& served, Decision& decision);
  void GrantFromQueue(BootTime now, SessionId session, Decision& decision);
  void Backfill(BootTime now, Decision& decision);
  // The limit on tokens that alone keeps such a request waiting, clearly so, and whose size may be probed. Null: none.
  const Limit* ToProbe(BootTime now, const Need& need) const;
  void Probe(BootTime now, Decision& decision);
  void LearnLimit(BootTime now, RequestId id, Dimension dimension, const DimensionHeaders& headers);
  // Limits that follow from others are as large as these make them.
  void FollowSizes(BootTime now);
  void Believe(BootTime now, const ServerHint& hint, const Tokens& charge);
  void LearnConcurrency(int64_t limit);
  void Pause(BootTime now, Duration wait);
  // Out of in_flight_, its amounts returned where it took none.
  std::optional<Served> Land(BootTime now, RequestId id, Settlement settlement, const std::optional<Tokens>& actual);
  void WaitAgain(RequestId id, const Served& served);

  std::string name_;
  std::vector<Limit> limits_;
  std::optional<int64_t> concurrent_;
  LimitSource concurrent_source_ = LimitSource::kConfigured;
  FairQueue queue_;
  Returns returns_;
  ForecastRecord record_;
  struct FirstForecast {
    BootTime at;
    Duration wait;  // as played forward
    ForecastRecord::Ratios told;
  };
  absl::flat_hash_map<RequestId, FirstForecast> first_forecasts_;  // of who waits
  std::deque<Waiter> again_;                                       // go before the queue; by turn
  uint64_t next_turn_ = 0;
  Tokens largest_waiting_;  // no waiter's charge is larger in any kind
  absl::flat_hash_map<RequestId, Served> in_flight_;
  bool learnt_ = false;
  BootTime paused_until_{};
  int blind_pauses_ = 0;  // in a row
  Prober prober_;
  Duration mean_duration_ = std::chrono::seconds(10);  // of requests, for forecasts where concurrency binds
};

}  // namespace holdfast::quota
