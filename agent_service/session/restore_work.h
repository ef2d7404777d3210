#pragma once

#include <cstdint>
#include <vector>

#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// How much of a conversation the restorings of its log copy. Each one copies what it goes back to, so that a log of a
// few megabytes can ask for any amount of work from whoever reads it; every reading of such a session would keep the
// service from all others. RestoreSession and imports refuse by this one count, so that what a session was restored to
// here can be imported elsewhere. Pure.
class RestoreWork {
 public:
  // Bytes of all restorings of a log; an item counts for kItemBytes more than it has.
  static constexpr int64_t kMost = int64_t{1} << 30;
  static constexpr int64_t kItemBytes = 256;

  struct Turn {
    bool runs = false;
    uint32_t open_tools = 0;  // that it waits for
  };

  // The next event, and the turn that runs before and after it.
  void Apply(const v1::SessionEvent& event, Turn before, Turn after);
  // The session may be restored to right after this event once more. Of events that are not there: to nothing.
  bool Admits(int64_t to_sequence) const;
  // Of the conversation so far; more in a log that no session would write.
  uint32_t items() const { return now_.items; }

 private:
  // The conversation after an event.
  struct Mark {
    int64_t sequence = 0;
    int64_t bytes = 0;
    uint32_t items = 0;
    uint32_t open = 0;  // calls of tools without a result
  };
  // The conversation that restoring to this event leaves.
  Mark RestoredTo(int64_t sequence) const;

  Mark now_;
  uint32_t left_open_ = 0;   // of turns that another turn cut off
  std::vector<Mark> marks_;  // one after each event
  int64_t work_ = 0;
};

}  // namespace holdfast::agent
