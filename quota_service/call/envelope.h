#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "quota_service/appraisal/appraisal.h"
#include "quota_service/upstream/account.h"

namespace holdfast::quota {

// Every request of ours carries it to the upstream; one that comes with it has gone round in a circle.
inline constexpr char kHopHeader[] = "x-holdfast-hop";

// Where a call goes.
struct Route {
  std::shared_ptr<const Account> account;
  std::string model;       // as the upstream knows it
  std::string group;       // its limit group at the ledger
  int64_t output_cap = 0;  // to send; 0: what the request itself says
};

// What the state machine of a call knows about the request. The request itself stays with the Exchange.
struct Envelope {
  std::string tenant;
  std::string call_id;
  std::string session;
  std::string model;   // as the caller named it
  std::string digest;  // of everything that makes it this request and no other
  Route route;
  int64_t charge = 0;       // what the upstream's gate will charge, in tokens
  int64_t guessed = 0;      // of `charge`: may turn out not to be, and makes no call one that never fits
  bool background = false;  // nobody looks at it
  int64_t output_cap = 0;   // 0: none
  int64_t bytes = 0;        // of the request, as it is held in memory
  // Knows better than `charge` what the call needs, and learns from it. Null: `charge` is all that is known.
  std::shared_ptr<Appraisal> appraisal;
  Duration max_wait{};  // in queue and backoff, in all
};

}  // namespace holdfast::quota
