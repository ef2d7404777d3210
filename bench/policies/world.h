#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace holdfast::bench {

// Simulated time: events in order, hours in seconds.
class World {
 public:
  explicit World(uint64_t seed) : random(seed) {}

  BootTime now() const { return now_; }
  void At(BootTime when, std::function<void()> what) {
    events_.push_back({std::max(when, now_), next_++, std::move(what)});
    std::push_heap(events_.begin(), events_.end());
  }
  void After(Duration delay, std::function<void()> what) { At(now_ + delay, std::move(what)); }
  // Until nothing happens any more before `end`.
  void RunUntil(BootTime end) {
    while (!events_.empty() && events_.front().when < end) {
      std::pop_heap(events_.begin(), events_.end());
      const Event event = std::move(events_.back());
      events_.pop_back();
      now_ = event.when;
      event.what();
    }
    now_ = end;
  }

  double Uniform(double least, double most) { return std::uniform_real_distribution<double>(least, most)(random); }

  std::mt19937_64 random;

 private:
  struct Event {
    BootTime when;
    uint64_t sequence;
    std::function<void()> what;
    // The heap's front is the earliest.
    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : sequence > other.sequence;
    }
  };
  std::vector<Event> events_;
  uint64_t next_ = 0;
  BootTime now_{std::chrono::hours(1)};
};

}  // namespace holdfast::bench
