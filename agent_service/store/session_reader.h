#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent_service/store/store.h"
#include "common/sqlite/sqlite.h"

namespace holdfast::agent {

// The statements that read sessions, prepared once. One thread at a time; borrows the connection.
class SessionReader {
 public:
  static absl::StatusOr<SessionReader> Create(sqlite::Connection& connection);

  // The arguments have passed CheckRead or CheckList. DATA_LOSS names the session and the event that is missing, also
  // the last ones that the session's row knows of, or is not what was written.
  absl::StatusOr<std::vector<LogRow>> Read(const std::string& tenant, const std::string& session_id,
                                           int64_t after_sequence, int limit);
  absl::StatusOr<SessionRow> Get(const std::string& tenant, const std::string& session_id);
  absl::StatusOr<SessionPage> List(const std::string& tenant, int page_size, const std::string& page_token);
  absl::StatusOr<std::vector<SessionRow>> ListRunning();

 private:
  SessionReader(sqlite::Statement log, sqlite::Statement session, sqlite::Statement first_page,
                sqlite::Statement next_page, sqlite::Statement running);

  sqlite::Statement log_;
  sqlite::Statement session_;
  sqlite::Statement first_page_;
  sqlite::Statement next_page_;
  sqlite::Statement running_;
};

}  // namespace holdfast::agent
