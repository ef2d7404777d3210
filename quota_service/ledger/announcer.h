#pragma once

#include <optional>

#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {

// Decides when a waiter is told again: at once, then when its position or reason changes or its end moves by a tenth of
// what is left, at most once a second. Pure.
class Announcer {
 public:
  bool ShouldTell(BootTime now, const WaitEstimate& estimate);

 private:
  struct Told {
    BootTime at;
    BootTime end;
    int position;
    WaitEstimate::Reason reason;
  };
  std::optional<Told> told_;
};

}  // namespace holdfast::quota
