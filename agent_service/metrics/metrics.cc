#include "agent_service/metrics/metrics.h"

namespace holdfast::agent {

Metrics::Metrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      turns_(prometheus::BuildCounter()
                 .Name("holdfast_turns_total")
                 .Help("Turns that ended, by outcome.")
                 .Register(*registry_)),
      active_(prometheus::BuildGauge()
                  .Name("holdfast_sessions")
                  .Help("Sessions in memory: those that run or are watched.")
                  .Register(*registry_)
                  .Add({{"state", "active"}})) {}

}  // namespace holdfast::agent
