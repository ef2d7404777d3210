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

  // What an answer showed to be less than there would be without others. One burst of theirs is met by all that were
  // under way.
  struct Missing {
    double for_sure = 0;  // whatever order requests of ours arrived in; at least 0
    // If they arrived in the order in which they were sent, beside what other answers had shown by then; below 0: there
    // was more.
    double likely = 0;
    double met = 0;        // beside what there was thought to be when it was sent
    bool refused = false;  // so that it did not fit
  };
  // Of a request that was sent `unread` after the latest reading.
  Serial Observe(Duration unread, const Missing& missing);
  // The same answer has told more exactly.
  void Amend(Serial serial, const Missing& missing);

  // Room to leave when nothing was read for `unread`, so that about one send of two hundred meets less than there was
  // thought to be. 0 until any use by others was proven, and again when none is likely any more.
  double Margin(Duration unread) const;
  // Units a second that are likely taken; 0 where nothing is proven.
  double rate() const { return proven_ ? rate_ : 0; }

 private:
  struct Reading {
    Serial serial;
    double seconds;
    Missing missing;
  };
  void Learn();

  std::deque<Reading> readings_;  // the latest last
  Serial next_ = 0;
  bool proven_ = false;
  double rate_ = 0;   // likely, a second
  double stray_ = 0;  // per square root of a second
};

}  // namespace holdfast::quota
