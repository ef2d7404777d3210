#pragma once

#include <string>
#include <vector>

#include "tests/e2e/killed_session.h"

namespace holdfast::test {

// What a kill has changed, against the same session undisturbed.
struct KillFindings {
  int events_missing = 0;        // acknowledged, and not in the log with the same bytes
  int answers_twice = 0;         // committed for a model call after its first
  int side_effects_twice = 0;    // runs of a command after its first
  int ambiguous = 0;             // tool calls whose result says that they may have run
  int extra_upstream = 0;        // calls to which the upstream gave output, beyond the undisturbed
  quota::v1::Wait longest_wait;  // of those that were announced for the limit
  // All else that differs, and should not.
  std::vector<std::string> troubles;

  void Add(const KillFindings& other);
};

KillFindings Compare(const Evidence& undisturbed, const Evidence& killed);

}  // namespace holdfast::test
