#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"

namespace holdfast::agent {

// One row of a session's log. The store reads none of the bytes.
struct LogRow {
  int64_t sequence = 0;  // from 1, without gaps; set by the store
  WallTime time;         // microseconds are kept
  int32_t type = 0;      // the field number of SessionEvent.kind
  int32_t schema_version = 1;
  std::string bytes;  // a serialized SessionEvent without its sequence
};

// What lists of sessions show; a cache of the log, written in the same transaction as the events that change it.
struct SessionRow {
  std::string tenant;
  std::string session_id;
  std::string title;
  std::string model;
  std::string workspace;
  WallTime created;
  WallTime updated;
  int64_t last_sequence = 0;  // set by the store
  bool running = false;       // a turn runs: to be taken up again at start
  std::string summary;        // opaque to the store: a serialized agent.v1.Session
};

struct AppendRequest {
  // The row as it is after these events; (tenant, session_id) is the key.
  SessionRow session;
  // 0: the session is made by this append. Another last sequence in the store: ABORTED, nothing written.
  int64_t expected_sequence = 0;
  // Fencing: a store that has seen a higher generation for this session refuses with ABORTED.
  int64_t generation = 0;
  // At least one.
  std::vector<LogRow> events;
};

struct SessionPage {
  std::vector<SessionRow> sessions;  // last updated first; ties by session_id
  std::string next_page_token;       // empty: the last page
};

// Where sessions live. Every method returns at once and works elsewhere; the callback runs on the executor that the
// store was made with, exactly once, in order of completion. Callable from any thread. Errors: NOT_FOUND (no such
// session of this tenant), ABORTED (sequence, generation), RESOURCE_EXHAUSTED (disk full), UNAVAILABLE (locked, I/O),
// DATA_LOSS (damaged). After OK from Append the events survive a power cut.
class Store {
 public:
  template <typename T>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<T>)>;
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Store() = default;

  // The one write. All events or none. Yields the last sequence.
  virtual void Append(AppendRequest request, Callback<int64_t> done) = 0;
  // Events after `after_sequence`, at most `limit` and at most about 8 MiB (at least one, if there is one).
  virtual void Read(std::string tenant, std::string session_id, int64_t after_sequence, int limit,
                    Callback<std::vector<LogRow>> done) = 0;
  virtual void GetSession(std::string tenant, std::string session_id, Callback<SessionRow> done) = 0;
  // `page_token` empty: the first page. A token that is not one of ours: INVALID_ARGUMENT.
  virtual void ListSessions(std::string tenant, int page_size, std::string page_token, Callback<SessionPage> done) = 0;
  // All tenants' sessions with a running turn.
  virtual void ListRunning(Callback<std::vector<SessionRow>> done) = 0;
  virtual void DeleteSession(std::string tenant, std::string session_id, Done done) = 0;
  // Greater than any generation that an earlier holder of this store had.
  virtual int64_t generation() const = 0;
};

}  // namespace holdfast::agent
