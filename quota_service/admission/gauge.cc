#include "quota_service/admission/gauge.h"

#include <algorithm>
#include <cmath>

namespace holdfast::quota {
namespace {

// Far below one token, far above the rounding error of a double that holds a limit.
constexpr double kEpsilon = 1e-6;
// A bucket that lacks less than it refills in this part of a nanosecond lacks nothing but digits of a double.
constexpr double kGrain = 0.01;

// Waits end here, 250 years from the clock's beginning, so that whoever adds a window to a moment stays within the
// clock.
constexpr BootTime kLast{std::chrono::hours(250 * 8766)};

// Not before `time`.
BootTime After(BootTime time, Duration wait) { return wait < kLast - time ? time + wait : std::max(time, kLast); }

// At the end of a fixed window nothing is sent any more.
constexpr Duration kClosing = std::chrono::milliseconds(100);

Duration CeilToNanoseconds(double seconds) {
  constexpr double kMost = 9.0e9;
  return std::chrono::nanoseconds(static_cast<int64_t>(std::ceil(std::min(seconds, kMost) * 1e9 - kGrain)));
}

class ContinuousGauge final : public Gauge {
 public:
  ContinuousGauge(double limit, Duration per) : Gauge(limit, per), level_(limit) {}

  double Level(BootTime now) const override {
    const double elapsed = now > at_ ? ToSeconds(now - at_) : 0;
    return std::min(limit(), level_ + elapsed * rate());
  }
  BootTime WhenFits(BootTime now, double amount) const override {
    if (amount > limit() + kEpsilon) return BootTime::max();
    const double missing = amount - Level(now);
    return Nothing(missing) ? now : After(now, CeilToNanoseconds(missing / rate()));
  }
  bool Fits(BootTime now, double amount) const override {
    return amount <= limit() + kEpsilon && Nothing(amount - Level(now));
  }
  void Charge(BootTime now, double amount) override { Set(now, Level(now) - amount); }
  void Return(BootTime now, BootTime, double amount) override { Correct(now, amount); }
  void Correct(BootTime now, double delta) override { Set(now, Level(now) + delta); }
  void SetLimit(BootTime now, double limit) override {
    const double level = Level(now) + (limit - this->limit());
    ChangeLimit(limit);
    Set(now, level);
  }
  std::unique_ptr<Gauge> Clone() const override { return std::make_unique<ContinuousGauge>(*this); }

 private:
  // Twice the grain, so that what CeilToNanoseconds promised holds when that moment has come.
  bool Nothing(double missing) const { return missing <= 2 * kGrain * 1e-9 * rate(); }
  void Set(BootTime now, double level) {
    // No gate lets more than its limit be owed: a limit that falls far, or one that is learnt late, is whole again
    // within two windows.
    level_ = std::clamp(level, -limit(), limit());
    at_ = std::max(at_, now);
  }

  double level_;
  BootTime at_{};
};

class SlidingGauge final : public Gauge {
 public:
  SlidingGauge(double limit, Duration per, Duration slack) : Gauge(limit, per), span_(per + slack) {}

  double Level(BootTime now) const override {
    double used = 0;
    for (const Entry& entry : entries_) {
      if (entry.at + span_ > now) used += entry.amount;
    }
    return limit() - std::max(0.0, used);
  }
  BootTime WhenFits(BootTime now, double amount) const override {
    if (amount > limit() + kEpsilon) return BootTime::max();
    double level = Level(now);
    if (level + kEpsilon >= amount) return now;
    for (const Entry& entry : entries_) {
      if (entry.at + span_ <= now) continue;
      level += entry.amount;
      if (level + kEpsilon >= amount) return std::max(now, After(entry.at, span_));
    }
    return After(now, span_);
  }
  void Charge(BootTime now, double amount) override {
    while (!entries_.empty() && entries_.front().at + span_ <= now) entries_.pop_front();
    if (!entries_.empty() && entries_.back().at >= now) {
      entries_.back().amount += amount;
    } else {
      entries_.push_back({now, amount});
    }
  }
  void Return(BootTime, BootTime charged_at, double amount) override {
    for (Entry& entry : entries_) {
      if (entry.at == charged_at) entry.amount = std::max(0.0, entry.amount - amount);
    }
  }
  void Correct(BootTime now, double delta) override {
    if (delta < 0) {
      Charge(now, -delta);
      return;
    }
    // Nobody knows which charge is not there. Those that end first are let go, so that no room comes too early.
    for (auto entry = entries_.begin(); entry != entries_.end() && delta > 0; ++entry) {
      if (entry->at + span_ <= now) continue;
      const double taken = std::min(delta, entry->amount);
      entry->amount -= taken;
      delta -= taken;
    }
  }
  void SetLimit(BootTime, double limit) override { ChangeLimit(limit); }
  std::unique_ptr<Gauge> Clone() const override { return std::make_unique<SlidingGauge>(*this); }

 private:
  struct Entry {
    BootTime at;
    double amount;
  };
  Duration span_;
  std::deque<Entry> entries_;
};

class FixedGauge final : public Gauge {
 public:
  FixedGauge(double limit, Duration per) : Gauge(limit, per) {}

  double Level(BootTime now) const override { return limit() - (InWindow(now) ? used_ : 0); }
  BootTime WhenFits(BootTime now, double amount) const override {
    if (amount > limit() + kEpsilon) return BootTime::max();
    if (!InWindow(now)) return now;
    const BootTime end = After(begin_, per());
    // What is sent last arrives when the next window has begun, and would be missing there.
    const bool closing = end - now < std::min(kClosing, per() / 20);
    return Level(now) + kEpsilon >= amount && !closing ? now : std::max(now, end);
  }
  void EndWindowAt(BootTime now, BootTime end) override {
    Roll(now);
    begin_ = end - per();
  }
  void Charge(BootTime now, double amount) override {
    Roll(now);
    used_ += amount;
  }
  void Return(BootTime now, BootTime charged_at, double amount) override {
    if (InWindow(now) && charged_at >= begin_) used_ = std::max(0.0, used_ - amount);
  }
  void Correct(BootTime now, double delta) override {
    Roll(now);
    used_ = std::max(0.0, used_ - delta);
  }
  void SetLimit(BootTime, double limit) override { ChangeLimit(limit); }
  std::unique_ptr<Gauge> Clone() const override { return std::make_unique<FixedGauge>(*this); }

 private:
  bool InWindow(BootTime now) const { return started_ && now < begin_ + per(); }
  void Roll(BootTime now) {
    if (InWindow(now)) return;
    begin_ = started_ ? begin_ + (now - begin_) / per() * per() : now;
    started_ = true;
    used_ = 0;
  }

  bool started_ = false;
  BootTime begin_{};
  double used_ = 0;
};

}  // namespace

std::unique_ptr<Gauge> MakeGauge(WindowKind kind, double limit, Duration per, Duration slack) {
  switch (kind) {
    case WindowKind::kSliding:
      return std::make_unique<SlidingGauge>(limit, per, slack);
    case WindowKind::kFixed:
      return std::make_unique<FixedGauge>(limit, per);
    case WindowKind::kContinuous:
      break;
  }
  return std::make_unique<ContinuousGauge>(limit, per);
}

}  // namespace holdfast::quota
