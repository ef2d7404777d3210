#pragma once

#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace holdfast::quota {

// Whether a limit may have been raised, of which no header tells: now and then, while somebody waits, one request is
// sent clearly before the mirror has room for it. If it is taken, the limit is believed to be twice as large, and the
// first refusal after that tells how large it is, or that it was not. Probes come a minute apart at first, after a
// refusal twice as far, at most half an hour.
class Prober {
 public:
  using RequestId = uint64_t;

  // An answer came, with or without a count of what remains.
  void OnAnswer(bool counted);
  // No header tells, and it is time.
  bool Due(BootTime now) const;
  // Empty: none will be, by time alone.
  std::optional<BootTime> next() const;
  void Sent(BootTime now, RequestId id);
  // How a probe that is under way ended; of other requests nothing happens. True: it was a probe.
  bool Taken(BootTime now, RequestId id);
  bool Refused(BootTime now, RequestId id);
  bool NotSent(RequestId id);

 private:
  int uncounted_ = 0;  // answers in a row
  std::optional<RequestId> under_way_;
  BootTime next_{};
  Duration interval_ = std::chrono::minutes(1);
};

}  // namespace holdfast::quota
