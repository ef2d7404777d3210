#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "common/base/clock.h"

namespace holdfast::quota {

// What others take of a limit that we share with them: users of the same key whom we cannot see. Each reading of the
// level tells what went missing since the reading before it was acted on. From these: a rate, and how far what goes
// missing strays from it, which grows with the square root of the time as it does for bursts that are independent.
class ForeignUse {
 public:
  using Serial = uint64_t;

  // What an answer showed to be less than there would be without others.
  struct Missing {
    double for_sure = 0;  // whatever order requests of ours arrived in; at least 0
    double likely = 0;    // if they arrived in the order in which they were sent; below 0: there was more
  };
  // Of a request that was sent `unread` after the latest reading.
  Serial Observe(Duration unread, const Missing& missing);
  // The same answer has told more exactly.
  void Amend(Serial serial, const Missing& missing);

  // Room to leave when nothing was read for `unread`, so that about one send of two hundred meets less than there was
  // thought to be. 0 until any use by others was seen, and again when none was for a while.
  double Margin(Duration unread) const;
  // Units a second that are taken for sure.
  double rate() const { return sure_rate_; }

 private:
  struct Reading {
    Serial serial;
    double seconds;
    Missing missing;
  };
  void Learn();

  std::deque<Reading> readings_;  // the latest last
  Serial next_ = 0;
  size_t seen_ = 0;  // readings that prove any use by others
  double sure_rate_ = 0;
  double rate_ = 0;   // likely, a second
  double stray_ = 0;  // per square root of a second
};

}  // namespace holdfast::quota
