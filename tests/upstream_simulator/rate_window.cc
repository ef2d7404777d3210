#include "tests/upstream_simulator/rate_window.h"

#include <algorithm>
#include <limits>

namespace holdfast::simulator {
namespace {

// Rounds towards plus infinity; `divisor` is positive.
Int128 DivideUp(Int128 value, Int128 divisor) {
  const Int128 quotient = value / divisor;
  return value % divisor > 0 ? quotient + 1 : quotient;
}

std::int64_t Narrow(Int128 value) {
  const Int128 low = std::numeric_limits<std::int64_t>::min();
  const Int128 high = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(value, low, high));
}

}  // namespace

std::string_view WindowKindName(WindowKind kind) {
  switch (kind) {
    case WindowKind::kContinuous:
      return "continuous";
    case WindowKind::kSliding:
      return "sliding";
    case WindowKind::kFixed:
      return "fixed";
  }
  return "continuous";
}

RateWindow::RateWindow(RateLimit limit, std::int64_t used, std::int64_t origin_ns, std::int64_t now_ns)
    : limit_(limit), origin_ns_(origin_ns), last_ns_(now_ns) {
  SetUsed(used, now_ns);
}

Int128 RateWindow::ScaledUsed(std::int64_t now_ns) const {
  const Int128 per = limit_.per_ns;
  switch (limit_.kind) {
    case WindowKind::kContinuous:
      return std::max<Int128>(0, scaled_ - Int128{limit_.limit} * (now_ns - last_ns_));
    case WindowKind::kSliding: {
      Int128 sum = 0;
      for (const Charged& charged : charges_) {
        if (charged.at_ns + limit_.per_ns > now_ns) sum += charged.units;
      }
      return sum * per;
    }
    case WindowKind::kFixed:
      return WindowStart(now_ns) == WindowStart(last_ns_) ? Int128{window_used_} * per : 0;
  }
  return 0;
}

std::int64_t RateWindow::WindowStart(std::int64_t now_ns) const {
  return now_ns - (now_ns - origin_ns_) % limit_.per_ns;
}

bool RateWindow::Fits(std::int64_t requested, std::int64_t now_ns) const {
  const Int128 per = limit_.per_ns;
  return ScaledUsed(now_ns) + requested * per <= limit_.limit * per;
}

void RateWindow::Charge(std::int64_t requested, std::int64_t now_ns) {
  const Int128 before = ScaledUsed(now_ns);
  scaled_ = before + Int128{requested} * limit_.per_ns;
  window_used_ = Narrow(before / limit_.per_ns + requested);
  while (!charges_.empty() && charges_.front().at_ns + limit_.per_ns <= now_ns) charges_.pop_front();
  if (limit_.kind == WindowKind::kSliding) charges_.push_back({now_ns, requested});
  last_ns_ = now_ns;
}

void RateWindow::SetUsed(std::int64_t used, std::int64_t now_ns) {
  scaled_ = 0;
  window_used_ = 0;
  charges_.clear();
  last_ns_ = now_ns;
  Charge(used, now_ns);
}

std::int64_t RateWindow::Used(std::int64_t now_ns) const { return Narrow(DivideUp(ScaledUsed(now_ns), limit_.per_ns)); }

std::int64_t RateWindow::Remaining(std::int64_t now_ns) const {
  return std::max<std::int64_t>(0, limit_.limit - Used(now_ns));
}

std::int64_t RateWindow::ResetNs(std::int64_t now_ns) const {
  const Int128 used = ScaledUsed(now_ns);
  if (used == 0) return 0;
  switch (limit_.kind) {
    case WindowKind::kContinuous:
      return Narrow(DivideUp(used, limit_.limit));
    case WindowKind::kSliding:
      return charges_.back().at_ns + limit_.per_ns - now_ns;
    case WindowKind::kFixed:
      return WindowStart(now_ns) + limit_.per_ns - now_ns;
  }
  return 0;
}

std::int64_t RateWindow::FitsFromNs(std::int64_t requested, std::int64_t now_ns) const {
  const Int128 per = limit_.per_ns;
  switch (limit_.kind) {
    case WindowKind::kContinuous:
      return Narrow(last_ns_ + DivideUp(scaled_ + (Int128{requested} - limit_.limit) * per, limit_.limit));
    case WindowKind::kSliding: {
      Int128 sum = requested;
      for (const Charged& charged : charges_) sum += charged.units;
      std::int64_t moment = last_ns_;
      for (const Charged& charged : charges_) {
        if (sum <= limit_.limit) break;
        sum -= charged.units;
        moment = charged.at_ns + limit_.per_ns;
      }
      return moment;
    }
    case WindowKind::kFixed: {
      const std::int64_t start = WindowStart(now_ns);
      if (!Fits(requested, now_ns)) return start + limit_.per_ns;
      return std::max(start, last_ns_);
    }
  }
  return now_ns;
}

std::int64_t RateWindow::WaitMs(std::int64_t requested, std::int64_t now_ns) const {
  if (limit_.kind == WindowKind::kContinuous) {
    const Int128 missing = Int128{Used(now_ns)} + requested - limit_.limit;
    return Narrow(std::max<Int128>(0, missing) * limit_.per_ns / (Int128{limit_.limit} * 1'000'000));
  }
  const std::int64_t wait_ns = std::max<std::int64_t>(0, FitsFromNs(requested, now_ns) - now_ns);
  return Narrow(DivideUp(wait_ns, 1'000'000));
}

}  // namespace holdfast::simulator
