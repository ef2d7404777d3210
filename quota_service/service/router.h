#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quota_service/call/envelope.h"
#include "quota_service/config/config.h"

namespace holdfast::quota {

// Which upstream answers for a model, and which limits it shares. Made once from the configuration.
class Router {
 public:
  explicit Router(const QuotaConfig& config);

  struct Model {
    int64_t context_window = 0;  // 0: unknown
    std::vector<Route> routes;   // preferred first, at least one
  };
  // Every name has a route: what the configuration does not list goes to the first upstream under its own name.
  Model Find(const std::string& model) const;
  // The configuration names it, so that it may stand in metrics.
  bool Knows(const std::string& model) const;

  // Every model that the configuration names, with its first upstream's name; sorted.
  std::map<std::string, std::string> NamedModels() const;
  // The limit groups that the configuration describes.
  std::vector<LimitGroupOptions> ConfiguredGroups() const;
  const std::vector<std::shared_ptr<const Account>>& accounts() const { return accounts_; }

 private:
  struct Upstream {
    std::shared_ptr<const Account> account;
    std::vector<LimitConfig> limits;
  };
  Route RouteTo(const Upstream& upstream, const std::string& model) const;

  std::vector<Upstream> upstreams_;
  std::vector<std::shared_ptr<const Account>> accounts_;
  std::map<std::string, ModelConfig> models_;
};

}  // namespace holdfast::quota
