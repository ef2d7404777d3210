#include "bench/policies/limit_watch.h"

#include <cmath>

namespace holdfast::bench {

void LimitWatch::OnChange(BootTime now, double from, double to) {
  changed_ = now;
  Lesson lesson;
  lesson.from = from;
  lesson.to = to;
  lessons_.push_back(lesson);
}

void LimitWatch::OnSent(const Belief& belief) {
  if (Lesson* lesson = Open(); lesson != nullptr && belief.remaining <= -1) ++lesson->probes;
}

void LimitWatch::OnAnswer(BootTime now, const Answer& answer, const Belief& belief) {
  Lesson* lesson = Open();
  if (lesson == nullptr || answer.made < changed_) return;
  constexpr double kTolerance = 0.01;
  ++lesson->responses;
  lesson->took = now - changed_;
  lesson->learnt = std::abs(belief.limit - lesson->to) <= kTolerance * lesson->to;
}

}  // namespace holdfast::bench
