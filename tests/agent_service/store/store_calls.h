#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent_service/store/store.h"

namespace holdfast::agent {

// Long enough that only a hang meets it.
inline constexpr std::chrono::seconds kTestDeadline{60};

// The outcome of one callback, and how often it came.
template <typename Outcome>
class Awaited {
 public:
  absl::AnyInvocable<void(Outcome)> Callback() {
    return [state = state_](Outcome outcome) { state->set_value(std::move(outcome)); };
  }
  // DEADLINE_EXCEEDED if the callback does not come; a second call would throw in set_value.
  Outcome Get() {
    std::future<Outcome> future = state_->get_future();
    if (future.wait_for(kTestDeadline) != std::future_status::ready) {
      return absl::DeadlineExceededError("the callback did not come");
    }
    return future.get();
  }

 private:
  std::shared_ptr<std::promise<Outcome>> state_ = std::make_shared<std::promise<Outcome>>();
};

// A Store as plain calls that wait, for tests. Callable from any thread but the executor's.
class StoreCalls {
 public:
  explicit StoreCalls(Store* store) : store_(store) {}

  absl::StatusOr<int64_t> Append(AppendRequest request);
  absl::StatusOr<std::vector<LogRow>> Read(const std::string& tenant, const std::string& id, int64_t after = 0,
                                           int limit = 1000);
  absl::StatusOr<SessionRow> Get(const std::string& tenant, const std::string& id);
  absl::StatusOr<SessionPage> List(const std::string& tenant, int page_size, const std::string& token = "");
  absl::StatusOr<std::vector<SessionRow>> Running();
  absl::Status Delete(const std::string& tenant, const std::string& id);

 private:
  Store* store_;
};

// `count` events after `expected`, whose bytes are EventBytes.
AppendRequest MakeAppend(const std::string& tenant, const std::string& id, int64_t expected, int count = 1,
                         int64_t generation = 1);
std::string EventBytes(const std::string& id, int64_t sequence);
// Seconds after an arbitrary moment; with microseconds.
WallTime TestTime(int64_t seconds);
std::vector<std::string> Ids(const std::vector<SessionRow>& sessions);

}  // namespace holdfast::agent
