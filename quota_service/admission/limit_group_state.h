#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "quota_service/admission/gauge.h"
#include "quota_service/admission/mirror.h"
#include "quota_service/retry/failure.h"

namespace holdfast::quota {

// What is to be kept of a limit group's knowledge across restarts; who waits and who is under way is not part of it.
struct LimitGroupState {
  struct Limit {
    Dimension dimension = Dimension::kTokens;  // not concurrency
    WindowKind kind = WindowKind::kContinuous;
    double limit = 0;  // positive
    Duration per{};    // positive
    LimitSource source = LimitSource::kConfigured;
    double level = 0;  // at most `limit`; negative: owed

    bool operator==(const Limit&) const = default;
  };
  std::string name;
  std::vector<Limit> limits;
  std::optional<int64_t> concurrent;
  LimitSource concurrent_source = LimitSource::kConfigured;
  bool learnt = false;  // an answer has come

  bool operator==(const LimitGroupState&) const = default;
};

}  // namespace holdfast::quota
