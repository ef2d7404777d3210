#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace holdfast::quota {

// A response that an upstream may be asked to go on from.
struct KnownResponse {
  std::string account;  // of the upstream that made it
  std::string model;    // as its caller named it
  int64_t tokens = 0;   // of its prompt and its answer
  WallTime made{};

  friend bool operator==(const KnownResponse&, const KnownResponse&) = default;
};

// Two tenants may have a response of the same id: an upstream may derive ids from what it was asked.
struct ResponseKey {
  std::string id;
  std::string tenant;

  friend auto operator<=>(const ResponseKey&, const ResponseKey&) = default;
};

// Who made which response, and for whom: the newest so many, for so long. Pure.
class ResponseIndex {
 public:
  struct Bounds {
    size_t responses = 100'000;
    Duration lifetime = std::chrono::hours(24 * 30);
  };
  struct Found {
    const KnownResponse* own = nullptr;  // until the index changes
    bool of_others = false;              // known, but of other tenants alone
  };

  ResponseIndex() : ResponseIndex(Bounds{}) {}
  explicit ResponseIndex(Bounds bounds) : bounds_(bounds) {}

  // In place of what was known by this key. Returns what was forgotten for it, by age or for room.
  std::vector<ResponseKey> Remember(ResponseKey key, KnownResponse response);
  Found Find(const std::string& id, const std::string& tenant, WallTime now) const;

  size_t size() const { return responses_.size(); }

 private:
  struct Entry;
  using Entries = std::map<ResponseKey, Entry>;
  struct Entry {
    KnownResponse response;
    std::list<Entries::iterator>::iterator place;
  };

  bool Lives(const KnownResponse& response, WallTime now) const;

  Bounds bounds_;
  Entries responses_;
  std::list<Entries::iterator> order_;  // as they were remembered, oldest first
};

}  // namespace holdfast::quota
