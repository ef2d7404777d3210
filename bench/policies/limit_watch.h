#pragma once

#include <optional>
#include <vector>

#include "bench/policies/provider.h"

namespace holdfast::bench {

// What a policy believes of the limit on tokens at a moment.
struct Belief {
  double limit = 0;
  double remaining = 0;  // negative: it has sent more than it believes in
};

// How a policy comes to know that the limit has changed.
class LimitWatch {
 public:
  struct Lesson {
    double from = 0;
    double to = 0;
    bool learnt = false;  // it believes in the new limit, to 1 %
    int responses = 0;    // from the gate as it is now, until then
    int probes = 0;       // of requests sent since, those that went beyond what it believed to be there
    Duration took{};
  };

  void OnChange(BootTime now, double from, double to);
  // `belief`: after the request was sent.
  void OnSent(const Belief& belief);
  // `belief`: after the policy has taken note of the answer.
  void OnAnswer(BootTime now, const Answer& answer, const Belief& belief);

  // Oldest first; only the latest change is still being learnt.
  const std::vector<Lesson>& lessons() const { return lessons_; }

 private:
  Lesson* Open() { return lessons_.empty() || lessons_.back().learnt ? nullptr : &lessons_.back(); }

  std::vector<Lesson> lessons_;
  BootTime changed_{};
};

}  // namespace holdfast::bench
