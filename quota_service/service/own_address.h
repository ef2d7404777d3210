#pragma once

#include <string>

#include "common/base/address.h"

namespace holdfast::quota {

// Whether a request to `base_url` (http(s)://host[:port]/…) from this machine would arrive at `listener`, whatever name
// or address it uses. Resolves names, and blocks for that, only where the ports are equal. What cannot be resolved is
// not ours.
bool ReachesListener(const std::string& base_url, const Address& listener);

}  // namespace holdfast::quota
