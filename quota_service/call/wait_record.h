#pragma once

#include <optional>

#include "common/base/clock.h"
#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {

// How long a call has waited, in one wait or several, and what was said of them. Pure: the time is passed in.
class WaitRecord {
 public:
  // A wait begins, maybe right behind another one. Nothing is known of it yet.
  void Begin(BootTime now);
  // It is over; what was last said of it stays.
  void End(BootTime now);

  // All waits together.
  Duration Total(BootTime now) const { return waiting_ ? total_ + (now - began_) : total_; }
  BootTime began() const { return began_; }  // the latest one

  // How long the latest wait is to be, as its owner says; again and again.
  void Hear(const WaitEstimate& estimate, BootTime now);
  // As it was heard last, and with what is left of its wait by now. Absent: nothing was heard.
  const std::optional<WaitEstimate>& heard() const { return heard_; }
  std::optional<WaitEstimate> Left(BootTime now) const;

  // The caller is told that it waits for `wait` from now. The first time since TakeForecastError counts.
  void Announce(Duration wait, BootTime now);
  // Seconds by which all waits together were longer than first announced; absent: nothing was.
  std::optional<double> TakeForecastError(BootTime now);

 private:
  bool waiting_ = false;
  Duration total_{};  // without the one that is under way
  BootTime began_{};
  std::optional<WaitEstimate> heard_;
  BootTime ends_{};  // by heard_
  std::optional<Duration> announced_;
};

}  // namespace holdfast::quota
