#include "quota_service/budget/daily_budget.h"

#include <algorithm>
#include <limits>

namespace holdfast::quota {
namespace {

int64_t DayOf(WallTime now) { return std::chrono::floor<std::chrono::days>(now).time_since_epoch().count(); }

int64_t SaturatedSum(int64_t a, int64_t b) {
  return a > std::numeric_limits<int64_t>::max() - b ? std::numeric_limits<int64_t>::max() : a + b;
}

}  // namespace

void DailyBudget::TurnTo(WallTime now) {
  const int64_t day = DayOf(now);
  if (day > state_.day) {
    state_ = {.day = day};
  } else if (day < state_.day - 1) {
    state_.day = day;
  }
}

int64_t DailyBudget::spent(WallTime now) {
  TurnTo(now);
  return state_.spent;
}

bool DailyBudget::Reserve(WallTime now, int64_t tokens) {
  if (tokens > left(now)) return false;
  reserved_ += tokens;
  return true;
}

bool DailyBudget::Spend(WallTime now, int64_t tokens) {
  TurnTo(now);
  state_.spent = SaturatedSum(state_.spent, std::max<int64_t>(0, tokens));
  if (state_.warned || static_cast<double>(state_.spent) < limit_.warning * static_cast<double>(limit())) return false;
  state_.warned = true;
  return true;
}

bool DailyBudget::warned(WallTime now) {
  TurnTo(now);
  return state_.warned;
}

WallTime DailyBudget::Reset(WallTime now) {
  TurnTo(now);
  return WallTime(std::chrono::days(state_.day + 1));
}

Duration DailyBudget::UntilReset(WallTime now) { return std::max<Duration>(Reset(now) - now, Duration(1)); }

BudgetState DailyBudget::Export(WallTime now) {
  TurnTo(now);
  return state_;
}

void DailyBudget::Restore(WallTime now, const BudgetState& state) {
  state_ = state;
  state_.spent = std::max<int64_t>(0, state.spent);
  TurnTo(now);
}

}  // namespace holdfast::quota
