#pragma once

#include "quota_service/checkpoint/checkpoint_store.h"

namespace holdfast::quota {

inline CheckpointState SomeState(int64_t spent = 900) {
  CheckpointState state;
  state.saved = WallTime(std::chrono::seconds(1'800'000'000));
  state.budgets["web-team"] = {.day = 20'833, .spent = spent, .warned = true};
  state.budgets["a"] = {.day = 20'833};
  state.upstreams["openai"] = "https://api.openai.com/v1";
  LimitGroupState group;
  group.name = "openai/o4-mini";
  group.limits = {{.dimension = Dimension::kTokens,
                   .kind = WindowKind::kContinuous,
                   .limit = 200'000,
                   .per = std::chrono::minutes(1),
                   .source = LimitSource::kHeaders,
                   .level = 39'807.125},
                  {.dimension = Dimension::kRequests,
                   .kind = WindowKind::kFixed,
                   .limit = 500,
                   .per = std::chrono::seconds(10),
                   .source = LimitSource::kRefusal,
                   .level = -0.1}};
  group.concurrent = 64;
  group.concurrent_source = LimitSource::kRefusal;
  group.learnt = true;
  state.groups = {group};
  return state;
}

}  // namespace holdfast::quota
