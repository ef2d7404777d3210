#include "common/loop/alarm_heap.h"

namespace holdfast {

void AlarmHeap::Add(Alarm* alarm, BootTime when) {
  alarm->when = when;
  alarm->number = next_number_++;
  alarms_.push_back(alarm);
  Rise(alarm, alarms_.size() - 1);
}

void AlarmHeap::Remove(Alarm* alarm) {
  if (!alarm->armed()) return;
  const size_t hole = alarm->place;
  alarm->place = Alarm::kNowhere;
  Alarm* const last = alarms_.back();
  alarms_.pop_back();
  if (last == alarm) return;
  Rise(last, hole);
  Sink(last, last->place);
}

void AlarmHeap::Put(Alarm* alarm, size_t place) {
  alarms_[place] = alarm;
  alarm->place = place;
}

void AlarmHeap::Rise(Alarm* alarm, size_t place) {
  while (place > 0 && Before(alarm, alarms_[(place - 1) / 2])) {
    Put(alarms_[(place - 1) / 2], place);
    place = (place - 1) / 2;
  }
  Put(alarm, place);
}

void AlarmHeap::Sink(Alarm* alarm, size_t place) {
  while (true) {
    size_t child = 2 * place + 1;
    if (child >= alarms_.size()) break;
    if (child + 1 < alarms_.size() && Before(alarms_[child + 1], alarms_[child])) ++child;
    if (!Before(alarms_[child], alarm)) break;
    Put(alarms_[child], place);
    place = child;
  }
  Put(alarm, place);
}

}  // namespace holdfast
