#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>

namespace holdfast::agent {

// The RPCs of a client that gRPC has not let go of. Any thread.
class RpcsUnderWay {
 public:
  class Rpc {
   public:
    virtual ~Rpc() = default;
    // Hastens the end.
    virtual void Abort() = 0;
  };

  void Add(const std::shared_ptr<Rpc>& rpc) {
    const std::lock_guard lock(mutex_);
    rpcs_[rpc.get()] = rpc;
  }
  // The last that is done for the RPC, which may be gone already.
  void Remove(const Rpc* rpc) {
    const std::lock_guard lock(mutex_);
    rpcs_.erase(rpc);
    changed_.notify_all();
  }
  // Nothing is added meanwhile.
  void AbortAllAndWait() {
    std::unique_lock lock(mutex_);
    const auto present = rpcs_;
    lock.unlock();
    for (const auto& [key, weak] : present) {
      if (const auto rpc = weak.lock()) rpc->Abort();
    }
    lock.lock();
    changed_.wait(lock, [this] { return rpcs_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<const Rpc*, std::weak_ptr<Rpc>> rpcs_;
};

}  // namespace holdfast::agent
