#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent_service/host/active_session.h"
#include "agent_service/host/session_copies.h"

namespace holdfast::agent {

// The sessions that are in memory: loaded when somebody asks for them, let go when nothing runs, or only waits for a
// client, and nobody watches. On the loop.
class SessionHost {
 public:
  template <typename T>
  using Reply = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  explicit SessionHost(SessionServices services);

  // Takes up every turn that was running when the store was last closed, or killed. `done` when each of them was tried
  // once. What the store cannot read at present is tried again every second, and is stalled meanwhile. Once.
  void ResumeRunning(absl::AnyInvocable<void()> done);

  // `use` gets the session, loaded, or NOT_FOUND and the store's errors. Afterwards it may be let go.
  void With(const std::string& tenant, const std::string& session_id,
            absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<ActiveSession>>)> use);
  // `default_model`: for a request without one. ALREADY_EXISTS: its key made a session of another model or workspace.
  void Create(const std::string& tenant, const v1::CreateSessionRequest& request, const std::string& default_model,
              Reply<v1::Session> reply);
  void Delete(const std::string& tenant, const std::string& session_id, absl::AnyInvocable<void(absl::Status)> done);

  SessionCopies& copies() { return copies_; }

  // Watchers end; turns are left as they are in the store.
  void Close();

  size_t active() const { return sessions_.size(); }

 private:
  using Key = std::pair<std::string, std::string>;
  using Use = absl::AnyInvocable<void(absl::StatusOr<std::shared_ptr<ActiveSession>>)>;

  struct Entry {
    std::shared_ptr<ActiveSession> session;
    bool loaded = false;
    std::vector<Use> waiting;  // until it is loaded
  };

  void ListRunning();
  void TakeUp(const Key& key, absl::AnyInvocable<void()> tried);
  void TryAgain();
  void Sweep();
  void LetIdleGo();

  SessionServices services_;
  SessionCopies copies_{services_};
  KnownModels models_{services_.loop, services_.quota};
  const BootTime began_;
  std::map<Key, Entry> sessions_;
  std::unique_ptr<Loop::Timer> sweep_;
  absl::AnyInvocable<void()> resumed_;  // until each running turn was tried once
  bool list_again_ = false;
  std::set<Key> unread_;  // with a running turn, and the store could not read them
  bool closed_ = false;
};

}  // namespace holdfast::agent
