#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quota_service/call/exchange.h"

namespace holdfast::quota {

// A call that is passed through as it came, as the HTTP front door will: the body is the caller's, events reach it
// byte for byte, and it cannot be told to begin again. What an attempt sends before its output is held back, so that
// another attempt may take its place unseen.
class RawExchange final : public Exchange {
 public:
  explicit RawExchange(std::string body) : body_(std::move(body)) {}

  // What the caller was sent.
  const std::string& passed_on() const { return passed_on_; }

  absl::StatusOr<RequestBody> BuildBody(const Route&) override { return RequestBody{"/responses", body_}; }
  std::unique_ptr<Tap> NewTap(const Route& route) override;
  bool can_restart() const override { return false; }
  void OnWaiting(const WaitNotice&) override {}
  void OnAdmitted(const Route&, int, Duration) override {}
  void OnRestarted(const std::string&) override {}
  void OnFinished(const CallOutcome&) override {}

 private:
  class RawTap;

  std::string body_;
  std::string passed_on_;
};

}  // namespace holdfast::quota
