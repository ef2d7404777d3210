#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "clients/cli/commands/outage.h"
#include "common/rpc/status.h"

namespace holdfast::cli {

// Who is told about the link while a call is tried again and again. Called on the thread that makes the calls.
class LinkObserver {
 public:
  virtual ~LinkObserver() = default;
  // Lasts for a second already. `reason`: the service's own, where it can be reached and cannot go on; else empty.
  // Again where the reason changes.
  virtual void OnLinkLost(const std::string& reason) = 0;
  // After OnLinkLost only.
  virtual void OnLinkBack() = 0;
  // Several times a second while a call is under way or awaited.
  virtual void OnIdle() = 0;
};

// Why the service itself says that it cannot go on at present; empty where nothing was heard of it. What it says is
// told from gRPC's own words by the time after which it asks to be tried again.
inline std::string ServersReason(const grpc::Status& status) {
  const bool own = status.error_code() == grpc::StatusCode::UNAVAILABLE && DetailsOf(status).retry_delay.has_value();
  return own ? status.error_message() : std::string();
}

// The link to agent_service during a turn: one outage, whatever calls it shows in.
class Link {
 public:
  // `observer` outlives the link.
  Link(Duration bound, LinkObserver& observer) : outage_(bound), observer_(observer) {}

  Outage& outage() { return outage_; }
  LinkObserver& observer() { return observer_; }

  void Holds() {
    if (outage_.OnSuccess()) observer_.OnLinkBack();
  }
  // After a call that failed with `status`. False: the bound is reached.
  bool MayRetry(const grpc::Status& status) {
    const std::string reason = ServersReason(status);
    const Outage::Step step = outage_.OnFailure(BootClock::now());
    if (step == Outage::Step::kGiveUp) return false;
    if (step == Outage::Step::kAnnounceAndRetry || (outage_.announced() && reason != told_)) {
      told_ = reason;
      observer_.OnLinkLost(reason);
    }
    return true;
  }

 private:
  Outage outage_;
  LinkObserver& observer_;
  std::string told_;
};

}  // namespace holdfast::cli
