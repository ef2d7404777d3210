#include "quota_service/service/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "quota_service/provider/profile.h"

namespace holdfast::quota {
namespace {

// A family is named by its first model, so that a group keeps its name when others join it.
std::string FamilyName(const LimitConfig& limit) { return limit.models.empty() ? "*" : limit.models.front(); }

std::string GroupName(const Account& account, const std::string& family) {
  return fmt::format("{}/{}", account.name, family);
}

}  // namespace

Router::Router(const QuotaConfig& config) {
  for (const UpstreamConfig& upstream : config.upstreams) {
    upstreams_.push_back({std::make_shared<const Account>(upstream.account), upstream.limits});
    accounts_.push_back(upstreams_.back().account);
  }
  for (const ModelConfig& model : config.models) models_[model.name] = model;
}

Route Router::RouteTo(const Upstream& upstream, const std::string& model) const {
  Route route{upstream.account, model, GroupName(*upstream.account, model)};
  for (const LimitConfig& limit : upstream.limits) {
    const bool listed = std::find(limit.models.begin(), limit.models.end(), model) != limit.models.end();
    if (listed) {
      route.group = GroupName(*upstream.account, FamilyName(limit));
      return route;
    }
    if (limit.models.empty()) route.group = GroupName(*upstream.account, FamilyName(limit));
  }
  return route;
}

Router::Model Router::Find(const std::string& name) const {
  Model model;
  const auto found = models_.find(name);
  if (found == models_.end()) {
    model.routes.push_back(RouteTo(upstreams_.front(), name));
    return model;
  }
  const ModelConfig& config = found->second;
  const std::string& upstream_model = config.upstream_model.empty() ? name : config.upstream_model;
  model.context_window = config.context_window;
  for (const std::string& wanted : config.upstreams) {
    for (const Upstream& upstream : upstreams_) {
      if (upstream.account->name == wanted) model.routes.push_back(RouteTo(upstream, upstream_model));
    }
  }
  if (model.routes.empty()) model.routes.push_back(RouteTo(upstreams_.front(), upstream_model));
  return model;
}

bool Router::Knows(const std::string& model) const {
  if (models_.contains(model)) return true;
  return std::any_of(upstreams_.begin(), upstreams_.end(), [&](const Upstream& upstream) {
    return std::any_of(upstream.limits.begin(), upstream.limits.end(), [&](const LimitConfig& limit) {
      return std::find(limit.models.begin(), limit.models.end(), model) != limit.models.end();
    });
  });
}

std::map<std::string, std::string> Router::NamedModels() const {
  std::map<std::string, std::string> named;
  for (const auto& [name, config] : models_) named[name] = Find(name).routes.front().account->name;
  for (const Upstream& upstream : upstreams_) {
    for (const LimitConfig& limit : upstream.limits) {
      for (const std::string& model : limit.models) named.emplace(model, upstream.account->name);
    }
  }
  return named;
}

std::vector<LimitGroupOptions> Router::ConfiguredGroups() const {
  std::vector<LimitGroupOptions> groups;
  for (const Upstream& upstream : upstreams_) {
    for (const LimitConfig& limit : upstream.limits) {
      LimitGroupOptions group{GroupName(*upstream.account, FamilyName(limit)), limit.limits, limit.concurrent};
      for (LimitSpec& spec : group.limits) {
        if (spec.per != std::chrono::minutes(1) || spec.kind != WindowKind::kContinuous) continue;
        const ProviderProfile& profile = ProfileOf(upstream.account->profile);
        spec.kind = profile.window;
        if (spec.dimension == Dimension::kRequests) spec.span = profile.requests_span;
      }
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

}  // namespace holdfast::quota
