#pragma once

#include "absl/status/status.h"
#include "common/base/clock.h"

namespace holdfast::agent {

// The store may take it, or read it, later; what it calls damaged, wrong or not there stays so.
bool MayPass(const absl::Status& status);

// The store takes nothing of anybody now (a full disk, a lock, an error of the disk): no fault of what was to be
// written.
bool IsStoresOwn(const absl::Status& status);

// What a client is told when the store did not take something: where that may pass (a lock, a full disk) UNAVAILABLE,
// and the time after which to try again goes with it. By that clients tell it from a service that is not there.
absl::Status StoreRefusal(const absl::Status& status, Duration retry = std::chrono::seconds(1));

}  // namespace holdfast::agent
