#include "quota_service/frontdoor/responses/response_index.h"

namespace holdfast::quota {

bool ResponseIndex::Lives(const KnownResponse& response, WallTime now) const {
  return now - response.made < bounds_.lifetime;
}

std::vector<ResponseKey> ResponseIndex::Remember(ResponseKey key, KnownResponse response) {
  const WallTime now = response.made;
  const auto [place, is_new] = responses_.try_emplace(std::move(key));
  if (!is_new) order_.erase(place->second.place);
  order_.push_back(place);
  place->second = {std::move(response), std::prev(order_.end())};

  std::vector<ResponseKey> forgotten;
  while (responses_.size() > bounds_.responses || !Lives(order_.front()->second.response, now)) {
    forgotten.push_back(order_.front()->first);
    responses_.erase(order_.front());
    order_.pop_front();
  }
  return forgotten;
}

ResponseIndex::Found ResponseIndex::Find(const std::string& id, const std::string& tenant, WallTime now) const {
  Found found;
  for (auto at = responses_.lower_bound({id, ""}); at != responses_.end() && at->first.id == id; ++at) {
    if (!Lives(at->second.response, now)) continue;
    if (at->first.tenant == tenant) return {.own = &at->second.response, .of_others = false};
    found.of_others = true;
  }
  return found;
}

}  // namespace holdfast::quota
