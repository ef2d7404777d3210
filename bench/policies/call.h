#pragma once

#include <functional>
#include <optional>
#include <string>

#include "bench/policies/provider.h"

namespace holdfast::bench {

// One model call of an agent session.
struct Call {
  enum class Outcome { kDone, kOutOfPatience, kRefused };

  std::string tenant;
  double weight = 1;
  std::string session;
  bool background = false;
  Request request;
  BootTime submitted{};
  Duration patience{};
  bool asks_for_forecast = true;
  std::function<void()> on_end;  // once

  // What becomes of it:
  std::optional<Duration> announced;  // the first announced wait, and the bounds of four waits of five
  Duration least{};
  Duration most{};
  BootTime sent{};  // the last time
  bool held = false;
  BootTime held_since{};
  Duration held_for{};
  int refusals = 0;
  Outcome outcome = Outcome::kDone;
  Usage usage;  // of kDone

  Duration wait() const { return sent - submitted; }
};

}  // namespace holdfast::bench
