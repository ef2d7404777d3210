#pragma once

#include <grpcpp/client_context.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "holdfast/agent/v1/agent.grpc.pb.h"

namespace holdfast::test {

// Watches a session from its first event, as a client of agent_service would, through any number of restarts, and keeps
// every event that was acknowledged. A thread of its own.
class SessionWatcher {
 public:
  // Where the session is, as far as the watcher was told.
  struct Place {
    int turn = 0;        // counts from 1; of the newest turn
    int64_t events = 0;  // but for waits: how many there are depends on the machine
    bool waiting = false;
    bool streaming = false;
  };

  SessionWatcher(std::shared_ptr<agent::v1::AgentService::StubInterface> stub, std::string session_id);
  ~SessionWatcher();
  SessionWatcher(const SessionWatcher&) = delete;
  SessionWatcher& operator=(const SessionWatcher&) = delete;

  Place place() const;
  // The bytes of each durable event that came, by sequence.
  std::map<int64_t, std::string> acknowledged() const;

 private:
  void Watch();
  void Take(const agent::v1::WatchEvent& event);

  const std::shared_ptr<agent::v1::AgentService::StubInterface> stub_;
  const std::string session_id_;
  mutable std::mutex mutex_;
  std::map<int64_t, std::string> acknowledged_;
  Place place_;
  bool stopping_ = false;
  grpc::ClientContext* open_ = nullptr;  // the stream that is being read
  std::thread reading_;
};

}  // namespace holdfast::test
