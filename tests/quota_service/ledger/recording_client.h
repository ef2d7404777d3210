#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "quota_service/ledger/ledger.h"

namespace holdfast::quota {

// Writes down what it is told, and when. Fails the test if it is told anything from inside a method of the ledger.
class RecordingClient final : public LedgerClient {
 public:
  // `inside` is true while a method of the ledger runs. Both outlive the client.
  RecordingClient(const Loop& loop, const bool& inside) : loop_(loop), inside_(inside) {}

  struct Waiting {
    BootTime at;
    WaitEstimate estimate;
  };
  std::vector<BootTime> granted;
  std::vector<Waiting> waiting;
  std::optional<Rejection> rejected;

  // What it does in the callback, after it has written it down.
  std::function<void()> on_granted = [] {};
  std::function<void()> on_waiting = [] {};
  std::function<void()> on_rejected = [] {};

  bool heard_nothing() const { return granted.empty() && waiting.empty() && !rejected; }

 private:
  void OnGranted() override {
    EXPECT_FALSE(inside_) << "granted from inside a method of the ledger";
    EXPECT_FALSE(rejected) << "granted after it was rejected";
    granted.push_back(loop_.Now());
    on_granted();
  }
  void OnWaiting(const WaitEstimate& estimate) override {
    EXPECT_FALSE(inside_) << "told from inside a method of the ledger";
    EXPECT_FALSE(rejected) << "told after it was rejected";
    EXPECT_NE(estimate.reason, WaitEstimate::Reason::kNone);
    EXPECT_GE(estimate.wait, Duration::zero());
    EXPECT_GE(estimate.position, 1);
    waiting.push_back({loop_.Now(), estimate});
    on_waiting();
  }
  void OnRejected(const Rejection& rejection) override {
    EXPECT_FALSE(inside_) << "rejected from inside a method of the ledger";
    EXPECT_FALSE(rejected) << "rejected twice";
    rejected = rejection;
    on_rejected();
  }

  const Loop& loop_;
  const bool& inside_;
};

}  // namespace holdfast::quota
