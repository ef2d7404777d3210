#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent_service/service/identity.h"
#include "agent_service/store/store.h"
#include "common/base/loop.h"

namespace holdfast::agent {

// Until tenants are configured all sessions are of tenant "default"; from then on no token may reach them any more, and
// they are in nobody's list. Finds that out, once, as soon as quota_service tells. On the loop.
class StrandedSessions {
 public:
  // `tell` gets what to say. References outlive this.
  StrandedSessions(Loop& loop, Store& store, Identity& identity, std::function<void(const std::string&)> tell);

  void Look();
  // Store and identity are not used any more.
  void Stop();

 private:
  void Ask();

  Loop& loop_;
  Store& store_;
  Identity& identity_;
  std::function<void(const std::string&)> tell_;
  std::unique_ptr<Loop::Timer> again_;
  std::string count_;  // in words
  bool stopped_ = false;
};

}  // namespace holdfast::agent
