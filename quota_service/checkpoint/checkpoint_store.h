#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "common/base/clock.h"
#include "quota_service/admission/limit_group_state.h"
#include "quota_service/budget/daily_budget.h"

namespace holdfast::quota {

// What quota_service knows that a restart must not forget.
struct CheckpointState {
  WallTime saved{};                              // when it was so
  std::map<std::string, BudgetState> budgets;    // by tenant
  std::map<std::string, std::string> upstreams;  // by name, where each was: what is known of groups is known of there
  std::vector<LimitGroupState> groups;

  // But for the time.
  bool Same(const CheckpointState& other) const {
    return budgets == other.budgets && upstreams == other.upstreams && groups == other.groups;
  }
};

// Where the checkpoint is kept.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  // In place of what was kept before, or not at all. `done` comes later, on the loop, unless the store goes first.
  virtual void Save(CheckpointState state, absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace holdfast::quota
