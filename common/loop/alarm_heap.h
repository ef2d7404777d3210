#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/clock.h"

namespace holdfast {

// What is to ring, in the order of its moments; of the same moment, what was armed first. Pure. Alarms are the
// caller's, and know their place, so that each is moved or taken out in a time that grows with the logarithm of how
// many there are.
class AlarmHeap {
 public:
  struct Alarm {
    static constexpr size_t kNowhere = SIZE_MAX;

    bool armed() const { return place != kNowhere; }

    BootTime when{};
    uint64_t number = 0;  // of the arming
    size_t place = kNowhere;
  };

  // `alarm` is not armed, and stays where it is in memory until it is taken out.
  void Add(Alarm* alarm, BootTime when);
  // Does nothing where it is not armed.
  void Remove(Alarm* alarm);

  bool empty() const { return alarms_.empty(); }
  // Not of an empty heap.
  Alarm* first() const { return alarms_.front(); }

 private:
  static bool Before(const Alarm* a, const Alarm* b) {
    return a->when != b->when ? a->when < b->when : a->number < b->number;
  }
  void Put(Alarm* alarm, size_t place);
  void Rise(Alarm* alarm, size_t place);
  void Sink(Alarm* alarm, size_t place);

  std::vector<Alarm*> alarms_;
  uint64_t next_number_ = 0;
};

}  // namespace holdfast
