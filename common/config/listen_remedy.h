#pragma once

#include <string>

#include "absl/status/status.h"

namespace holdfast {

// Why a service cannot listen, with where to name another address. `what`: "grpc", "http" or "metrics".
inline absl::Status WithListenRemedy(const absl::Status& status, const std::string& what) {
  const std::string why(status.message());
  return absl::Status(status.code(), why + " (name another address with --" + what + " or listen." + what + ")");
}

}  // namespace holdfast
