#include "quota_service/admission/limit_group_state.h"

#include <algorithm>

#include "quota_service/admission/limit_group.h"

namespace holdfast::quota {
namespace {

// What was learnt longer ago may have changed: one call goes first then, and its headers set the level.
constexpr Duration kFresh = std::chrono::hours(24);
constexpr Duration kMostAge = std::chrono::hours(24 * 366);

bool SameWindow(const Mirror& mirror, const LimitGroupState::Limit& limit) {
  return mirror.kind() == limit.kind && mirror.gauge().per() == limit.per;
}

}  // namespace

LimitGroupState LimitGroup::Export(BootTime now) const {
  LimitGroupState state;
  state.name = name_;
  for (const Limit& limit : limits_) {
    if (limit.of) continue;
    const Gauge& gauge = limit.mirror.gauge();
    state.limits.push_back({.dimension = limit.dimension,
                            .kind = limit.mirror.kind(),
                            .limit = gauge.limit(),
                            .per = gauge.per(),
                            .source = limit.mirror.source(),
                            .level = gauge.Level(now)});
  }
  state.concurrent = concurrent_;
  state.concurrent_source = concurrent_source_;
  state.learnt = learnt_;
  return state;
}

void LimitGroup::Restore(BootTime now, const LimitGroupState& state, Duration age) {
  age = std::clamp(age, Duration::zero(), kMostAge);
  for (const LimitGroupState::Limit& kept : state.limits) {
    auto here = std::find_if(limits_.begin(), limits_.end(), [&](const Limit& limit) {
      return !limit.of && limit.dimension == kept.dimension && SameWindow(limit.mirror, kept);
    });
    if (kept.source != LimitSource::kConfigured) {
      Limit learnt{kept.dimension, Mirror(kept.kind, kept.limit, kept.per, kept.source)};
      if (here == limits_.end()) {
        limits_.push_back(std::move(learnt));
        here = std::prev(limits_.end());
      } else {
        here->mirror = std::move(learnt.mirror);
      }
    } else if (here == limits_.end()) {
      continue;  // the configuration has it no more
    }
    // All of it at the moment of saving: a bucket refills from there, a window is whole when it has passed since.
    if (const double used = kept.limit - kept.level; used > 0) here->mirror.TakeOver(now - age, used);
  }
  FollowSizes(now);
  if (state.concurrent && state.concurrent_source != LimitSource::kConfigured) LearnConcurrency(*state.concurrent);
  learnt_ = state.learnt && age <= kFresh;
}

}  // namespace holdfast::quota
