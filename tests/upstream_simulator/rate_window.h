#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

namespace holdfast::simulator {

__extension__ typedef __int128 Int128;

enum class WindowKind {
  kContinuous,  // OpenAI's bucket: capacity `limit`, refilled by limit/per at every moment
  kSliding,     // the sum over the last `per`
  kFixed,       // the sum since the last multiple of `per`, counted from `origin_ns`
};

struct RateLimit {
  std::int64_t limit = 1;   // 1 … 10^12 units per `per_ns`
  std::int64_t per_ns = 1;  // 1 ms … 10^16 ns
  WindowKind kind = WindowKind::kContinuous;
};

// One limit of one key, in exact integers. Moments are nanoseconds of one clock and never go back. Not thread-safe.
class RateWindow {
 public:
  RateWindow(RateLimit limit, std::int64_t used, std::int64_t origin_ns, std::int64_t now_ns);

  const RateLimit& limit() const { return limit_; }

  // True iff used + requested <= limit.
  bool Fits(std::int64_t requested, std::int64_t now_ns) const;
  void Charge(std::int64_t requested, std::int64_t now_ns);
  void SetUsed(std::int64_t used, std::int64_t now_ns);

  // Whole units, rounded up, so that a refusal always shows used + requested > limit.
  std::int64_t Used(std::int64_t now_ns) const;
  // Whole units, rounded down; 0 when nothing is left.
  std::int64_t Remaining(std::int64_t now_ns) const;
  // Nanoseconds, rounded up, until nothing is used any more.
  std::int64_t ResetNs(std::int64_t now_ns) const;

  // The moment from which `requested` fits, given what was charged before; it lies in the past when it fits already:
  // for the bucket by slack/refill, for the two others not before the last charge (fixed: not before the running
  // window). Requires requested <= limit.
  std::int64_t FitsFromNs(std::int64_t requested, std::int64_t now_ns) const;

  // The milliseconds that a refusal names. For the bucket floor((used + requested - limit) / limit * per) of the whole
  // numbers that the text shows, as facts about OpenAI say; for the two others the time until it fits, rounded up.
  std::int64_t WaitMs(std::int64_t requested, std::int64_t now_ns) const;

 private:
  struct Charged {
    std::int64_t at_ns;
    std::int64_t units;
  };

  // used × per_ns, so that the bucket loses exactly `limit` per nanosecond.
  Int128 ScaledUsed(std::int64_t now_ns) const;
  std::int64_t WindowStart(std::int64_t now_ns) const;

  RateLimit limit_;
  std::int64_t origin_ns_;
  std::int64_t last_ns_;          // the last charge or correction
  Int128 scaled_ = 0;             // continuous: the scaled level at last_ns_
  std::deque<Charged> charges_;   // sliding: those that counted at last_ns_, oldest first
  std::int64_t window_used_ = 0;  // fixed: in the window that holds last_ns_
};

// "continuous", "sliding", "fixed".
std::string_view WindowKindName(WindowKind kind);

}  // namespace holdfast::simulator
