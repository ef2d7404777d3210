#include "common/metrics/endpoint.h"

#include <fmt/format.h>
#include <prometheus/exposer.h>

#include <exception>

namespace holdfast {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const Address& address, const std::shared_ptr<prometheus::Registry>& registry) {
  std::unique_ptr<MetricsEndpoint> endpoint(new MetricsEndpoint);
  try {
    endpoint->exposer_ = std::make_unique<prometheus::Exposer>(address.ToString(), 1);
    endpoint->exposer_->RegisterCollectable(registry);
    endpoint->address_ = address;
    endpoint->address_.port = static_cast<uint16_t>(endpoint->exposer_->GetListeningPorts().front());
  } catch (const std::exception& e) {
    return absl::UnavailableError(fmt::format("cannot listen on {} for metrics: {}", address.ToString(), e.what()));
  }
  return endpoint;
}

MetricsEndpoint::~MetricsEndpoint() = default;

}  // namespace holdfast
