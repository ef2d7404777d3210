#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent_service/store/rules.h"
#include "agent_service/store/store.h"
#include "common/sqlite/sqlite.h"

namespace holdfast::agent {

// The statements that change sessions, prepared once. Each method runs inside a transaction of the caller, who undoes
// what an error left half done. One thread at a time; borrows the connection.
class SessionWriter {
 public:
  static absl::StatusOr<SessionWriter> Create(sqlite::Connection& connection);

  // `request` has passed CheckAppend; `checks` are its RowChecks.
  absl::Status Append(const AppendRequest& request, std::span<const int64_t> checks);
  absl::Status Delete(const std::string& tenant, const std::string& session_id);

 private:
  SessionWriter(sqlite::Statement head, sqlite::Statement insert_event, sqlite::Statement insert_session,
                sqlite::Statement advance_session, sqlite::Statement move_session, sqlite::Statement delete_session,
                sqlite::Statement delete_log);
  absl::StatusOr<std::optional<SessionHead>> ReadHead(const std::string& tenant, const std::string& session_id);
  absl::Status InsertEvent(const SessionRow& session, int64_t sequence, const LogRow& event, int64_t check);
  absl::Status InsertSession(const SessionRow& session, int64_t last_sequence, int64_t generation);
  // False: the store has no such session, or not with this sequence, or with a greater generation.
  absl::StatusOr<bool> MoveSession(const AppendRequest& request, int64_t last_sequence);

  sqlite::Statement head_;
  sqlite::Statement insert_event_;
  sqlite::Statement insert_session_;
  sqlite::Statement advance_session_;
  sqlite::Statement move_session_;
  sqlite::Statement delete_session_;
  sqlite::Statement delete_log_;
};

}  // namespace holdfast::agent
