#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "clients/cli/commands/agent_client.h"
#include "clients/cli/tools/cancel_token.h"

namespace holdfast::cli {

// The lease of a session's tools while this client has it: renewed by a thread of its own, also while a tool runs or a
// question waits, until it is released, or the server says that it has moved. Learns thereby that a turn is over while
// a tool still runs for it.
class HeldLease {
 public:
  // `client` outlives it.
  HeldLease(AgentClient& client, std::string session_id, int64_t generation);
  HeldLease(const HeldLease&) = delete;
  HeldLease& operator=(const HeldLease&) = delete;
  // Releases it, as far as the server is reachable.
  ~HeldLease();

  int64_t generation() const { return generation_; }
  // It has moved: nothing may be started any more.
  bool lost() const { return lost_.load(); }

  // `cancel` is cancelled once `turn_id` is found not to run any more. Null: nothing is. It outlives the next call.
  void CancelWithTurn(std::string turn_id, const CancelToken* cancel);

 private:
  void Renew();
  // With the mutex held.
  void LookAt(const grpc::Status& status, const agent::v1::Lease& lease);

  AgentClient& client_;
  const std::string session_id_;
  const int64_t generation_;
  std::atomic<bool> lost_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::string turn_id_;
  const CancelToken* cancel_ = nullptr;
  std::thread renewing_;
};

}  // namespace holdfast::cli
