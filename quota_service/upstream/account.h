#pragma once

#include <string>

#include "common/base/clock.h"

namespace holdfast::quota {

// One upstream account: where it is and the key that pays. The key goes nowhere but into this account's requests.
struct Account {
  std::string name;
  std::string base_url;           // without a slash at the end
  std::string profile;            // see provider/profile.h
  std::string dialect;            // "responses" or "chat"
  std::string api_key;            // empty: no Authorization header
  bool lower_output_cap = false;  // below what callers ask for, where the provider charges it for good
  Duration connect_timeout = std::chrono::seconds(10);
  Duration stall_timeout = std::chrono::seconds(300);  // the longest silence between two events
  Duration run_timeout = std::chrono::hours(1);        // of a call: its attempts, from sending to end
};

}  // namespace holdfast::quota
