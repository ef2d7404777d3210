#include "bench/policies/token_gate.h"

#include <algorithm>
#include <deque>

namespace holdfast::bench {
namespace {

constexpr double kMinute = 60;  // seconds

class Bucket final : public TokenGate {
 public:
  Bucket(double limit, BootTime now) : TokenGate(limit), level_(limit), at_(now) {}

  void Advance(BootTime now) override {
    const double refill = ToSeconds(now - at_) * limit_ / kMinute;
    at_ = now;
    offered_ += refill;
    lost_ += std::max(0.0, level_ + refill - limit_);
    level_ = std::min(limit_, level_ + refill);
  }
  double level() const override { return level_; }
  void Charge(double amount) override { level_ -= amount; }
  void GiveBack(double amount, BootTime) override { level_ = std::min(limit_, level_ + amount); }
  Duration UntilFits(double amount) const override { return Refill(amount - level_); }
  Duration UntilWhole() const override { return Refill(limit_ - level_); }
  void SetLimit(double limit) override {
    level_ = std::min(limit, level_ + limit - limit_);
    limit_ = limit;
  }

 private:
  Duration Refill(double amount) const { return FromSeconds(std::max(0.0, amount) / limit_ * kMinute); }

  double level_;
  BootTime at_;
};

class LastMinute final : public TokenGate {
 public:
  LastMinute(double limit, BootTime now) : TokenGate(limit), at_(now) {}

  void Advance(BootTime now) override {
    while (!charges_.empty() && charges_.front().ends <= now) {
      Pass(charges_.front().ends);
      used_ -= charges_.front().amount;
      charges_.pop_front();
    }
    Pass(now);
  }
  double level() const override { return limit_ - used_; }
  void Charge(double amount) override {
    used_ += amount;
    charges_.push_back({at_ + FromSeconds(kMinute), amount});
  }
  void GiveBack(double amount, BootTime charged_at) override {
    for (Entry& entry : charges_) {
      if (entry.ends != charged_at + FromSeconds(kMinute)) continue;
      entry.amount -= amount;
      used_ -= amount;
      return;
    }
  }
  Duration UntilFits(double amount) const override {
    double level = limit_ - used_;
    if (level >= amount) return Duration::zero();
    for (const Entry& entry : charges_) {
      level += entry.amount;
      if (level >= amount) return entry.ends - at_;
    }
    return FromSeconds(kMinute);
  }
  Duration UntilWhole() const override { return charges_.empty() ? Duration::zero() : charges_.back().ends - at_; }
  void SetLimit(double limit) override { limit_ = limit; }

 private:
  struct Entry {
    BootTime ends;
    double amount;
  };
  void Pass(BootTime now) {
    const double minutes = ToSeconds(now - at_) / kMinute;
    at_ = now;
    offered_ += minutes * limit_;
    lost_ += minutes * std::max(0.0, limit_ - used_);
  }

  std::deque<Entry> charges_;
  double used_ = 0;
  BootTime at_;
};

class EveryMinute final : public TokenGate {
 public:
  EveryMinute(double limit, BootTime now, Duration phase) : TokenGate(limit), at_(now), ends_(now + phase) {}

  void Advance(BootTime now) override {
    at_ = now;
    while (ends_ <= now) {
      offered_ += limit_;
      lost_ += std::max(0.0, limit_ - used_);
      used_ = 0;
      ends_ += FromSeconds(kMinute);
    }
  }
  double level() const override { return limit_ - used_; }
  void Charge(double amount) override { used_ += amount; }
  void GiveBack(double amount, BootTime charged_at) override {
    if (charged_at >= ends_ - FromSeconds(kMinute)) used_ = std::max(0.0, used_ - amount);
  }
  Duration UntilFits(double amount) const override { return level() >= amount ? Duration::zero() : UntilWhole(); }
  Duration UntilWhole() const override { return ends_ - at_; }
  void SetLimit(double limit) override { limit_ = limit; }

 private:
  double used_ = 0;
  BootTime at_;
  BootTime ends_;
};

}  // namespace

std::unique_ptr<TokenGate> MakeTokenGate(Window window, double limit, BootTime now, Duration phase) {
  switch (window) {
    case Window::kSliding:
      return std::make_unique<LastMinute>(limit, now);
    case Window::kFixed:
      return std::make_unique<EveryMinute>(limit, now, phase);
    case Window::kContinuous:
      break;
  }
  return std::make_unique<Bucket>(limit, now);
}

}  // namespace holdfast::bench
