#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "agent_service/config/config.h"
#include "common/base/address.h"

namespace holdfast::agent {

// The whole of agent_service, put together: loop, store, sessions, the link to quota_service, and the listeners.
// main.cc runs one; tests too.
class AgentServer {
 public:
  // kStop: SIGTERM and SIGINT do what Stop does, from here on; a second one ends the process at once.
  enum class Signals { kIgnore, kStop };

  // Listens when it returns; running turns are taken up as soon as it runs. The store's errors, or UNAVAILABLE with the
  // address.
  static absl::StatusOr<std::unique_ptr<AgentServer>> Start(const AgentConfig& config,
                                                            Signals signals = Signals::kIgnore);
  // Stops it first, if need be, on this thread, which may not be the loop's.
  ~AgentServer();

  const Address& grpc() const;
  const Address& metrics() const;

  // Makes this thread the loop, until it has stopped.
  void Run();
  // Watchers end with UNAVAILABLE; turns stay running in the store and go on in the next process. Any thread; returns
  // at once.
  void Stop();

 private:
  struct Impl;
  explicit AgentServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::agent
