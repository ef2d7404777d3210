#pragma once

#include <functional>
#include <string>
#include <vector>

#include "quota_service/call/exchange.h"

namespace holdfast::quota {

// Passes everything on to the exchange that it stands before, and writes down what the call said.
class SpyExchange final : public Exchange {
 public:
  struct Admission {
    int attempt;
    Duration waited;
  };

  explicit SpyExchange(Exchange& inner) : inner_(inner) {}

  std::vector<WaitNotice> waits;
  std::vector<Admission> admissions;
  std::vector<std::string> restarts;
  std::vector<CallOutcome> outcomes;
  // Run at the end of the callback of that name.
  std::function<void()> on_waiting;
  std::function<void()> on_admitted;
  std::function<void()> on_restarted;
  std::function<void()> on_finished;
  // Run after every event that the tap saw.
  std::function<void()> on_event;
  absl::Status body_error;
  int taps = 0;  // that exist

  absl::StatusOr<RequestBody> BuildBody(const Route& route) override {
    if (!body_error.ok()) return body_error;
    return inner_.BuildBody(route);
  }
  std::unique_ptr<Tap> NewTap(const Route& route) override {
    return std::make_unique<SpyTap>(inner_.NewTap(route), *this);
  }
  bool can_restart() const override { return inner_.can_restart(); }
  void OnWaiting(const WaitNotice& notice) override {
    waits.push_back(notice);
    inner_.OnWaiting(notice);
    if (on_waiting) on_waiting();
  }
  void OnAdmitted(const Route& route, int attempt, Duration waited) override {
    admissions.push_back({attempt, waited});
    inner_.OnAdmitted(route, attempt, waited);
    if (on_admitted) on_admitted();
  }
  void OnRestarted(const std::string& cause) override {
    restarts.push_back(cause);
    inner_.OnRestarted(cause);
    if (on_restarted) on_restarted();
  }
  void OnFinished(const CallOutcome& outcome) override {
    outcomes.push_back(outcome);
    inner_.OnFinished(outcome);
    if (on_finished) on_finished();
  }

 private:
  class SpyTap final : public Tap {
   public:
    SpyTap(std::unique_ptr<Tap> inner, SpyExchange& spy) : inner_(std::move(inner)), spy_(spy) { ++spy_.taps; }
    ~SpyTap() override { --spy_.taps; }
    Verdict OnEvent(const SseEvent& event) override {
      Verdict verdict = inner_->OnEvent(event);
      if (spy_.on_event) spy_.on_event();
      return verdict;
    }
    Verdict OnEndOfStream() override { return inner_->OnEndOfStream(); }

   private:
    std::unique_ptr<Tap> inner_;
    SpyExchange& spy_;
  };

  Exchange& inner_;
};

}  // namespace holdfast::quota
