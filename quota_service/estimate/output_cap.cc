#include "quota_service/estimate/output_cap.h"

#include <algorithm>

#include "quota_service/estimate/recent_samples.h"

namespace holdfast::quota {
namespace {

constexpr int64_t kUnknown = 4'096;  // until answers are known
constexpr double kRoom = 1.25;
constexpr int64_t kRaise = 4;

}  // namespace

int64_t SizeOutputCap(std::vector<int32_t> outputs, int64_t input, int64_t most) {
  const auto within = [most](int64_t cap) { return std::min(std::max(cap, kLeastOutputCap), most); };
  if (outputs.size() < SamplesFor(0.95)) return within(kUnknown);
  std::sort(outputs.begin(), outputs.end());
  int64_t best = most;
  auto least = static_cast<double>(most);
  for (auto it = outputs.rbegin(); it != outputs.rend(); ++it) {
    const int64_t cap = within(static_cast<int64_t>(kRoom * *it));
    const auto longer = outputs.end() - std::upper_bound(outputs.begin(), outputs.end(), cap);
    // One more than was seen: what has not happened yet may.
    const double cut = static_cast<double>(longer + 1) / static_cast<double>(outputs.size() + 1);
    const double again = static_cast<double>(input) + static_cast<double>(RaiseOutputCap(cap, 0, most));
    const double charge = static_cast<double>(cap) + (cap < most ? cut * again : 0);
    if (charge < least) {
      least = charge;
      best = cap;
    }
  }
  return best;
}

int64_t SafeOutputCap(const std::vector<int32_t>& outputs, int64_t most) {
  if (outputs.size() < SamplesFor(0.99)) return most;
  const int64_t longest = *std::max_element(outputs.begin(), outputs.end());
  return std::min(std::max(2 * longest, kLeastOutputCap), most);
}

int64_t RaiseOutputCap(int64_t cap, int raises, int64_t most) {
  if (raises > 0 || cap > most / kRaise) return most;
  return cap * kRaise;
}

}  // namespace holdfast::quota
