#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "quota_service/estimate/request_shape.h"

namespace holdfast::quota {

// How real tokens compare with an expectation of them.
struct Ratio {
  double expected = 1;   // k, as a factor
  double deviation = 0;  // mean absolute
  double q90 = 1;        // nine in ten are at most this
};

// Real tokens over RequestShape::text, of one model's latest requests, and what they say of another request: that which
// the requests most like it did. So C++, JSON and Chinese each get their own factor and spread, with no list of
// scripts, and a tokenizer that nobody has seeds for is learnt.
class RatioMemory {
 public:
  static constexpr size_t kMost = 1024;   // requests that are remembered
  static constexpr size_t kNearest = 32;  // that are asked

  void Add(const RequestShape& shape, double ratio);
  // What is missing of kNearest is made up by the seed.
  Ratio Near(const RequestShape& shape) const;

 private:
  struct Sample {
    std::array<float, kTextClasses> shares;
    float ratio;
  };
  std::vector<Sample> samples_;
  size_t next_ = 0;
};

}  // namespace holdfast::quota
