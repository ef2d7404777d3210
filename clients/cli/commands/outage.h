#pragma once

#include <optional>

#include "common/base/clock.h"

namespace holdfast::cli {

// How long a broken link is borne, and when people are told. Pure: time is passed in.
class Outage {
 public:
  // Shorter interruptions, such as a restart of the service, are nobody's business.
  static constexpr Duration kQuiet = std::chrono::seconds(1);

  enum class Step { kRetry, kAnnounceAndRetry, kGiveUp };

  explicit Outage(Duration bound) : bound_(bound) {}

  // The longest outage to bear; counts from the first failure after the last success.
  void set_bound(Duration bound) { bound_ = bound; }
  Step OnFailure(BootTime now);
  // True when the outage that ends here had been announced.
  bool OnSuccess();
  // People were told of the present one.
  bool announced() const { return announced_; }
  // What is left of the bound; all of it while the link holds.
  Duration Left(BootTime now) const;
  // Time to wait before the next attempt: 50 ms, doubling to 400 ms.
  Duration Pause() const;

 private:
  Duration bound_;
  std::optional<BootTime> since_;
  int failures_ = 0;
  bool announced_ = false;
};

}  // namespace holdfast::cli
