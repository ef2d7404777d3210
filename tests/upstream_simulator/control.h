#pragma once

#include <string>
#include <string_view>

#include "tests/upstream_simulator/simulator.h"

namespace holdfast::simulator {

struct ControlReply {
  unsigned status = 200;
  std::string body;  // JSON, except for GET /requests/N/body
};

// The control face: one request in, one answer out. Errors are {"error":"…"} with 400, 404 or 405.
ControlReply HandleControl(Simulator& simulator, std::string_view method, std::string_view path, std::string_view body,
                           Moment now);

}  // namespace holdfast::simulator
