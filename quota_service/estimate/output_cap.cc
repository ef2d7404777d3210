#include "quota_service/estimate/output_cap.h"

#include <algorithm>
#include <utility>

namespace holdfast::quota {
namespace {

constexpr int64_t kUnknown = 4'096;  // until answers are known
// Above the answers that were seen, the less the more they are, as the gap above the longest of n shrinks with n: a
// quarter above 19, a fiftieth above 250.
constexpr double kRoom = 0.25;
constexpr int64_t kNear = 16;  // an answer that ends so near to its cap may have been cut
constexpr int64_t kRaise = 4;

// Answers of one history, sorted. Empty: too few to ask.
class History {
 public:
  explicit History(std::vector<int32_t> answers) : answers_(std::move(answers)) {
    if (answers_.size() < kAnswersForCap) answers_.clear();
    std::sort(answers_.begin(), answers_.end());
  }

  const std::vector<int32_t>& answers() const { return answers_; }
  bool empty() const { return answers_.empty(); }
  double Room() const { return 1 + kRoom * static_cast<double>(kAnswersForCap) / count(); }
  // Of the answers, those that were longer than `cap`.
  double Longer(int64_t cap) const { return LongerCount(cap) / count(); }
  double NextLonger(int64_t cap) const { return (LongerCount(cap) + 1) / (count() + 1); }

 private:
  double count() const { return static_cast<double>(answers_.size()); }
  double LongerCount(int64_t cap) const {
    return static_cast<double>(answers_.end() - std::upper_bound(answers_.begin(), answers_.end(), cap));
  }

  std::vector<int32_t> answers_;
};

double CutProbability(const History& own, const History& alike, int64_t cap) {
  if (own.empty()) return alike.NextLonger(cap);
  if (alike.empty()) return own.NextLonger(cap);
  return std::min(own.NextLonger(cap), std::max(alike.NextLonger(cap), own.Longer(cap)));
}

}  // namespace

int64_t SizeOutputCap(KnownAnswers known, int64_t input, int64_t most) {
  const auto within = [most](int64_t cap) { return std::min(std::max(cap, kLeastOutputCap), most); };
  const History own(std::move(known.own));
  const History alike(std::move(known.alike));
  if (own.empty() && alike.empty()) return within(kUnknown);
  int64_t best = most;
  auto least = static_cast<double>(most);
  for (const History* history : {&alike, &own}) {
    for (const int32_t answer : history->answers()) {
      const int64_t cap = within(static_cast<int64_t>(history->Room() * answer) + kNear);
      const double again = static_cast<double>(input) + static_cast<double>(RaiseOutputCap(cap, 0, most));
      const double charge = static_cast<double>(cap) + (cap < most ? CutProbability(own, alike, cap) * again : 0);
      if (charge < least) {
        least = charge;
        best = cap;
      }
    }
  }
  return best;
}

int64_t SafeOutputCap(const std::vector<int32_t>& outputs, int64_t most) {
  if (outputs.size() < kAnswersForSafeCap) return most;
  const int64_t longest = *std::max_element(outputs.begin(), outputs.end());
  return std::min(std::max(2 * longest, kLeastOutputCap), most);
}

int64_t RaiseOutputCap(int64_t cap, int raises, int64_t most) {
  if (raises > 0 || cap > most / kRaise) return most;
  return cap * kRaise;
}

}  // namespace holdfast::quota
