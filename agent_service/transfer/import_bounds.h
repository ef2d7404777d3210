#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "agent_service/session/session_state.h"

namespace holdfast::agent {

// What the events of an imported log may ask of whoever reads them later. A file of a few megabytes can have a session
// restored a hundred thousand times, each of which copies the conversation: every reading of such a session would keep
// the service from all others. No log that agent_service writes itself comes near. Pure.
class ImportBounds {
 public:
  // Of conversation that is copied by restoring, or searched for the call of a result; an item counts for kItemBytes
  // more than it has.
  static constexpr int64_t kMostWork = int64_t{1} << 30;
  static constexpr int64_t kItemBytes = 256;

  // The next event, with its sequence. INVALID_ARGUMENT names its field. After an error it is of no more use.
  absl::Status Take(const v1::SessionEvent& event);
  // Of the conversation so far; more in a log that no session would write.
  uint32_t items() const { return now_.items; }

 private:
  // The conversation after an event.
  struct Mark {
    int64_t bytes = 0;
    uint32_t items = 0;
    uint32_t open = 0;  // calls of tools without a result
  };
  absl::Status TakeRestored(const v1::SessionEvent& event);
  // How many calls the running turn waits for.
  uint32_t OpenTools() const;

  SessionState head_ = SessionState().Head();
  Mark now_;
  uint32_t left_open_ = 0;   // of turns that another turn cut off
  std::vector<Mark> marks_;  // one after each event
  int64_t work_ = 0;
};

}  // namespace holdfast::agent
