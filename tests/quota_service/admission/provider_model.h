#pragma once

#include <cstdint>
#include <deque>

#include "quota_service/retry/failure.h"
#include "quota_service/retry/rate_limit_headers.h"

namespace holdfast::quota {

__extension__ typedef __int128 Exact;

// A provider's gate over one dimension, in exact integers; shares nothing with the gauges under test.
class ProviderModel {
 public:
  enum class Kind { kBucket, kSlidingWindow };

  ProviderModel(Kind kind, int64_t limit, Duration per) : kind_(kind), limit_(limit), per_(per) {}

  // Whether `amount` has room at `now`, or within the nanosecond that is the grain of our clock.
  bool HasRoom(BootTime now, int64_t amount) const {
    return Used(now + Duration(1)) + Exact{amount} * per_.count() <= Exact{limit_} * per_.count();
  }
  void Charge(BootTime now, int64_t amount) {
    if (kind_ == Kind::kBucket) {
      used_ = Used(now) + Exact{amount} * per_.count();
      at_ = now;
    } else {
      while (!charges_.empty() && charges_.front().at + per_ <= now) charges_.pop_front();
      charges_.push_back({now, amount});
    }
  }

  int64_t limit() const { return limit_; }
  // Whole units, rounded up.
  int64_t UsedUnits(BootTime now) const { return static_cast<int64_t>((Used(now) + per_.count() - 1) / per_.count()); }
  int64_t Remaining(BootTime now) const { return limit_ - UsedUnits(now); }
  DimensionHeaders Headers(BootTime now) const { return {limit_, Remaining(now), std::nullopt}; }
  ServerHint Refusal(BootTime now, Dimension dimension, int64_t requested) const {
    ServerHint hint;
    hint.dimension = dimension;
    hint.limit = limit_;
    hint.used = UsedUnits(now);
    hint.requested = requested;
    return hint;
  }

 private:
  struct Charged {
    BootTime at;
    int64_t amount;
  };

  // In units times nanoseconds of the window.
  Exact Used(BootTime now) const {
    if (kind_ == Kind::kBucket) {
      const Exact left = used_ - Exact{limit_} * (now - at_).count();
      return left > 0 ? left : 0;
    }
    Exact sum = 0;
    for (const Charged& charged : charges_) {
      if (charged.at + per_ > now) sum += charged.amount;
    }
    return sum * per_.count();
  }

  Kind kind_;
  int64_t limit_;
  Duration per_;
  Exact used_ = 0;
  BootTime at_{};
  std::deque<Charged> charges_;
};

}  // namespace holdfast::quota
