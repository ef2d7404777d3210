#pragma once

#include <prometheus/registry.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/address.h"

namespace holdfast {

// Serves a registry at http://<address>/metrics, on a thread of its own: a large page delays no call.
class MetricsEndpoint {
 public:
  // UNAVAILABLE names the address that could not be bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const Address& address,
                                                                std::shared_ptr<prometheus::Registry> registry);
  ~MetricsEndpoint();

  // With the port that was chosen.
  const Address& address() const;

 private:
  struct Impl;
  explicit MetricsEndpoint(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast
