#pragma once

#include <prometheus/registry.h>

#include <memory>

#include "absl/status/statusor.h"
#include "common/base/address.h"

namespace prometheus {
class Exposer;
}

namespace holdfast {

// Serves a registry at http://<address>/metrics, on threads of its own.
class MetricsEndpoint {
 public:
  // UNAVAILABLE names the address that could not be bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const Address& address,
                                                                const std::shared_ptr<prometheus::Registry>& registry);
  ~MetricsEndpoint();

  // With the port that was chosen.
  const Address& address() const { return address_; }

 private:
  MetricsEndpoint() = default;

  Address address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace holdfast
