#pragma once

#include "clients/cli/commands/outage.h"

namespace holdfast::cli {

// Who is told about the link while a call is tried again and again. Called on the thread that makes the calls.
class LinkObserver {
 public:
  virtual ~LinkObserver() = default;
  // Lasts for a second already.
  virtual void OnLinkLost() = 0;
  // After OnLinkLost only.
  virtual void OnLinkBack() = 0;
  // Several times a second while a call is under way or awaited.
  virtual void OnIdle() = 0;
};

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
  // False: the bound is reached.
  bool MayRetry() {
    switch (outage_.OnFailure(BootClock::now())) {
      case Outage::Step::kGiveUp:
        return false;
      case Outage::Step::kAnnounceAndRetry:
        observer_.OnLinkLost();
        return true;
      default:
        return true;
    }
  }

 private:
  Outage outage_;
  LinkObserver& observer_;
};

}  // namespace holdfast::cli
