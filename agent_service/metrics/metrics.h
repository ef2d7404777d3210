#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>

#include "agent_service/host/active_session.h"

namespace holdfast::agent {

// The Prometheus metrics of docs/metrics.md. Written on the loop; scraped from the exporter's threads.
class Metrics final : public SessionObserver {
 public:
  Metrics();

  std::shared_ptr<prometheus::Registry> registry() const { return registry_; }

  // Sessions in memory: those that run or are watched.
  void SetActiveSessions(size_t count) { active_.Set(static_cast<double>(count)); }
  // Sessions that the store keeps from going on.
  void SetStalledSessions(size_t count) { stalled_.Set(static_cast<double>(count)); }
  void OnTurnEnded(const std::string& outcome) override { turns_.Add({{"outcome", outcome}}).Increment(); }

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& turns_;
  prometheus::Family<prometheus::Gauge>& sessions_;
  prometheus::Gauge& active_;
  prometheus::Gauge& stalled_;
};

}  // namespace holdfast::agent
