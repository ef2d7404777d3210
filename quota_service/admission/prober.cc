#include "quota_service/admission/prober.h"

#include <algorithm>

namespace holdfast::quota {
namespace {

constexpr int kEnough = 3;
constexpr Duration kShortest = std::chrono::minutes(1);
constexpr Duration kLongest = std::chrono::minutes(30);

}  // namespace

void Prober::OnAnswer(bool counted) { uncounted_ = counted ? 0 : uncounted_ + 1; }

bool Prober::Due(BootTime now) const { return uncounted_ >= kEnough && !under_way_ && now >= next_; }

std::optional<BootTime> Prober::next() const {
  return uncounted_ >= kEnough && !under_way_ ? std::optional(next_) : std::nullopt;
}

void Prober::Sent(BootTime now, RequestId id) {
  under_way_ = id;
  next_ = now + interval_;
}

bool Prober::Taken(BootTime now, RequestId id) {
  if (!NotSent(id)) return false;
  interval_ = kShortest;
  next_ = now + interval_;
  return true;
}

bool Prober::Refused(BootTime now, RequestId id) {
  if (!NotSent(id)) return false;
  interval_ = std::min(2 * interval_, kLongest);
  next_ = now + interval_;
  return true;
}

bool Prober::NotSent(RequestId id) {
  if (under_way_ != id) return false;
  under_way_.reset();
  return true;
}

}  // namespace holdfast::quota
