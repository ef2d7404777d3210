#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent_service/store/store.h"
#include "common/rpc/server_stream.h"
#include "holdfast/agent/v1/agent.pb.h"

namespace holdfast::agent {

// One client that watches a session: first what is in the store after its cursor, then what happens. The session knows
// it from the start, so nothing falls between the two. On the loop.
class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  // What the watcher needs of its session, which outlives it.
  struct Session {
    std::string tenant;
    std::string session_id;
    std::function<int64_t()> last_sequence;
    std::function<void(Watcher*)> on_caught_up;
    std::function<void(Watcher*)> on_gone;  // last; the watcher may be let go in it
  };

  Watcher(ServerStream<v1::WatchEvent>* stream, Store& store, Session session, int64_t after_sequence);

  void Begin();
  // A committed event; ignored while the store is still being read, which will bring it.
  void OnCommitted(const v1::SessionEvent& event);
  // Dropped unless live.
  void OnTransient(const v1::WatchEvent& event);
  void End(grpc::Status status);

 private:
  void ReadOn();
  void Send(v1::WatchEvent event);

  ServerStream<v1::WatchEvent>* stream_;
  Store& store_;
  Session session_;
  int64_t cursor_;
  bool live_ = false;
  bool reading_ = false;
};

}  // namespace holdfast::agent
