#include "bench/policies/result.h"

#include <algorithm>

namespace holdfast::bench {

double Forecasts::coverage() const {
  return errors.empty() ? 0 : static_cast<double>(covered) / static_cast<double>(errors.size());
}

int Result::without_task() const {
  return static_cast<int>(
      std::count_if(sessions.begin(), sessions.end(), [](const auto& named) { return named.second.tasks_done == 0; }));
}

double Result::Jain() const {
  double sum = 0;
  double squares = 0;
  for (const auto& [name, share] : sessions) {
    const double served = share.tokens / share.weight;
    sum += served;
    squares += served * served;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(sessions.size()) * squares) : 0;
}

double Quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto nth = values.begin() + static_cast<ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace holdfast::bench
