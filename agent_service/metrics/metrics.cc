#include "agent_service/metrics/metrics.h"

namespace holdfast::agent {

Metrics::Metrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      turns_(prometheus::BuildCounter()
                 .Name("holdfast_turns_total")
                 .Help("Turns that ended, by outcome.")
                 .Register(*registry_)),
      sessions_(
          prometheus::BuildGauge()
              .Name("holdfast_sessions")
              .Help("Sessions in memory (active), and those of them that the store keeps from going on (stalled).")
              .Register(*registry_)),
      active_(sessions_.Add({{"state", "active"}})),
      stalled_(sessions_.Add({{"state", "stalled"}})) {}

}  // namespace holdfast::agent
