#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "agent_service/session/restore_work.h"
#include "agent_service/session/session_state.h"

namespace holdfast::agent {

// What the events of an imported log may ask of whoever reads them later: what agent_service itself would have written,
// and no more work. Of restorings that is RestoreWork's bound, which RestoreSession keeps too. Matching results with
// calls is bounded here alone: a log of our own does not come near, unless models ask for thousands of tools at once
// over and over. Pure.
class ImportBounds {
 public:
  // Of matching the results of tools with the calls that are open when they come.
  static constexpr int64_t kMostMatches = int64_t{1} << 26;

  // The next event, with its sequence. INVALID_ARGUMENT names its field. After an error it is of no more use.
  absl::Status Take(const v1::SessionEvent& event);
  // Of the conversation so far; more in a log that no session would write.
  uint32_t items() const { return work_.items(); }

 private:
  SessionState head_ = SessionState().Head();
  RestoreWork work_;
  int64_t matches_ = 0;
};

}  // namespace holdfast::agent
