#include "bench/policies/play.h"

namespace holdfast::bench {

Result Play(const PolicyMaker& maker, const Scenario& scenario, uint64_t seed, const Workload::OnCall& on_call) {
  Result result;
  World world(seed);
  Provider provider(world, scenario.provider);
  LimitWatch watch;
  const auto policy = maker.make(world, provider, scenario.provider);
  policy->set_watch(&watch);
  const Workload sessions(world, *policy, scenario.workload, scenario.provider.charge, result, on_call);
  const BootTime begin = world.now();
  double limit = scenario.provider.tokens_per_minute;
  for (const LimitChange& change : scenario.changes) {
    world.At(begin + change.after, [&world, &provider, &watch, from = limit, to = change.tokens_per_minute] {
      provider.SetLimit(to);
      watch.OnChange(world.now(), from, to);
    });
    limit = change.tokens_per_minute;
  }
  world.RunUntil(begin + scenario.workload.length);
  provider.Waits(0);

  const double offered = provider.offered();
  result.useful /= offered;
  result.charged = provider.charged() / offered;
  result.foreign = provider.foreign() / offered;
  const Provider::Bound& bound = provider.bound();
  result.use = bound.offered > 0 ? 1 - bound.lost / bound.offered : 1;
  result.bound = ToSeconds(bound.time) / ToSeconds(scenario.workload.length);
  result.admissions = provider.admissions();
  result.refusals = provider.refusals();
  result.lessons = watch.lessons();
  double held = 0;
  for (const auto& [name, share] : result.sessions) held += share.held_for;
  result.backlogged = held / ToSeconds(scenario.workload.length) / static_cast<double>(result.sessions.size());
  return result;
}

}  // namespace holdfast::bench
