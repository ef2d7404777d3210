#include "quota_service/admission/returns.h"

namespace holdfast::quota {
namespace {

// Tools run between two calls of an agent.
constexpr Duration kSoon = std::chrono::seconds(30);
constexpr double kGain = 0.05;
// Where more end at a time, these are sample enough.
constexpr size_t kMostWatched = 256;

}  // namespace

void Returns::Ended(BootTime now, uint64_t session) {
  Expire(now);
  if (order_.size() >= kMostWatched) return;
  ended_[session] = now;
  order_.emplace_back(now, session);
}

void Returns::Came(BootTime now, uint64_t session) {
  Expire(now);
  if (!ended_.empty() && ended_.erase(session) > 0) Learn(true);
}

void Returns::Expire(BootTime now) {
  while (!order_.empty() && order_.front().first + kSoon < now) {
    const auto found = ended_.find(order_.front().second);
    if (found != ended_.end() && found->second == order_.front().first) {
      ended_.erase(found);
      Learn(false);
    }
    order_.pop_front();
  }
}

void Returns::Learn(bool came_back) { rate_ += kGain * ((came_back ? 1 : 0) - rate_); }

}  // namespace holdfast::quota
