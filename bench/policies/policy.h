#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/policies/provider.h"

namespace holdfast::bench {

// One model call of an agent session.
struct Call {
  std::string tenant;
  double weight = 1;
  std::string session;
  Request request;
  BootTime submitted{};
  Duration patience{};
  std::function<void(bool done)> on_end;  // once
  // What the policy writes down:
  std::optional<Duration> announced;  // the first announced wait, and the bounds of four waits of five
  Duration least{};
  Duration most{};
  std::optional<BootTime> sent;  // the time that was admitted
};

// How calls meet the provider's limit.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual void Submit(std::shared_ptr<Call> call) = 0;
};

struct PolicyMaker {
  std::string name;
  std::function<std::unique_ptr<Policy>(World&, Provider&, const ProviderOptions&)> make;
};

// Today's clients and gateways, each on its own, and then one queue for all.
std::vector<PolicyMaker> Policies();

}  // namespace holdfast::bench
