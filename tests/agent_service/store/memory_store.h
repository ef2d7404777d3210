#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "agent_service/store/executor.h"
#include "agent_service/store/rules.h"
#include "agent_service/store/store.h"

namespace holdfast::agent {

// A Store in memory for tests: what SqliteStore does, without a disk or a thread of its own, and with faults on demand.
// Each method works at once and posts its callback to the executor. Callable from any thread.
class MemoryStore final : public Store {
 public:
  // An executor that runs what it is given later (a loop's Post) keeps the promise that no callback runs inside its
  // call.
  explicit MemoryStore(Executor executor, int64_t generation = 1);
  // Lets go of held appends.
  ~MemoryStore() override;

  // The next `count` appends write nothing and yield `status`.
  void FailNextAppends(int count, absl::Status status);
  // Appends wait, in order, until ReleaseAppends applies them; deletions wait behind them, reads do not.
  void HoldAppends();
  void ReleaseAppends();
  // Writes that wait now.
  int held() const;

  void Append(AppendRequest request, Callback<int64_t> done) override;
  void Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
            Callback<std::vector<LogRow>> done) override;
  void GetSession(std::string tenant, std::string session_id, Callback<SessionRow> done) override;
  void ListSessions(std::string tenant, int page_size, std::string page_token, Callback<SessionPage> done) override;
  void ListRunning(Callback<std::vector<SessionRow>> done) override;
  void DeleteSession(std::string tenant, std::string session_id, Done done) override;
  int64_t generation() const override { return generation_; }

 private:
  using Key = std::pair<std::string, std::string>;  // tenant, session_id
  struct Session {
    SessionRow row;
    int64_t generation = 0;
    std::vector<LogRow> log;
  };
  using Write = absl::AnyInvocable<void()>;

  template <typename T>
  void Finish(Callback<T> done, absl::StatusOr<T> result);
  // These hold mutex_.
  void WriteOrHold(Write write);
  absl::StatusOr<int64_t> Apply(AppendRequest request);
  absl::StatusOr<std::vector<LogRow>> ReadLog(const Key& key, int64_t after_sequence, int limit) const;
  absl::StatusOr<SessionPage> Page(const std::string& tenant, int page_size, const std::string& page_token) const;

  const Executor executor_;
  const int64_t generation_;
  mutable std::mutex mutex_;
  std::map<Key, Session> sessions_;
  int failures_left_ = 0;
  absl::Status failure_;
  bool holding_ = false;
  std::deque<Write> held_;
};

}  // namespace holdfast::agent
